"""The raw disk of a stored image: kept for a while, and made again from tree and map when it is wanted and not there.

``cache/disks/HEX.raw`` by the disk's digest, and ``HEX.boot`` beside it with the id of the machine's run in which it
was written or last compared: disks are not synced, so one from before the last start is compared with its digest.
"""

import os
from collections.abc import Callable
from pathlib import Path

from goldsmith.disk.digest import disk_digest
from goldsmith.effects.files import locked
from goldsmith.effects.machine_run import boot_id
from goldsmith.errors import UsageError
from goldsmith.store.diskmap import read_map, rebuild
from goldsmith.store.home import Home
from goldsmith.store.images import StoredImage, layout_of
from goldsmith.store.record import parts_of
from goldsmith.store.tree import read_index


def raw_disk(home: Home, image: StoredImage, *, jobs: int = 2) -> Path:
    """An image's raw disk, which must not be written to; it is made from the store if it is not there.

    Raises:
        IntegrityError: what is in the store is damaged; nothing is left in the cache.
        UsageError: the image has no disk.
        NoSpace: the disk does not fit.
    """
    if image.facts.get("disk_size") == 0:
        raise UsageError(
            f"{image.reference} has no disk: it was imported from an archive",
            hint=f"build one: a recipe with `from: {image.name}:{image.version}` makes an image with a disk of it",
        )

    def make(output: Path) -> None:
        layout = layout_of(home)
        parts = parts_of(layout, image.index, image.reference)
        index = read_index(layout, parts.tree_index.digest)
        found = read_map(layout, parts.disk_map.digest, index)
        literals = [blob.digest for blob in parts.literals]
        rebuild(layout, found, literals, index, output, digest=disk_digest, jobs=jobs)

    return cached_disk(home, str(image.facts["disk_digest"]), make)


def cached_disk(home: Home, digest: str, make: Callable[[Path], None]) -> Path:
    """The disk with a digest; ``make`` writes it, verified, to a path if it is not there or not what it was."""
    disk = place(home, digest)
    with locked(disk.with_suffix(".lock")):
        if not is_sound(disk, digest):
            temporary = disk.with_suffix(f".{os.getpid()}.tmp")
            try:
                make(temporary)
                keep(temporary, disk)
            finally:
                temporary.unlink(missing_ok=True)
        os.utime(disk.with_suffix(".boot"))  # so that expire() knows that it is still of use
    return disk


def place(home: Home, digest: str) -> Path:
    """Where a disk is kept."""
    return home / "cache/disks" / f"{digest.removeprefix('sha256:')}.raw"


def keep(disk: Path, target: Path) -> None:
    """Give a finished disk its place in the cache; it must lie on the same file system."""
    target.parent.mkdir(parents=True, exist_ok=True)
    disk.rename(target)
    target.with_suffix(".boot").write_text(boot_id())


def is_sound(disk: Path, digest: str) -> bool:
    """Whether a disk is there, and, if the machine was started since it was written, what it was by content."""
    try:
        told = disk.with_suffix(".boot").read_text()
        if told != boot_id():
            if disk_digest(disk) != digest:
                return False
            disk.with_suffix(".boot").write_text(boot_id())
    except FileNotFoundError:
        return False
    return disk.exists()


def drop(told: Path) -> None:
    """Remove a disk by its ``.boot`` file."""
    for suffix in (".raw", ".boot", ".lock"):
        told.with_suffix(suffix).unlink(missing_ok=True)
