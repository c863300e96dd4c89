"""Durable writing of files that get their names when their content is known, through a door that a test can close."""

import errno
import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from goldsmith.effects.files import write_all
from goldsmith.errors import NoSpace

PREFIX = ".draft-"
"""How files begin that have no name yet; whoever holds the store alone may remove those it finds."""


class Door(Protocol):
    """Every way in which a store changes a file system; each may fail with ``OSError``, and then has done nothing."""

    def create(self, path: Path) -> int:
        """A descriptor of a new file; the path must be free."""

    def write(self, descriptor: int, data: bytes | memoryview) -> None:
        """Append every byte of ``data``."""

    def sync(self, path: Path) -> None:
        """What was written to a file, or the names in a directory, is there after a power loss from now on."""

    def rename(self, old: Path, new: Path) -> None:
        """Give a file its name; what had it before is gone."""

    def remove(self, path: Path) -> None:
        """Remove a file."""


class Kernel:
    """The door to the real file system."""

    def create(self, path: Path) -> int:
        """As ``Door.create``."""
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)

    def write(self, descriptor: int, data: bytes | memoryview) -> None:
        """As ``Door.write``."""
        write_all(descriptor, data)

    def sync(self, path: Path) -> None:
        """As ``Door.sync``."""
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def rename(self, old: Path, new: Path) -> None:
        """As ``Door.rename``."""
        os.replace(old, new)

    def remove(self, path: Path) -> None:
        """As ``Door.remove``."""
        path.unlink()


@dataclass(slots=True)
class Draft:
    """A file in the making."""

    path: Path
    """Where it lies until it has its name."""
    descriptor: int
    """To read it back by."""
    door: Door
    """What it is written through."""
    name: str | None = None
    """Set when the content is complete; a draft without a name is dropped."""

    def write(self, data: bytes | memoryview) -> None:
        """Append."""
        self.door.write(self.descriptor, data)


@contextmanager
def drafting(directory: Path, *, door: Door) -> Iterator[Draft]:
    """Write a file into ``directory`` that appears whole, under the name set on what this yields, or not at all.

    Its bytes are on the disk before its name is there. The name itself is durable once the directory is synced,
    which is left to the caller, who may have several files to wait for.

    Raises:
        NoSpace: the file system is full.
    """
    directory.mkdir(parents=True, exist_ok=True)
    temporary = directory / f"{PREFIX}{os.getpid()}-{secrets.token_hex(8)}"
    try:
        descriptor = door.create(temporary)
        try:
            draft = Draft(temporary, descriptor, door)
            yield draft
        finally:
            os.close(descriptor)
        if draft.name is None:
            door.remove(temporary)
            return
        door.sync(temporary)
        door.rename(temporary, directory / draft.name)
    except OSError as error:
        with suppress(OSError):
            door.remove(temporary)
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise NoSpace(
                f"no space left while writing in {directory}", hint="free some space there and try again"
            ) from error
        raise
    except BaseException:
        with suppress(OSError):
            door.remove(temporary)
        raise


@contextmanager
def resuming(directory: Path, name: str, *, door: Door) -> Iterator[Draft]:
    """As ``drafting``, for a file of a known name that may take several processes to write, one after the other.

    When the block fails, or the process is killed in it, what was written is kept, and the next one finds it. When the
    block ends without setting a name on what this yields, it is dropped. Others who want the same file wait.

    Raises:
        NoSpace: the file system is full.
    """
    directory.mkdir(parents=True, exist_ok=True)
    temporary = directory / f"{PREFIX}{name}"
    descriptor = _alone(temporary, door)
    try:
        draft = Draft(temporary, descriptor, door)
        yield draft
        if draft.name is None:
            door.remove(temporary)
            return
        door.sync(temporary)
        door.rename(temporary, directory / draft.name)
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise NoSpace(
                f"no space left while writing in {directory}",
                hint="free some space there and try again; it goes on where it stopped",
            ) from error
        raise
    finally:
        os.close(descriptor)


def _alone(path: Path, door: Door) -> int:
    """A descriptor of a file that is made if need be, and that nobody else works on."""
    while True:
        try:
            descriptor = door.create(path)
        except FileExistsError:
            try:
                descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            except FileNotFoundError:
                continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            # Whoever had it may have finished while we waited: then the name is gone, or another file's.
            with suppress(FileNotFoundError):
                if os.path.samestat(os.stat(path), os.fstat(descriptor)):
                    return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


@contextmanager
def using(path: Path, *, alone: bool = False, wait: bool = True) -> Iterator[None]:
    """Hold a lock on ``path``, a file made for it, with others or alone; it ends with the process, however that ends.

    Raises:
        BlockingIOError: others hold it, and this is not to ``wait`` for them.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        how = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
        fcntl.flock(descriptor, how if wait else how | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
