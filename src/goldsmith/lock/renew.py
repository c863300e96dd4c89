"""Make a recipe's lock, or make it anew."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from goldsmith.effects.process import need
from goldsmith.errors import InputError, Unavailable
from goldsmith.lock.fetch import Origins
from goldsmith.lock.file import lock_path, read_lock, read_tools_beside, write_lock, write_tools
from goldsmith.lock.mirror import HostApt, Mirror, find_mirror
from goldsmith.lock.resolve import resolve
from goldsmith.lock.source import find_distribution
from goldsmith.lock.tools import TOOLS_BASE, resolve_tools
from goldsmith.model.canonical import digest
from goldsmith.model.component import Download
from goldsmith.model.distribution import DISTRIBUTIONS
from goldsmith.model.lock import Lock, ToolsLock
from goldsmith.model.recipe import Recipe
from goldsmith.recipe.component import downloads, read_component
from goldsmith.store.home import Home


@dataclass(frozen=True, slots=True)
class Renewed:
    """A lock that was made, and the one before it."""

    lock: Lock
    """The new one."""
    tools: ToolsLock
    """The tools lock that it names."""
    previous: Lock | None
    """The one of before; None if there was none, or none that could be read."""


def downloads_of(recipe: Recipe) -> tuple[Download, ...]:
    """The files that the recipe's components, also those of its stages, download with a checksum.

    Raises:
        InputError: a component document is wrong.
    """
    uses = (*recipe.components, *(use for stage in recipe.stages for use in stage.components))
    directory = Path(recipe.directory)
    found = {
        download
        for use in uses
        for download in downloads(read_component(directory / use.path), use.parameters)
    }
    return tuple(sorted(found))


def origins_of(
    recipe: Recipe, *, option: str = "", environment: Mapping[str, str], host: HostApt, required: bool = True
) -> Origins:
    """Where the recipe's packages come from; errors as ``find_mirror``.

    Not ``required``, it is no error that there is no mirror until something is missing from the store.
    """
    try:
        mirror = find_mirror(
            find_distribution(recipe.base),
            option=option,
            recipe=recipe.mirror,
            where=recipe.where,
            environment=environment,
            host=host,
        )
    except Unavailable:
        if required:
            raise
        mirror = None
    return Origins(mirror, recipe.repositories, Path(recipe.directory), environment)


def tools_mirror(
    recipe: Recipe, origins: Origins, *, environment: Mapping[str, str], host: HostApt
) -> Mirror | None:
    """Where the tools come from: the recipe's mirror if it is of the same distribution, else one of that; errors as ``find_mirror``."""
    if recipe.base.distribution == TOOLS_BASE.distribution:
        return origins.mirror
    return find_mirror(DISTRIBUTIONS[TOOLS_BASE.distribution], environment=environment, host=host)


def renew(
    recipe: Recipe,
    path: Path,
    *,
    home: Home,
    origins: Origins,
    mirror: Mirror | None,
    minimal: bool = False,
    renew_tools: bool = False,
    offline: bool = False,
    write: bool = True,
    report: Callable[[str], None] = lambda _: None,
) -> Renewed:
    """Resolve a recipe, and write its lock and, if there is none yet, the tools lock of its directory.

    The tools lock is shared by the recipes of a directory, so it is kept as it is unless ``renew_tools`` says otherwise:
    the locks of the other recipes name it by digest.

    Args:
        recipe: what is locked.
        path: the recipe's file.
        home: the data directory.
        origins: where packages come from.
        mirror: where the tools come from.
        minimal: keep the versions of the lock that is there, and only add what is new.
        renew_tools: choose the tools anew.
        offline: choose from what is in the cache.
        write: whether the locks are written.
        report: is told what is being done.

    Raises:
        GoldsmithError: as ``resolve``.
    """
    need("apt-get", "apt-cache", "dpkg-deb", "setpriv")
    previous = None
    # A damaged lock is not worth an error to somebody who is about to replace it.
    with suppress(InputError):
        previous = read_lock(lock_path(path))
    tools = None
    if not renew_tools:
        with suppress(InputError):
            tools = read_tools_beside(path.parent)
    if tools is None:
        tools = resolve_tools(home=home, mirror=mirror, offline=offline, report=report)
    lock = resolve(
        recipe,
        downloads_of(recipe),
        tools=digest(tools),
        home=home,
        origins=origins,
        previous=previous,
        minimal=minimal,
        offline=offline,
        report=report,
    )
    if write:
        write_tools(path.parent, tools, home)
        write_lock(lock_path(path), lock)
    return Renewed(lock, tools, previous)
