"""Disk maps in the store: made from a finished disk, and turned into the same disk again."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
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
from goldsmith.model.tree import TreeEntry
from goldsmith.store.blobs import wrong
from goldsmith.store.layers import StoredLayer
from goldsmith.store.layout import Layout
from goldsmith.store.match import Content, Start, find_runs
from goldsmith.store.pack import Opener
from goldsmith.store.tree import TreeIndex, pieces

PIECE = 1 << 20
LEVEL = 3


@dataclass(frozen=True, slots=True)
class StoredMap:
    """A disk map that is in the store."""

    map: DiskMap
    """The runs."""
    blob: Descriptor
    """The map."""
    literals: Descriptor
    """The bytes that come from no file, in the order of the disk."""


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
) -> StoredMap:
    """Find a tree's files on the disk made from it; store the map and what comes from no file.

    Raises:
        NoSpace: the store's file system is full.
    """
    paths = {entry.sha256: path for path, entry in entries.items() if entry.kind == "file"}

    def open_content(sha256: str) -> BinaryIO:
        return open_file(paths[sha256])

    with raw.open("rb", buffering=0) as stream:
        runs = find_runs(stream.fileno(), starts_of(entries, layers), open_content)
        size = os.fstat(stream.fileno()).st_size
        literals = store_literals(layout, stream.fileno(), runs)
    found = DiskMap(size, disk_digest, tree_digest, tuple(runs))
    return StoredMap(found, layout.blobs.put(encode(found, entries.values()), DISK_MAP), literals)


def store_literals(layout: Layout, disk: int, runs: Iterable[Run]) -> Descriptor:
    """Store the bytes that come from no file, as one zstd stream."""
    packer = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True).compressobj()
    with layout.blobs.growing() as blob:
        for start, length in literal_ranges(runs):
            for at in range(start, start + length, PIECE):
                data = os.pread(disk, min(PIECE, start + length - at), at)
                blob.write(packer.compress(data.ljust(min(PIECE, start + length - at), b"\0")))
        blob.write(packer.flush())
    return Descriptor(DISK_LITERALS, blob.digest, blob.size)


def literal_ranges(runs: Iterable[Run]) -> Iterator[tuple[int, int]]:
    """Where literals lie on the disk: first byte and length, in whole blocks."""
    position = 0
    for run in runs:
        if run.source is Source.LITERAL:
            yield position * BLOCK, run.blocks * BLOCK
        position += run.blocks


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
    literals: str,
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
        literals: digest of its literals.
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
            write_literals(layout, literals, found, stream.fileno())
            write_files(layout, found, index, stream.fileno(), jobs=jobs)
        compare(output, digest(output), found)
    except BaseException:
        with suppress(OSError):
            output.unlink()
        raise


def compare(output: Path, named: str, found: DiskMap) -> None:
    """Refuse a rebuilt disk that is another than the one its map was made of."""
    if named != found.disk_digest:
        raise IntegrityError(
            f"the disk rebuilt at {output} has the digest {named} instead of {found.disk_digest}",
            hint="goldsmith store check --read tells what is damaged; fetch the image again or build it again",
        )


def write_literals(layout: Layout, literals: str, found: DiskMap, disk: int) -> None:
    """Write what comes from no file."""
    with layout.blobs.open(literals) as stream:
        source = zstandard.ZstdDecompressor().stream_reader(stream)
        try:
            for start, length in literal_ranges(found.runs):
                for at in range(start, start + length, PIECE):
                    data = source.read(min(PIECE, start + length - at))
                    if len(data) < min(PIECE, start + length - at):
                        raise wrong(literals, "it holds fewer literals than the disk map needs")
                    place(disk, data, at, found.size)
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
