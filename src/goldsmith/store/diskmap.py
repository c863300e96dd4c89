"""Disk maps in the store: made from a finished disk, and turned into the same disk again."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import zstandard

from goldsmith.effects.files import free_bytes
from goldsmith.errors import IntegrityError, NoSpace
from goldsmith.model.disk import BLOCK
from goldsmith.model.diskmap import DiskMap, Run, Source, decode, encode
from goldsmith.model.oci import DISK_LITERALS, DISK_MAP, Descriptor
from goldsmith.model.packed import LEVELS
from goldsmith.model.tree import TreeEntry
from goldsmith.store.blobs import wrong
from goldsmith.store.layers import StoredLayer
from goldsmith.store.layout import Layout
from goldsmith.store.match import Content, Start, find_runs
from goldsmith.store.pack import Opener
from goldsmith.store.tree import TreeIndex, open_path, pieces

PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class StoredMap:
    """A disk map that is in the store."""

    map: DiskMap
    """The runs."""
    blob: Descriptor
    """The map."""
    literals: tuple[Descriptor, ...]
    """The bytes that come from no file, in the order of the disk; a blob for each area."""


def starts_of(entries: Mapping[str, TreeEntry], layers: Iterable[StoredLayer]) -> dict[str, list[Start]]:
    """By what the contents of a tree are recognised, as its layers know it."""
    found: dict[str, dict[Start, None]] = {}
    for layer in layers:
        for path, head in layer.heads.items():
            if path in entries:
                content = Content(entries[path].sha256, entries[path].size)
                found.setdefault(head.digest, {})[Start(content, head.block)] = None
    return {
        digest: sorted(starts, key=lambda start: (-start.content.size, start.content.sha256))
        for digest, starts in found.items()
    }


def store_map(
    layout: Layout,
    raw: Path,
    entries: Mapping[str, TreeEntry],
    layers: Iterable[StoredLayer],
    open_file: Opener,
    *,
    disk_digest: str,
    tree_digest: str,
    cuts: Sequence[int] = (),
    runs: Sequence[Run] | None = None,
) -> StoredMap:
    """Find a tree's files on the disk made from it; store the map and what comes from no file.

    Args:
        layout: the store, which must be ``used``.
        raw: the finished disk.
        entries: the tree by path.
        layers: the tree's layers.
        open_file: a path's bytes; called for the few files that do not lie in one piece.
        disk_digest: the disk's identity.
        tree_digest: the tree's.
        cuts: bytes of the disk where partitions begin whose literals are to be kept by themselves.
        runs: how the disk comes from the files, if whoever made it knows; else it is searched.

    Raises:
        NoSpace: the store's file system is full.
    """
    paths = {entry.sha256: path for path, entry in entries.items() if entry.kind == "file"}

    def open_content(sha256: str) -> BinaryIO:
        return open_file(paths[sha256])

    with raw.open("rb", buffering=0) as stream:
        if runs is None:
            runs = find_runs(stream.fileno(), starts_of(entries, layers), open_content)
        size = os.fstat(stream.fileno()).st_size
        found = DiskMap(
            size, disk_digest, tree_digest, tuple(runs), tuple(sorted({cut // BLOCK for cut in cuts}))
        )
        literals = tuple(store_literals(layout, stream.fileno(), area) for area in areas(found))
    return StoredMap(found, layout.blobs.put(encode(found, entries.values()), DISK_MAP), literals)


def store_literals(
    layout: Layout, disk: int, ranges: Iterable[tuple[int, int]], *, level: int = LEVELS[0], only: str = ""
) -> Descriptor:
    """Store the bytes of ranges of the disk, as one zstd stream; if it has the digest ``only``, where that is given."""
    packer = zstandard.ZstdCompressor(level=level, write_checksum=True).compressobj()
    with layout.blobs.growing(only) as blob:
        for at, length in cut_up(ranges):
            blob.write(packer.compress(os.pread(disk, length, at).ljust(length, b"\0")))
        blob.write(packer.flush())
    return Descriptor(DISK_LITERALS, blob.digest, blob.size)


def areas(found: DiskMap) -> list[list[tuple[int, int]]]:
    """Where literals lie on the disk, for each area: first byte and length, in whole blocks."""
    result: list[list[tuple[int, int]]] = [[]]
    cuts = [*found.cuts, 1 << 62]
    position = 0
    for run in found.runs:
        end = position + run.blocks
        while position < end:
            while position >= cuts[len(result) - 1]:
                result.append([])
            part = min(end, cuts[len(result) - 1])
            if run.source is Source.LITERAL:
                result[-1].append((position * BLOCK, (part - position) * BLOCK))
            position = part
    return result + [[]] * (len(cuts) - len(result))


def cut_up(ranges: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The same ranges in pieces that fit into memory."""
    for start, length in ranges:
        for at in range(start, start + length, PIECE):
            yield at, min(PIECE, start + length - at)


def read_map(layout: Layout, digest: str, index: TreeIndex) -> DiskMap:
    """An image's disk map, verified.

    Raises:
        IntegrityError: it is missing or damaged, or does not belong to this tree.
    """
    try:
        return decode(layout.blobs.read(digest), index.entries)
    except ValueError as error:
        raise wrong(digest, f"it is no disk map of this tree ({error})") from error


