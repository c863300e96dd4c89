"""How much room a build needs, as far as it can be known before it starts."""

from collections.abc import Iterable

from goldsmith.effects.files import free_bytes
from goldsmith.errors import NoSpace
from goldsmith.lock.fetch import package_path
from goldsmith.model.lock import LockedPackage
from goldsmith.store.home import Home

UNPACKED = 4
"""Unpacked packages take about this many times the size of their .debs, and the tree's own files come on top."""
DISK = 5
"""The disk holds the same files once more."""


def need_space_for(packages: Iterable[LockedPackage], home: Home) -> None:
    """Check that downloads, unpacked packages and the disk will fit.

    Raises:
        NoSpace: they will not; the message says how much is needed, and where.
    """
    missing = unpacked = total = 0
    for package in packages:
        total += package.size
        if not package_path(home, package.sha256).exists():
            missing += package.size
            unpacked += package.size * UNPACKED
    needed = missing + unpacked + total * DISK
    free = free_bytes(home.path)
    if needed > free:
        raise NoSpace(
            f"the build needs about {needed >> 20} MiB in {home.path}, and {free >> 20} MiB are free",
            hint="free some space, or set GOLDSMITH_HOME to a directory on a larger file system",
        )
