"""A directory that holds a root file system as a subject; there is no disk with other bytes."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from goldsmith.assay.leaks.chunks import Chunk
from goldsmith.assay.leaks.disks import PIECE, ZERO, data_ranges
from goldsmith.assay.leaks.listed import KINDS, ListedTree
from goldsmith.assay.leaks.subject import Subject
from goldsmith.effects.root import Root
from goldsmith.errors import Unavailable, UsageError
from goldsmith.model.leak import Where
from goldsmith.model.tree import TreeEntry

NAMES = {mode: kind for kind, mode in KINDS.items() if kind != "device"}
MARKS = ("/etc", "/usr")


@contextmanager
def directory_subject(path: Path) -> Iterator[Subject]:
    """A root file system in a directory; nothing outside it is looked at, whatever its links say.

    Raises:
        UsageError: it holds no system.
        Unavailable: this user may not read all of it.
    """
    with Root(path) as root:
        if not any(root.is_dir(mark) for mark in MARKS):
            raise UsageError(
                f"{str(path)!r} is a directory without a system: it has no /etc and no /usr",
                hint="name the root of a tree, a disk's file or an archive",
            )
        try:
            entries = dict(_entries(root))
        except PermissionError as error:
            raise _closed(str(error.filename)) from error
        yield Subject(
            ListedTree(entries, lambda path, limit: _read(root, path, limit)), _chunks(root, entries)
        )


def _read(root: Root, path: str, limit: int) -> bytes:
    with root.opened(path, os.O_RDONLY) as descriptor, open(descriptor, "rb", closefd=False) as stream:
        return stream.read(limit)


def _entries(root: Root) -> Iterator[tuple[str, TreeEntry]]:
    for path, facts in root.walk():
        kind = NAMES[stat.S_IFMT(facts.st_mode)]
        link = f"{facts.st_dev}:{facts.st_ino}" if kind == "file" and facts.st_nlink > 1 else ""
        yield (
            path,
            TreeEntry(
                path,
                kind,
                stat.S_IMODE(facts.st_mode),
                facts.st_uid,
                facts.st_gid,
                int(facts.st_mtime),
                facts.st_size if kind == "file" else 0,
                target=root.readlink(path) if kind == "symlink" else "",
                link=link,
            ),
        )


def _chunks(root: Root, entries: dict[str, TreeEntry]) -> Iterator[Chunk]:
    seen: set[str] = set()
    for path, entry in entries.items():
        if entry.kind != "file" or (entry.link and entry.link in seen):
            continue
        seen.add(entry.link)
        try:
            with root.opened(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK) as descriptor:
                for start, length in data_ranges(descriptor, entry.size):
                    for at in range(start, start + length, PIECE):
                        data = os.pread(descriptor, min(PIECE, start + length - at), at)
                        if data != ZERO[: len(data)]:
                            yield Chunk(Where.FILE, path, at, data)
        except PermissionError as error:
            raise _closed(path) from error


def _closed(path: str) -> Unavailable:
    return Unavailable(
        f"{path!r} in the tree may not be read by this user",
        hint="run as root, or name an archive of the tree",
    )