def rebuild(
    layout: Layout,
    found: DiskMap,
    literals: Sequence[str],
    index: TreeIndex,
    output: Path,
    *,
    digest: Callable[[Path], str],
    jobs: int = 2,
) -> None:
    """Make the raw disk from its tree and its map; holes are holes. On any error there is no output.

    Args:
        layout: the store.
        found: the disk's map.
        literals: digests of its literals, one for each area.
        index: the tree.
        output: the file to make; what lies there is replaced.
        digest: how a disk's identity is computed (``disk.digest.disk_digest``, which lies above the store).
        jobs: how many threads unpack.

    Raises:
        IntegrityError: the result is not the disk that the map was made of, or the store is damaged.
        NoSpace: the disk does not fit.
    """
    needed = BLOCK * sum(run.blocks for run in found.runs if run.source is not Source.ZERO)
    if needed > free_bytes(output.parent):
        raise NoSpace(
            f"the disk needs {needed >> 20} MiB in {output.parent}, and {free_bytes(output.parent) >> 20} MiB are free",
            hint="free some space, or write it elsewhere",
        )
    try:
        with output.open("wb", buffering=0) as stream:
            os.truncate(stream.fileno(), found.size)
            for digest_of_area, area in zip(literals, areas(found), strict=True):
                write_literals(layout, digest_of_area, area, stream.fileno(), found.size)
            write_files(layout, found, index, stream.fileno(), jobs=jobs)
        compare(output, digest(output), found)
    except BaseException:
        with suppress(OSError):
            output.unlink()
        raise


def read_start(
    layout: Layout, found: DiskMap, literals: Sequence[str], index: TreeIndex, length: int
) -> bytes:
    """The first bytes of a disk, without making it; ``literals`` are digests, one for each area.

    Raises:
        IntegrityError: the store is damaged.
    """
    blocks = -(-min(length, found.size) // BLOCK)
    result = bytearray(blocks * BLOCK)
    for digest, ranges in zip(literals, areas(found), strict=True):
        wanted = [(at, min(size, blocks * BLOCK - at)) for at, size in ranges if at < blocks * BLOCK]
        if wanted:
            for at, data in literal_pieces(layout, digest, wanted):
                result[at : at + len(data)] = data
    paths = {index.entries[path].sha256: path for path in index.places}
    position = 0
    for run in found.runs:
        if position >= blocks:
            break
        if run.source is Source.FILE:
            with open_path(layout, index, paths[run.sha256]) as stream:
                stream.seek(run.first * BLOCK)
                data = stream.read(min(run.blocks, blocks - position) * BLOCK)
            result[position * BLOCK : position * BLOCK + len(data)] = data
        position += run.blocks
    return bytes(result[: min(length, found.size)])


def compare(output: Path, named: str, found: DiskMap) -> None:
    """Refuse a rebuilt disk that is another than the one its map was made of."""
    if named != found.disk_digest:
        raise IntegrityError(
            f"the disk rebuilt at {output} has the digest {named} instead of {found.disk_digest}",
            hint="goldsmith store check --read tells what is damaged; fetch the image again or build it again",
        )


def write_literals(
    layout: Layout, literals: str, ranges: Iterable[tuple[int, int]], disk: int, size: int
) -> None:
    """Write what comes from no file."""
    for at, data in literal_pieces(layout, literals, ranges):
        place(disk, data, at, size)


def literal_pieces(
    layout: Layout, literals: str, ranges: Iterable[tuple[int, int]]
) -> Iterator[tuple[int, bytes]]:
    """An area's literals piece by piece, with their places on the disk; ``ranges`` are its first ones, or all.

    Raises:
        IntegrityError: the object is missing or damaged.
    """
    with layout.blobs.open(literals) as stream:
        source = zstandard.ZstdDecompressor().stream_reader(stream)
        try:
            for at, length in cut_up(ranges):
                data = source.read(length)
                if len(data) < length:
                    raise wrong(literals, "it holds fewer literals than the disk map needs")
                yield at, data
        except zstandard.ZstdError as error:
            raise wrong(literals, f"it cannot be unpacked ({error})") from error


def write_files(layout: Layout, found: DiskMap, index: TreeIndex, disk: int, *, jobs: int) -> None:
    """Write the blocks that come from files, in the order in which the files lie in the layers."""
    where: dict[str, list[tuple[int, Run]]] = {}
    position = 0
    for run in found.runs:
        if run.source is Source.FILE:
            where.setdefault(run.sha256, []).append((position * BLOCK, run))
        position += run.blocks
    paths = {index.entries[path].sha256: path for path in index.places}
    absent = next((sha256 for sha256 in where if sha256 not in paths), None)
    if absent is not None:
        raise IntegrityError(
            f"the tree does not say where the content {absent} lies, which the disk map needs",
            hint="fetch the image again or build it again",
        )
    for piece in pieces(layout, index, [paths[sha256] for sha256 in where], jobs=jobs):
        end = piece.start + len(piece.data)
        for at, run in where[index.entries[piece.path].sha256]:
            low = max(piece.start, run.first * BLOCK)
            high = min(end, (run.first + run.blocks) * BLOCK)
            if low < high:
                place(
                    disk,
                    piece.data[low - piece.start : high - piece.start],
                    at + low - run.first * BLOCK,
                    found.size,
                )


def place(disk: int, data: bytes | memoryview, at: int, size: int) -> None:
    """Write bytes at a place of the disk; what would lie behind its end is zeros and left out."""
    view = memoryview(data)[: max(0, size - at)]
    while view:
        written = os.pwrite(disk, view, at)
        view, at = view[written:], at + written
