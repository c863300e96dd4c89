"""What others have made as a subject: a disk, read without mounting and then every other byte as it lies, or an archive."""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from goldsmith.assay.leaks.chunks import Chunk
from goldsmith.assay.leaks.disks import PIECE, ZERO, Loose, data_ranges, loose, outside
from goldsmith.assay.leaks.listed import ListedTree
from goldsmith.assay.leaks.subject import Subject
from goldsmith.disk.adopt.archive import Archive, read_archive
from goldsmith.disk.adopt.unpack import packing, unpack
from goldsmith.disk.read.area import HINT, Area
from goldsmith.disk.read.containers import Raw, raw_of
from goldsmith.disk.read.node import Body, Node
from goldsmith.disk.read.system import (
    NO_FILES,
    READERS,
    FileSystem,
    is_system,
    read_file_systems,
    read_system,
)
from goldsmith.disk.read.tar import looks_like_tar
from goldsmith.effects.claims import claimed
from goldsmith.errors import InputError, Place
from goldsmith.model.leak import Where
from goldsmith.model.tree import TreeEntry
from goldsmith.store.home import Home

File = tuple[str, Body, str]
"""A file's path, its bytes, and the partition it is in where that is not the system's."""


@contextmanager
def foreign_subject(path: Path, home: Home, *, jobs: int = 2) -> Iterator[Subject]:
    """A disk or an archive in any format that is known.

    Raises:
        InputError: the file is damaged, cut off, or no image.
        NoSpace: the raw disk does not fit into the data directory.
        MissingTool: there is no qemu-img.
    """
    try:
        with claimed(home / "work") as room, ExitStack() as stack:
            plain = _unpacked(path, room)
            if looks_like_tar(_head(plain)):
                yield _archive(read_archive(plain, room, stack, jobs=jobs), plain, stack)
                return
            raw = raw_of(plain, room, home)
            subject = disk_subject(stack.enter_context(raw.path.open("rb", buffering=0)).fileno())
            yield _without_snapshots(subject, raw)
    except InputError as error:
        error.where = error.where or Place(str(path))
        raise


