"""Files that never touch a disk."""

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
