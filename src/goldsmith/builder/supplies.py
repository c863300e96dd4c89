"""What a build is made from, got when a step first asks for it: a build whose packages are unchanged needs none."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock as Mutex
from typing import Generic, TypeVar

from goldsmith.builder.debs import Unpacked, damaged, forget, unpack_all
from goldsmith.builder.execute import Listener
from goldsmith.builder.inputs import Inputs
from goldsmith.builder.request import Request
from goldsmith.builder.toolstree import standing_tree, tools_tree
from goldsmith.disk.tools import Tools
from goldsmith.errors import IntegrityError
from goldsmith.lock.fetch import Origins, fetch, fetch_downloads, package_path
from goldsmith.lock.file import read_tools
from goldsmith.lock.mirror import read_host_apt
from goldsmith.lock.renew import origins_of
from goldsmith.model.lock import Lock, LockedPackage
from goldsmith.model.recipe import Recipe
from goldsmith.store.home import Home

Thing = TypeVar("Thing")


class Once(Generic[Thing]):
    """Something that is made when it is first asked for, whichever thread asks."""

    def __init__(self, make: Callable[[], Thing]) -> None:
        self._make = make
        self._mutex = Mutex()
        self._made: list[Thing] = []

    def __call__(self) -> Thing:
        """The thing; an error of making it is raised to each who asks, and each asking tries again."""
        with self._mutex:
            if not self._made:
                self._made.append(self._make())
            return self._made[0]


@dataclass(frozen=True, slots=True)
class Supplies:
    """What the steps of a build may ask for; all of it is verified."""

    packages: Callable[[], Mapping[str, Unpacked]]
    """The unpacked packages by the SHA-256 of their .debs."""
    tools: Callable[[], Tools]
    """The tools tree."""
    downloads: Callable[[], Mapping[str, Path]]
    """Components' downloads by address."""


def supplies_of(request: Request, inputs: Inputs, lock: Lock, *, home: Home, listener: Listener) -> Supplies:
    """What the lock names; getting it raises what ``fetch``, ``fetch_downloads`` and ``unpack_all`` raise."""
    every = all_packages(lock)
    recipe = inputs.recipe

    def get(packages: list[LockedPackage]) -> Mapping[str, Path]:
        origins = _origins(request, recipe, home, packages)
        return fetch(packages, origins, home=home, offline=request.offline, progress=listener.downloading)

    def make_tools() -> Tools:
        standing = standing_tree(lock.tools, home)
        if standing is not None:
            return standing
        debs = get(list(read_tools(lock, request.path.parent, home).packages))
        return tools_tree(debs, lock.tools, home, jobs=request.jobs)

    return Supplies(
        packages=Once(lambda: unpack_soundly(get(every), home, jobs=request.jobs)),
        tools=Once(make_tools),
        downloads=Once(lambda: _downloads(request, inputs, lock, home)),
    )


def _downloads(request: Request, inputs: Inputs, lock: Lock, home: Home) -> Mapping[str, Path]:
    """The files that the lock names, brought here if they are not: the lock may come from another machine."""
    mirror = None
    if not all(package_path(home, entry.sha256).exists() for entry in lock.downloads):
        # Only its proxies matter here.
        host, variables = read_host_apt(), dict(os.environ)
        mirror = origins_of(
            inputs.recipe, option=request.mirror, environment=variables, host=host, required=False
        ).mirror
    found = fetch_downloads(inputs.downloads, lock.downloads, mirror, home=home, offline=request.offline)
    locked = {entry.url: entry.sha256 for entry in lock.downloads}
    for entry in found:
        if entry.sha256 != locked[entry.url]:
            raise IntegrityError(
                f"{entry.url!r} is not the file that the lock names", hint="renew it: goldsmith lock RECIPE"
            )
    return {entry.url: package_path(home, entry.sha256) for entry in found}


def all_packages(lock: Lock) -> list[LockedPackage]:
    """The packages of the image and of all stages, each once."""
    every = [*lock.packages, *(package for stage in lock.stages for package in stage.packages)]
    return list({package.sha256: package for package in every}.values())


def unpack_soundly(debs: Mapping[str, Path], home: Home, *, jobs: int) -> dict[str, Unpacked]:
    """The packages, unpacked and compared by content with what their .debs held."""
    unpacked = unpack_all(debs, home, jobs=jobs)
    bad = damaged(unpacked.values(), jobs=jobs)
    for package in bad:
        forget(package)
    if bad:
        unpacked |= unpack_all({package.sha256: package.deb for package in bad}, home, jobs=jobs)
    return unpacked


def _origins(request: Request, recipe: Recipe, home: Home, packages: list[LockedPackage]) -> Origins:
    """Where packages come from; asking the host's apt takes time, so only if something is missing."""
    if all(package_path(home, package.sha256).exists() for package in packages):
        return Origins(None, recipe.repositories, Path(recipe.directory), {})
    return origins_of(
        recipe,
        option=request.mirror,
        environment=dict(os.environ),
        host=read_host_apt(),
        required=not request.offline,
    )