def _head(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(512)


def _unpacked(path: Path, room: Path) -> Path:
    """The file itself, or what is packed in it."""
    if not packing(_head(path)):
        return path
    with path.open("rb") as stream:
        unpack(stream, path.stat().st_size, room / "unpacked")
    return room / "unpacked"


def _without_snapshots(subject: Subject, raw: Raw) -> Subject:
    """The disk as it is now; what its file keeps of earlier days is somebody else's clean bill."""
    if not raw.snapshots:
        return subject
    names = ", ".join(raw.snapshots)
    note = f"its file keeps earlier states of the disk ({names:.200}), and only the present one was searched"
    return replace(subject, is_whole=False, notes=[*subject.notes, note])


def _archive(archive: Archive, plain: Path, stack: ExitStack) -> Subject:
    """The files of an archive, also those that it no longer shows; there is no disk with other bytes."""
    contents = archive.contents
    seen: set[str] = set()
    files: list[File] = []
    for path, body in contents.bodies.items():
        link = contents.entries[path].link
        if not link or link not in seen:
            seen.add(link)
            files.append((path, body, ""))
    tree = ListedTree(
        contents.entries,
        lambda path, limit: contents.bodies[path].read(0, min(contents.bodies[path].size, limit)),
    )
    covered = list(_covered(archive))
    notes = []
    if covered:
        notes.append(f"{len(covered)} files that later layers replace or remove are in the archive still")
    shown = _file_chunks(sorted(files, key=_place))
    return Subject(tree, chain(shown, _file_chunks(covered), _texts(archive, plain, stack)), notes=notes)


def _covered(archive: Archive) -> Iterator[File]:
    """What is in the archive and not in its tree, each file once."""
    seen = {
        (body.descriptor, piece.place) for body in archive.contents.bodies.values() for piece in body.pieces
    }
    for layer, node in archive.covered:
        body = node.body
        if body is None or (body.descriptor, body.pieces[0].place) in seen:
            continue
        seen.add((body.descriptor, body.pieces[0].place))
        by = f"layer {layer}" if archive.texts else "a later member"
        yield node.path, body, f"covered by {by}"


def _texts(archive: Archive, plain: Path, stack: ExitStack) -> Iterator[Chunk]:
    """The manifests and configurations of an OCI archive: variables, labels and commands of its making."""
    stream = stack.enter_context(plain.open("rb"))
    for text in archive.texts:
        stream.seek(text.place)
        yield Chunk(Where.PARTITION, "", text.place, stream.read(text.length))


@dataclass(frozen=True, slots=True)
class _Readable:
    """What can be read of a disk by names."""

    root: Mapping[str, Node]
    """The tree of its system; empty if there is none."""
    beside: tuple[FileSystem, ...]
    """Partitions that are no part of that."""
    notes: tuple[str, ...] = ()
    """What cannot be looked at."""


def disk_subject(descriptor: int) -> Subject:
    """An open raw disk.

    Raises:
        InputError: it is damaged, or no disk.
    """
    facts = os.fstat(descriptor)
    rest = loose(descriptor, facts.st_size)
    found = _readable(Area(descriptor, 0, facts.st_size), facts.st_blocks * 512)
    rest.notes += found.notes
    files = list(_files(found))
    rest.ranges += [(*spare, Where.FREE_BLOCK) for _, body, _ in files for spare in _spare(body)]
    data = data_ranges(descriptor, facts.st_size)
    ranges = outside(data, (place for _, body, _ in files for place in _places(body)))
    return Subject(
        _tree(found.root),
        _chunks(files, rest, ranges),
        notes=rest.notes,
        remains=rest.remains,
        is_whole=not found.notes,
        others=tuple((_name(other), _tree(other.nodes)) for other in found.beside if other.nodes),
    )


def _tree(nodes: Mapping[str, Node]) -> ListedTree:
    return ListedTree(
        {path: _entry(node) for path, node in nodes.items()}, lambda path, limit: _read(nodes, path, limit)
    )


def _name(system: FileSystem) -> str:
    return f"partition {system.part.number}" if system.part.number else "the disk"


def _readable(disk: Area, held: int) -> _Readable:
    """The system on a disk and what lies beside it; of a disk with several systems or none, what each partition holds.

    Raises:
        InputError: the disk is damaged, or there is nothing on it that is known.
    """
    try:
        system = read_system(disk, held=held)
    except InputError as error:
        if error.hint == HINT:
            raise
        _, found = read_file_systems(disk, held=held)
        if all(not part.kind for part in found):
            raise InputError(
                "it is no image: there is no file system on it that is known",
                hint="name a disk (raw, qcow2, vmdk, vhd, vhdx, vdi), the tar of a root, or an OCI archive",
            ) from error
        systems = [part for part in found if is_system(part)]
        # The one system mounts what cannot be read.
        notes = (error.message,) if len(systems) == 1 else ()
        first = systems[0] if systems else None
        beside = tuple(part for part in found if part is not first)
        root = {path: node for path, node in first.nodes.items() if path != "/"} if first else {}
        return _Readable(root, beside, (*notes, *_closed(found)))
    grafted = {system.root.part.number, *(number for _, number in system.mounted)}
    beside = tuple(part for part in system.file_systems if part.part.number not in grafted)
    return _Readable(system.nodes, beside, tuple(_closed(system.file_systems)))


def _closed(found: Iterable[FileSystem]) -> Iterator[str]:
    """What must be said of partitions whose files cannot be looked at."""
    for other in found:
        if other.kind not in {*READERS, *NO_FILES}:
            yield f"{_name(other)} holds {other.kind}: no file in it was looked at by its name, only its bytes as they lie"


def _files(found: _Readable) -> Iterator[File]:
    """Every file once, in the order in which they lie on the disk."""
    listed = [(node, "") for node in found.root.values()]
    listed += [(node, _name(other)) for other in found.beside for node in other.nodes.values()]
    seen: set[tuple[str, str]] = set()
    files: list[File] = []
    for node, partition in listed:
        if node.body is None or (node.link and (partition, node.link) in seen):
            continue
        seen.add((partition, node.link))
        files.append((node.path, node.body, partition))
    return iter(sorted(files, key=_place))


def _place(file: File) -> int:
    """Where on the disk a file begins."""
    return file[1].pieces[0].place if file[1].pieces else 0


def _places(body: Body) -> Iterator[tuple[int, int]]:
    """Where on the disk a file's bytes lie."""
    for piece in body.pieces:
        length = min(piece.length, body.size - piece.at)
        if length > 0:
            yield piece.place, length


def _spare(body: Body) -> Iterator[tuple[int, int]]:
    """What lies behind a file's end in blocks that it holds."""
    for piece in body.pieces:
        used = max(0, min(piece.length, body.size - piece.at))
        if used < piece.length:
            yield piece.place + used, piece.length - used


def _chunks(files: Iterable[File], rest: Loose, ranges: Iterable[tuple[int, int]]) -> Iterator[Chunk]:
    yield from _file_chunks(files)
    yield from rest.chunks(ranges)


def _file_chunks(files: Iterable[File]) -> Iterator[Chunk]:
    for path, body, partition in files:
        if body.inline is not None:
            yield Chunk(Where.FILE, path, 0, body.inline[: body.size], partition)
        for piece in body.pieces:
            for at in range(piece.at, min(piece.at + piece.length, body.size), PIECE):
                data = body.read(at, min(PIECE, piece.at + piece.length - at))
                if data != ZERO[: len(data)]:
                    yield Chunk(Where.FILE, path, at, data, partition)


def _read(nodes: Mapping[str, Node], path: str, limit: int) -> bytes:
    body = nodes[path].body
    return body.read(0, min(body.size, limit)) if body is not None else b""


def _entry(node: Node) -> TreeEntry:
    size = node.body.size if node.body is not None else 0
    return TreeEntry(
        node.path, node.kind, node.mode, node.uid, node.gid, node.mtime, size, "", node.target, node.xattrs
    )
