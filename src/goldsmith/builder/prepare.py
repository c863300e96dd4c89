"""Before a build: the recipe, its lock, and everything the lock names, fetched."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from goldsmith.builder.build import Planned, Supplies, plan
from goldsmith.builder.execute import Listener
from goldsmith.builder.inputs import Inputs, read_inputs
from goldsmith.builder.space import need_space_for
from goldsmith.builder.toolstree import tools_tree
from goldsmith.effects import namespace
from goldsmith.errors import StaleLock
from goldsmith.lock.fetch import Origins, fetch, package_path
from goldsmith.lock.file import lock_path, read_lock, read_tools
from goldsmith.lock.inputs import is_stale
from goldsmith.lock.mirror import read_host_apt
from goldsmith.lock.renew import origins_of, renew, tools_mirror
from goldsmith.model.lock import Lock, LockedPackage
from goldsmith.model.recipe import Recipe
from goldsmith.recipe.read import read_recipe
from goldsmith.store.home import Home


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asks a build to be."""

    path: Path
    """The recipe's file."""
    settings: Mapping[str, str]
    """Variables of the recipe, from ``--set``."""
    mirror: str = ""
    """``--mirror``; empty if not given."""
    offline: bool = False
    update_lock: bool = False
    jobs: int = 2


def decide(request: Request, *, home: Home, report: Callable[[str], None], may_lock: bool = True) -> Planned:
    """Read the recipe and its lock, made if there is none, and plan the build.

    Raises:
        InputError: the recipe, a component or the lock is wrong.
        StaleLock: the recipe asks for what the lock does not hold, and ``update_lock`` is not set.
    """
    recipe = read_recipe(request.path, request.settings)
    inputs = read_inputs(recipe)
    lock = read_lock(lock_path(request.path))
    stale = lock is not None and is_stale(lock, recipe, inputs.downloads)
    if stale and not request.update_lock:
        raise StaleLock(
            f"{request.path} asks for something that {lock_path(request.path)} does not hold",
            hint=f"renew the lock: goldsmith lock {request.path}, or build with --update-lock",
        )
    if lock is None and not may_lock:
        raise StaleLock(
            f"there is no {lock_path(request.path)}", hint=f"make it: goldsmith lock {request.path}"
        )
    if lock is None or stale:
        lock = make_lock(request, recipe, home=home, report=report)
    return plan(inputs, lock)


def make_lock(request: Request, recipe: Recipe, *, home: Home, report: Callable[[str], None]) -> Lock:
    """Resolve the recipe, keeping what need not change."""
    host, environment = read_host_apt(), dict(os.environ)
    origins = origins_of(recipe, option=request.mirror, environment=environment, host=host)
    return renew(
        recipe,
        request.path,
        home=home,
        origins=origins,
        mirror=tools_mirror(recipe, origins, environment=environment, host=host),
        minimal=True,
        offline=request.offline,
        report=report,
    ).lock


def supply(request: Request, planned: Planned, *, home: Home, listener: Listener) -> Supplies:
    """Fetch what the lock names, and unpack the tools; nothing is fetched that is there and sound.

    Raises:
        GoldsmithError: as ``fetch``.
    """
    inputs, lock = planned.inputs, planned.lock
    tools_lock = read_tools(lock, request.path.parent, home)
    packages = all_packages(lock)
    need_space_for(packages, home)
    origins = _origins(request, inputs, home, [*packages, *tools_lock.packages])
    progress = listener.downloading
    debs = fetch(packages, origins, home=home, offline=request.offline, progress=progress)
    tools = fetch(tools_lock.packages, origins, home=home, offline=request.offline, progress=progress)
    namespace.enter()
    tree = tools_tree(tools, lock.tools, home, jobs=request.jobs)
    downloads = {download.url: package_path(home, download.sha256) for download in lock.downloads}
    return Supplies(debs, downloads, tree)


def all_packages(lock: Lock) -> list[LockedPackage]:
    """The packages of the image and of all stages, each once."""
    every = [*lock.packages, *(package for stage in lock.stages for package in stage.packages)]
    return list({package.sha256: package for package in every}.values())


def _origins(request: Request, inputs: Inputs, home: Home, packages: list[LockedPackage]) -> Origins:
    """Where packages come from; asking the host's apt takes time, so only if something is missing."""
    recipe = inputs.recipe
    if all(package_path(home, package.sha256).exists() for package in packages):
        return Origins(None, recipe.repositories, Path(recipe.directory), {})
    return origins_of(
        recipe,
        option=request.mirror,
        environment=dict(os.environ),
        host=read_host_apt(),
        required=not request.offline,
    )
