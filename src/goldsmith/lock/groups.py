"""Which packages are installed together: what boots, the rest, and what was added later. Pure.

A group is one step of a build, so adding a package to a recipe runs one small step, and not the large ones before it.
"""

from collections.abc import Iterable, Mapping

from goldsmith.lock.candidate import Candidate, closure
from goldsmith.model.lock import LockedPackage

BOOTS, REST = 1, 2
LAST = 6
"""More groups than this cost more than they save: every group runs dpkg's triggers again."""


def assign_groups(
    packages: Mapping[str, Candidate],
    boots: Iterable[str],
    previous: Iterable[LockedPackage] = (),
) -> Mapping[str, int]:
    """The group of each package.

    Args:
        packages: all packages of the image by name.
        boots: names of packages that make a machine boot; those that are not in the image do not count.
        previous: the packages of the lock before this one. If all of them are in the image as they were, they keep
            their groups, and what is new gets one of its own.

    Returns:
        Package names to groups, counted from 1 without a gap.
    """
    kept = keep_groups(packages, tuple(previous))
    if kept:
        return kept
    essential = {name for name, package in packages.items() if package.essential}
    first = closure({*essential, *boots} & packages.keys(), packages)
    if first == packages.keys() or not first:
        return dict.fromkeys(packages, BOOTS)
    return {name: BOOTS if name in first else REST for name in packages}


def keep_groups(packages: Mapping[str, Candidate], previous: tuple[LockedPackage, ...]) -> Mapping[str, int]:
    """The groups of before with one for what is new; empty if a package changed or went, or the groups are too many."""
    groups = {
        old.name: old.group
        for old in previous
        if old.name in packages and packages[old.name].sha256 == old.sha256
    }
    if not previous or len(groups) != len(previous):
        return {}
    new = max(groups.values()) + 1
    if new > LAST and len(groups) < len(packages):
        return {}
    return {name: groups.get(name, new) for name in packages}
