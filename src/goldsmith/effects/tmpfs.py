"""Files in memory: secrets that must never touch a disk, and big files that need not."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from goldsmith.effects.namespace import mount, unmount

MS_NOSUID, MS_NODEV, MS_NOEXEC = 2, 4, 8


@contextmanager
def secret_files(contents: Mapping[str, bytes], room: Path) -> Iterator[Mapping[str, Path]]:
    """A file for each secret, readable by root only, in memory that no other process sees; gone at the end.

    Args:
        contents: by name.
        room: where the memory is mounted in this process's mount namespace; made if it is missing.
    """
    if not contents:
        yield {}
        return
    room.mkdir(parents=True, exist_ok=True)
    mount("tmpfs", str(room), "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700")
    try:
        paths = {name: room / name for name in contents}
        for name, path in paths.items():
            path.touch(mode=0o400)
            path.write_bytes(contents[name])
        yield paths
    finally:
        unmount(str(room))


SPARE = 1 << 30
"""Bytes of memory that are left to the rest of the machine."""


def available_memory() -> int:
    """How many bytes of memory can be used without swapping, as the kernel estimates it."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


@contextmanager
def memory_room(room: Path, size: int) -> Iterator[Path]:
    """A directory in memory for ``size`` bytes if the machine has twice as much to spare, else a plain one.

    Args:
        room: where it is mounted in this process's mount namespace; made if it is missing.
        size: bytes that will be written there.
    """
    room.mkdir(parents=True, exist_ok=True)
    if available_memory() < 2 * size + SPARE:
        yield room
        return
    mount("tmpfs", str(room), "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700")
    try:
        yield room
    finally:
        unmount(str(room))
