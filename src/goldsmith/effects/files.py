"""Files: the one durable write, digests, and locks between processes."""

import errno
import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from goldsmith.errors import NoSpace

BLOCK = 1 << 20
READ = 64 << 10
"""Bytes hashed at a time; larger pieces are given back to the system after each file, and every page is faulted in again."""


@contextmanager
def replacing(path: Path, mode: int = 0o644) -> Iterator[int]:
    """Write a file that appears whole or not at all, and is on the disk when this returns.

    Yields a file descriptor to write to. Temp file in the same directory, write, fsync, rename, fsync of the
    directory; on any error the temp file is removed and the old file stays.

    Raises:
        NoSpace: the file system is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        try:
            yield descriptor
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(temporary, path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise NoSpace(
                f"no space left while writing {path}", hint="free some space there and try again"
            ) from error
        if error.filename == os.fspath(temporary):
            error.filename = os.fspath(path)  # the name that a person knows
            error.filename2 = None
        raise
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    sync_directory(path.parent)


def write_durably(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write ``data`` so that it is there after a crash, whole or not at all."""
    with replacing(path, mode) as descriptor:
        write_all(descriptor, data)


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Write every byte, however many calls it takes."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256_file(path: str | Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    state = hashlib.sha256()
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        while data := os.read(descriptor, READ):
            state.update(data)
    finally:
        os.close(descriptor)
    return state.hexdigest()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on ``path`` (a file made for it); it is let go when the process ends, however it ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def free_bytes(path: Path) -> int:
    """How many bytes an ordinary user may still write on the file system of ``path``."""
    known = path
    while not known.exists():
        known = known.parent
    facts = os.statvfs(known)
    return facts.f_bavail * facts.f_frsize
