"""qcow2 version 3 with zstd clusters; QEMU's ``docs/interop/qcow2.txt`` is the source of every number here.

The file is::

    header, padded to a cluster
    data: compressed clusters one behind the other, whole clusters where zstd gains nothing
    second-level tables, first-level table
    reference counts: blocks, table

Clusters are compressed each by itself, so the bytes do not depend on how many threads there are. They do depend on
the zstd library's version: a disk's identity is ``disk_digest``, never the digest of a qcow2 file.
"""

import os
import struct
import threading
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import zstandard

from goldsmith.disk.formats.source import Source
from goldsmith.effects.parallel import in_order
from goldsmith.effects.sparse import chunks

CLUSTER_BITS = 16
CLUSTER = 1 << CLUSTER_BITS
BATCH = 16
"""Clusters a thread takes at once: below, Python's own work for each shows."""
SECTOR = 512
VERSION = 3
HEADER_SIZE = 112
REFCOUNT_ORDER = 4
REFCOUNT_SIZE = (1 << REFCOUNT_ORDER) // 8
INCOMPATIBLE_COMPRESSION = 1 << 3
COMPRESSION_ZSTD = 1
COPIED = 1 << 63
COMPRESSED = 1 << 62
OFFSET_BITS = 62 - (CLUSTER_BITS - 8)
PER_TABLE = CLUSTER // 8
PER_REFCOUNT_BLOCK = CLUSTER // REFCOUNT_SIZE
ZERO = bytes(CLUSTER)


@dataclass(frozen=True, slots=True)
class Piece:
    """One cluster of the guest's disk, ready to be stored."""

    index: int
    """Its number on the disk."""
    data: bytes
    """Its bytes, compressed or not."""
    compressed: bool
    """Whether they are."""


def write_qcow2(source: Source, target: BinaryIO, *, jobs: int, level: int = 3) -> None:
    """Write the data, then the tables, then the header, which tells where they are.

    Args:
        source: the disk.
        target: an empty file.
        jobs: threads that compress.
        level: zstd's level, 1 to 19; above 3 each costs much time for little.
    """
    tables = Tables(source.size)
    target.write(bytes(CLUSTER))
    target.writelines(tables.place(piece) for piece in pieces(source.descriptor, jobs=jobs, level=level))
    position = -(-tables.end // CLUSTER) * CLUSTER
    target.write(bytes(position - tables.end))
    target.write(tables.finish(position))
    target.seek(0)
    target.write(tables.header())


def pieces(descriptor: int, *, jobs: int, level: int) -> Iterator[Piece]:
    """All clusters that are not zeros, in order."""
    local = threading.local()

    def compress(chunk: tuple[int, int]) -> list[Piece]:
        if not hasattr(local, "compressor"):
            local.compressor = zstandard.ZstdCompressor(level=level, write_content_size=False)
        start, end = chunk
        data = os.pread(descriptor, end - start, start)
        made = []
        for at in range(0, len(data), CLUSTER):
            cluster = data[at : at + CLUSTER].ljust(CLUSTER, b"\0")
            if cluster == ZERO:
                continue
            packed = local.compressor.compress(cluster)
            smaller = len(packed) < CLUSTER
            made.append(Piece((start + at) // CLUSTER, packed if smaller else cluster, smaller))
        return made

    for made in in_order(compress, chunks(descriptor, unit=CLUSTER * BATCH), jobs=jobs):
        yield from made


class Tables:
    """The tables of one qcow2 file, filled as its clusters are placed."""

    def __init__(self, size: int) -> None:
        self.size = size
        """The disk's size in bytes."""
        self.end = CLUSTER
        """The first byte of the file that is free."""
        self._level1_entries = max(1, -(-size // (CLUSTER * PER_TABLE)))
        self._level2: dict[int, array[int]] = {}
        self._counts: array[int] = array("H", [1])
        self._level1_at = self._refcounts_at = self._refcount_clusters = 0

    def place(self, piece: Piece) -> bytes:
        """Give a cluster the next place in the file; returns what to write there, with padding before it."""
        padding = 0 if piece.compressed else -self.end % CLUSTER
        at = self.end + padding
        self.end = at + len(piece.data)
        self._count(at, self.end)
        entry = COPIED | at
        if piece.compressed:
            # How many sectors the data touches beyond its first one.
            more = (self.end - 1) // SECTOR - at // SECTOR
            entry = COMPRESSED | more << OFFSET_BITS | at
        table, index = divmod(piece.index, PER_TABLE)
        if table not in self._level2:
            self._level2[table] = array("Q", bytes(CLUSTER))
        self._level2[table][index] = entry
        return bytes(padding) + piece.data

    def _count(self, start: int, end: int) -> None:
        """Count one more user of each cluster of the file between two bytes."""
        first, last = start // CLUSTER, (end - 1) // CLUSTER
        self._counts.extend([0] * (last + 1 - len(self._counts)))
        for cluster in range(first, last + 1):
            self._counts[cluster] += 1

    def finish(self, position: int) -> bytes:
        """All tables as they stand from ``position``, a cluster's begin, to the file's end."""
        start = position // CLUSTER
        level2 = sorted(self._level2)
        self._level1_at = position + len(level2) * CLUSTER
        level1 = array("Q", bytes(self._level1_entries * 8))
        for place, table in enumerate(level2):
            level1[table] = COPIED | position + place * CLUSTER
        body = b"".join(big_endian(self._level2[table]) for table in level2) + padded(big_endian(level1))
        before = start + len(body) // CLUSTER
        blocks, self._refcount_clusters = refcount_sizes(before)
        total = before + blocks + self._refcount_clusters
        self._counts.extend([1] * (total - len(self._counts)))
        self._refcounts_at = (before + blocks) * CLUSTER
        places = array("Q", [(before + block) * CLUSTER for block in range(blocks)])
        return body + padded(big_endian(self._counts)) + padded(big_endian(places))

    def header(self) -> bytes:
        """The header, once ``finish`` has decided where the tables are."""
        return struct.pack(
            ">4sIQIIQIIQQIIQQQQIIB7x",
            b"QFI\xfb",
            VERSION,
            0,
            0,
            CLUSTER_BITS,
            self.size,
            0,
            self._level1_entries,
            self._level1_at,
            self._refcounts_at,
            self._refcount_clusters,
            0,
            0,
            INCOMPATIBLE_COMPRESSION,
            0,
            0,
            REFCOUNT_ORDER,
            HEADER_SIZE,
            COMPRESSION_ZSTD,
        ) + bytes(8)


def refcount_sizes(before: int) -> tuple[int, int]:
    """Clusters for counts and for their table, which count themselves too, after ``before`` other clusters."""
    blocks = tables = 0
    while True:
        total = before + blocks + tables
        wanted = -(-total // PER_REFCOUNT_BLOCK)
        wanted_tables = -(-wanted * 8 // CLUSTER)
        if (wanted, wanted_tables) == (blocks, tables):
            return blocks, tables
        blocks, tables = wanted, wanted_tables


def big_endian(values: "array[int]") -> bytes:
    """The numbers as the format wants them."""
    swapped = array(values.typecode, values)
    swapped.byteswap()
    return swapped.tobytes()


def padded(data: bytes) -> bytes:
    """Filled up with zeros to a whole cluster."""
    return data.ljust(-(-len(data) // CLUSTER) * CLUSTER, b"\0")
