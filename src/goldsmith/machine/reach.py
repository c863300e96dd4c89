"""The sockets in a machine's directory, reached whatever the length of its path."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def connected(directory: Path, name: str) -> Iterator[Path]:
    """A short path for a socket in ``directory``, good while the block lasts.

    A Unix socket's path has at most 107 bytes; by way of the directory's descriptor any directory will do.
    """
    descriptor = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield Path(f"/proc/self/fd/{descriptor}") / name
    finally:
        os.close(descriptor)
