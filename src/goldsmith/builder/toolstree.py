"""The tools tree: the packages of the tools lock, unpacked over each other and never configured."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from goldsmith.builder.debs import damaged, forget, unpack_all
from goldsmith.builder.merge import ALIASES, make_aliases, make_tree, plan_merge
from goldsmith.disk.tools import Tools
from goldsmith.effects.machine_run import boot_id
from goldsmith.errors import IntegrityError
from goldsmith.store.home import Home

MOUNT_POINTS = ("dev", "proc", "tmp", "run", "sys", "mnt")
MARK = ".complete"
"""Beside the tree; holds the id of the run of the machine that made it, or last compared it with its packages."""


def standing_tree(digest: str, home: Home) -> Tools | None:
    """The tree, if it was made or compared in this run of the machine."""
    place = home / "cache/tools" / digest.removeprefix("sha256:")
    mark = place / MARK
    if not mark.exists() or mark.read_text() != boot_id():
        return None
    os.utime(mark)  # so that expire() knows that it is still of use
    return Tools(place / "tree")


def tools_tree(debs: Mapping[str, Path], digest: str, home: Home, *, jobs: int) -> Tools:
    """The tree of a tools lock; made once, and compared with its packages once a run of the machine.

    Args:
        debs: the lock's packages by SHA-256, verified.
        digest: the tools lock's digest, which names the tree.
        home: the data directory.
        jobs: how many threads may work.

    Raises:
        IntegrityError: packages of the tools lock overlap.
    """
    place = home / "cache/tools" / digest.removeprefix("sha256:")
    mark = place / MARK
    unpacked = unpack_all(debs, home, jobs=jobs)
    bad = damaged(unpacked.values(), jobs=jobs)
    for package in bad:
        forget(package)
    if bad:
        unpacked |= unpack_all({package.sha256: package.deb for package in bad}, home, jobs=jobs)
    if bad or not mark.exists():
        merge = plan_merge(sorted(unpacked.values(), key=lambda u: u.package.name))
        if merge.refused:
            names = ", ".join(u.package.name for u in merge.refused)
            raise IntegrityError(
                f"packages of the tools lock overlap: {names}", hint="renew it: goldsmith lock RECIPE"
            )
        fresh = place.with_name(f".{place.name}.{os.getpid()}")
        shutil.rmtree(fresh, ignore_errors=True)
        (fresh / "tree").mkdir(parents=True)
        make_tree(merge, fresh / "tree")
        make_aliases(fresh / "tree", [name for name in ALIASES if (fresh / "tree/usr" / name).is_dir()])
        for name in MOUNT_POINTS:
            (fresh / "tree" / name).mkdir(exist_ok=True)
        shutil.rmtree(place, ignore_errors=True)
        try:
            fresh.rename(place)
        except OSError:
            shutil.rmtree(fresh)  # another process was faster
    mark.write_text(boot_id())
    return Tools(place / "tree")
