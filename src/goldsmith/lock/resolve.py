"""Resolve what a recipe asks for to exact packages and files."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from goldsmith.effects.process import run
from goldsmith.errors import GoldsmithError, InputError, UsageError
from goldsmith.lock import apt
from goldsmith.lock.apt import Ask, Chosen
from goldsmith.lock.aptroot import AptRoot, opened
from goldsmith.lock.candidate import Candidate, candidate, closure
from goldsmith.lock.fetch import Origins, fetch_downloads, package_path
from goldsmith.lock.groups import assign_groups
from goldsmith.lock.image import Installed, installed_in
from goldsmith.lock.inputs import based_on, inputs_digest
from goldsmith.lock.mirror import no_mirror
from goldsmith.lock.source import base_sources, extra_sources, find_distribution
from goldsmith.model.component import Download
from goldsmith.model.distribution import Distribution, goldsmith_needs
from goldsmith.model.lock import Lock, LockedPackage, LockedStage
from goldsmith.model.recipe import PackageRequest, Recipe, Stage
from goldsmith.store.home import Home

APT = "apt"
"""apt counts itself as essential; an image without it must forbid it (``-apt``)."""
LOGIN = "login"
"""Nobody gets in at a console without it. Debian calls it essential up to 12, and after that required and protected."""


def resolve(
    recipe: Recipe,
    downloads: Sequence[Download],
    *,
    tools: str,
    home: Home,
    origins: Origins,
    previous: Lock | None = None,
    minimal: bool = False,
    offline: bool = False,
    report: Callable[[str], None] = lambda _: None,
) -> Lock:
    """Choose the packages of the image and of its stages, and get the files that components download.

    Args:
        recipe: what is asked for.
        downloads: the files that its components name with a checksum.
        tools: the digest of the tools lock.
        home: the data directory.
        origins: where packages come from.
        previous: the lock before this one; its groups are kept where they can be.
        minimal: keep the versions of ``previous``, and only add what is new. Where apt cannot, all is chosen anew.
        offline: choose from the package lists in the cache.
        report: is told what is being done.

    Raises:
        InputError: a package does not exist, or packages do not fit together.
        TrustError: an index has no valid signature.
        NetworkError: an archive cannot be reached.
        Unavailable: no mirror, no keyring, or no lists in the cache.
    """
    distribution = find_distribution(recipe.base)
    mirror = origins.mirror
    if mirror is None:
        raise no_mirror(distribution.name)
    sources = base_sources(recipe.base, mirror)
    # Offline no server is asked, so nobody needs to have credentials.
    reached = tuple(
        replace(item, credentials="" if offline else item.credentials) for item in recipe.repositories
    )
    sources += extra_sources(reached, origins.directory, origins.environment)
    with opened(home, sources, recipe.architecture, mirror) as root:
        read_lists(root, offline=offline, report=report)
        report("choosing packages")
        repositories = apt.indices(root)
        if recipe.base.image:
            packages = added_packages(root, recipe, distribution, previous, home, minimal=minimal)
        else:
            packages = image_packages(root, recipe, distribution, previous, home if minimal else None)
        stages = tuple(stage_packages(root, recipe, stage) for stage in recipe.stages)
    if downloads:
        report("downloading what components name")
    lock = Lock(
        inputs=inputs_digest(recipe, downloads),
        distribution=recipe.base.distribution,
        suite=recipe.base.suite,
        architecture=recipe.architecture,
        epoch=max(recipe.base.epoch, *(repository.date for repository in repositories)),
        tools=tools,
        repositories=repositories,
        packages=packages,
        stages=stages,
        downloads=fetch_downloads(
            downloads, previous.downloads if previous else (), mirror, home=home, offline=offline
        ),
        base=based_on(recipe.base),
    )
    return settle(lock, previous)


def settle(lock: Lock, previous: Lock | None) -> Lock:
    """Keep of the previous lock what need not change, so that a build runs as few steps as it can.

    If all its packages are still there, its epoch is kept: files of packages that were added are dated no later.
    If nothing else came, the indices it was made from are kept too, and a lock that is renewed to no effect stays.
    """
    if previous is None or not {*previous.packages} <= {*lock.packages}:
        return lock
    is_same = (lock.packages, lock.stages) == (previous.packages, previous.stages)
    return replace(
        lock,
        epoch=previous.epoch,
        repositories=previous.repositories if is_same else lock.repositories,
    )


def read_lists(root: AptRoot, *, offline: bool, report: Callable[[str], None]) -> None:
    """Read the indices anew, or check that those of an earlier time are here."""
    if offline:
        apt.need_lists(root)
        return
    report("reading package lists")
    apt.update(root)


def image_packages(
    root: AptRoot, recipe: Recipe, distribution: Distribution, previous: Lock | None, home: Home | None
) -> tuple[LockedPackage, ...]:
    """The packages of the image with their groups and reasons; with ``home``, the previous ones are kept."""
    needs = goldsmith_needs(recipe, distribution)
    ask = replace(ask_for(recipe, needs), usual=(LOGIN,))
    chosen = None
    if previous is not None and home is not None:
        # apt may say no for a reason that a new choice of all versions does not have.
        with suppress(UsageError):
            chosen = add_to(root, ask, previous, home)
    if chosen is None:
        chosen = apt.by_name(apt.solve(root, ask))
    by_name = {name: item.package for name, item in chosen.items()}
    kernels = {name for name in by_name if name.startswith(distribution.kernel_prefix)}
    boots = distribution.boots | kernels | {*needs}
    groups = assign_groups(by_name, boots, previous.packages if previous else ())
    return _entries(chosen.values(), recipe.packages, needs, groups)


def added_packages(
    root: AptRoot,
    recipe: Recipe,
    distribution: Distribution,
    previous: Lock | None,
    home: Home,
    *,
    minimal: bool,
) -> tuple[LockedPackage, ...]:
    """The packages that are put into the image which the recipe stands on: what it asks for and that does not have.

    Raises:
        InputError: the image has a package that the recipe forbids; and as ``resolve``.
    """
    there = installed_in(home, recipe.base)
    refuse_forbidden(recipe, there)
    has_kernel = any(name.startswith(distribution.kernel_prefix) for name in there.versions)
    needs = tuple(
        name
        for name in goldsmith_needs(recipe, distribution)
        if name not in there.versions and not (has_kernel and name.startswith(distribution.kernel_prefix))
    )
    ask = ask_for(recipe, needs)
    wanted = tuple(request for request in ask.wanted if not _is_met(request, there.versions))
    ask = replace(ask, wanted=wanted, essential=False, status=there.status)
    same = previous is not None and previous.base == based_on(recipe.base)
    chosen = None
    if minimal and same and previous is not None:
        with suppress(UsageError):
            chosen = add_to(root, ask, previous, home)
    if chosen is None:
        chosen = apt.by_name(apt.solve(root, ask)) if wanted else {}
    by_name = {name: item.package for name, item in chosen.items()}
    groups = assign_groups(by_name, (), previous.packages if same and previous else ())
    return _entries(chosen.values(), recipe.packages, needs, groups)


def refuse_forbidden(recipe: Recipe, there: Installed) -> None:
    """Refuse a recipe that forbids what the image it stands on has; errors as ``added_packages``."""
    for request in recipe.packages:
        if request.forbidden and request.name in there.versions:
            raise InputError(
                f"{recipe.base} has the package {request.name!r}, which the recipe forbids",
                hint=f"take it out at the end: remove: {{packages: [{request.name}]}}",
                where=request.where or recipe.where,
            )


def ask_for(recipe: Recipe, needs: Sequence[str]) -> Ask:
    """What apt is asked for: the recipe's packages, and what goldsmith needs where the recipe does not name it.

    Raises:
        InputError: the recipe forbids what goldsmith needs.
    """
    for request in recipe.packages:
        if request.forbidden and request.name in needs:
            raise InputError(
                f"the recipe forbids {request.name!r}, which goldsmith needs in every image",
                hint="leave it out; for another kernel, name that kernel's package",
                where=request.where or recipe.where,
            )
    wanted = tuple(request for request in recipe.packages if not request.forbidden)
    forbidden = tuple(request.name for request in recipe.packages if request.forbidden)
    named = {request.name for request in wanted}
    own = tuple(PackageRequest(name) for name in needs if name not in named)
    return Ask(wanted + own, forbidden, recommends=recipe.recommends, where=recipe.where)


def stage_packages(root: AptRoot, recipe: Recipe, stage: Stage) -> LockedStage:
    """The packages of one stage: the essential ones, and what it names."""
    wanted = tuple(request for request in stage.packages if not request.forbidden)
    forbidden = tuple(request.name for request in stage.packages if request.forbidden)
    ask = Ask(wanted, forbidden, recommends=recipe.recommends, where=stage.where or recipe.where)
    chosen = apt.by_name(apt.solve(root, ask))
    return LockedStage(stage.name, _entries(chosen.values(), wanted, (), dict.fromkeys(chosen, 1)))


def add_to(root: AptRoot, ask: Ask, previous: Lock, home: Home) -> Mapping[str, Chosen] | None:
    """The previous packages, those that are not wanted any more left out, and what is new; None if some are unknown."""
    old = previous_candidates(root, previous, home)
    if old is None or not {item.name for item in old}.isdisjoint(ask.forbidden):
        return None
    versions = {item.name: item.version for item in old}
    new = tuple(request for request in ask.wanted if not _is_met(request, versions))
    essential = ask.essential and not any(item.essential for item in old)
    added = apt.solve(root, replace(ask, wanted=new, essential=essential, installed=old))
    entries = {entry.name: entry for entry in previous.packages}
    kept = {item.name: Chosen(item, entries[item.name]) for item in old}
    together = {**kept, **apt.by_name(added)}
    roots = {APT, *ask.usual} | {request.name for request in ask.wanted}
    roots |= {name for name, item in together.items() if item.package.essential}
    among = {name: item.package for name, item in together.items()}
    needed = closure(roots, among, recommends=ask.recommends)
    return {name: item for name, item in together.items() if name in needed}


def _is_met(request: PackageRequest, versions: Mapping[str, str]) -> bool:
    """Whether the packages of before answer to a request; apt would renew a package that is named to it."""
    if request.suite or request.name not in versions:
        return False
    return request.version in {"", versions[request.name]}


def previous_candidates(root: AptRoot, previous: Lock, home: Home) -> tuple[Candidate, ...] | None:
    """What is known of the previous packages: from the index, or from the .deb in the store; None if one is unknown."""
    names = [apt.exact(entry.name, entry.version, entry.architecture) for entry in previous.packages]
    known = {item.sha256: item for item in apt.show(root, names)}
    found = []
    for entry in previous.packages:
        item = known.get(entry.sha256) or _stored(package_path(home, entry.sha256), entry)
        if item is None:
            return None
        found.append(item)
    return tuple(found)


def _stored(path: Path, entry: LockedPackage) -> Candidate | None:
    if not path.is_file():
        return None
    try:
        fields = run(["dpkg-deb", "--field", str(path)]).text
    except GoldsmithError:
        return None
    return candidate(f"{fields.strip()}\nSize: {entry.size}\nSHA256: {entry.sha256}")


def _entries(
    chosen: Iterable[Chosen],
    asked: Iterable[PackageRequest],
    needs: Sequence[str],
    groups: Mapping[str, int],
) -> tuple[LockedPackage, ...]:
    recipe = {request.name for request in asked if not request.forbidden}

    def reason(package: Candidate) -> str:
        if package.name in recipe:
            return "recipe"
        if package.name in needs:
            return "goldsmith"
        return "base" if package.essential or package.name in {APT, LOGIN} else "dependency"

    entries = (
        replace(item.locked, group=groups[item.locked.name], reason=reason(item.package)) for item in chosen
    )
    return tuple(sorted(entries, key=lambda entry: (entry.group, entry.name)))
