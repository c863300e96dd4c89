"""A file that others have made, read: its tree, its disk, and how the one comes from the other."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from goldsmith.disk.adopt.archive import Archive, open_area, read_archive, read_layout
from goldsmith.disk.adopt.contents import Contents, contents_of
from goldsmith.disk.adopt.ours import own_disk
from goldsmith.disk.adopt.runs import runs_of
from goldsmith.disk.adopt.unpack import packing, unpack
from goldsmith.disk.read.area import Area
from goldsmith.disk.read.containers import Raw, raw_of
from goldsmith.disk.read.system import System, read_system
from goldsmith.disk.read.tar import looks_like_tar
from goldsmith.errors import InputError, Place, UsageError
from goldsmith.model.diskmap import Run
from goldsmith.model.oci import Descriptor
from goldsmith.store.home import Home
from goldsmith.store.layout import Layout


@dataclass(frozen=True, slots=True)
class Opened:
    """A file that was read and is open."""

    format: str
    contents: Contents
    disk: Path
    """The raw disk; an empty file for an archive."""
    runs: list[Run]
    """How the disk comes from the tree."""
    own: bool
    """Whether the disk was made here, and may be moved."""
    system: System | None
    left_out: tuple[str, ...]
    """Device nodes of an archive that are no part of the tree."""


def facts_of(path: Path) -> tuple[int, int, int]:
    """What tells whether a file has changed: inode, size and time.

    Raises:
        UsageError: it is no file, or may not be read.
    """
    try:
        facts = path.stat()
    except OSError as error:
        raise UsageError(f"{str(path)!r} cannot be read: {error.strerror}", hint="name a file") from error
    if not path.is_file():
        raise UsageError(f"{str(path)!r} is no ordinary file", hint="name a disk's file or an archive")
    if not os.access(path, os.R_OK):
        raise UsageError(f"{str(path)!r} may not be read by this user", hint="mend its permissions")
    return facts.st_ino, facts.st_size, facts.st_mtime_ns


@contextmanager
def opened(
    path: Path, room: Path, home: Home, *, root: int | None, jobs: int, report: Callable[[str], None]
) -> Iterator[Opened]:
    """Read a file; what is found is of use as long as the block lasts. Errors name the file."""
    try:
        with ExitStack() as stack:
            plain = _unpacked(path, room, report)
            if looks_like_tar(_head(plain)):
                report("reading the archive")
                own = own_disk(plain, room, jobs=jobs)
                if own is not None:
                    raw = Raw(own, "oci-archive", own=True)
                    yield _read_disk(raw, open_area(own, stack).descriptor, own=True, root=root, jobs=jobs)
                    return
                archive = read_archive(plain, room, stack, jobs=jobs)
                yield _without_disk(archive, room)
                return
            raw = raw_of(plain, room, home)
            report("reading the disk")
            descriptor = os.open(raw.path, os.O_RDONLY | os.O_CLOEXEC)
            stack.callback(os.close, descriptor)
            yield _read_disk(raw, descriptor, own=raw.own or plain != path, root=root, jobs=jobs)
    except InputError as error:
        error.where = error.where or Place(str(path))
        raise


@contextmanager
def opened_layout(
    layout: Layout, image: Descriptor, room: Path, *, label: str, jobs: int
) -> Iterator[Opened]:
    """Read a container image; errors name where it came from."""
    try:
        with ExitStack() as stack:
            yield _without_disk(read_layout(layout, image, room, stack, jobs=jobs), room)
    except InputError as error:
        error.where = error.where or Place(label)
        raise


def _without_disk(archive: Archive, room: Path) -> Opened:
    """An archive has no disk: its image's disk has no bytes."""
    nothing = room / "nothing"
    nothing.touch()
    return Opened(
        archive.format, archive.contents, nothing, [], own=False, system=None, left_out=archive.left_out
    )


def _head(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(512)


def _unpacked(path: Path, room: Path, report: Callable[[str], None]) -> Path:
    """The file itself, or what is packed in it."""
    if not packing(_head(path)):
        return path
    report("unpacking")
    with path.open("rb") as stream:
        unpack(stream, path.stat().st_size, room / "unpacked")
    return room / "unpacked"


def _read_disk(raw: Raw, descriptor: int, *, own: bool, root: int | None, jobs: int) -> Opened:
    facts = os.fstat(descriptor)
    system = read_system(Area(descriptor, 0, facts.st_size), held=facts.st_blocks * 512, root=root)
    contents = contents_of(system.nodes.values(), jobs=jobs)
    return Opened(
        raw.format,
        contents,
        raw.path,
        runs_of(descriptor, contents),
        own=own,
        system=system,
        left_out=(),
    )
