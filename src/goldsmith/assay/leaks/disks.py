"""The bytes of a disk that belong to no file."""

import errno
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from goldsmith.assay.leaks.blocks import ext4_ranges, ground
from goldsmith.assay.leaks.chunks import Chunk
from goldsmith.assay.leaks.masking import masked_line
from goldsmith.disk.read.area import Area
from goldsmith.disk.read.fat.walk import Fat
from goldsmith.disk.read.kinds import kind_of
from goldsmith.disk.read.limits import Tally
from goldsmith.disk.read.tables import Part, partitions
from goldsmith.errors import InputError
from goldsmith.model.leak import Leak, Where

PIECE = 1 << 20
ZERO = bytes(PIECE)
BLOCK = 4096
SEED = "/loader/random-seed"
"""systemd-boot's, on the ESP."""
REMAINS = {Where.FREE_BLOCK: "deleted-data", Where.JOURNAL: "old-journal"}
"""What data in places that should be empty is called."""


@dataclass(slots=True)
class _Remain:
    """Data where none should be, in one partition."""

    first: int
    """Where on the disk it begins."""
    sample: bytes
    """Its first block."""
    blocks: int = 0


@dataclass(slots=True)
class Loose:
    """What of a disk belongs to no file: in chunks, with a count of what should be empty and is not."""

    descriptor: int
    """The open raw disk."""
    parts: tuple[Part, ...]
    """Its partitions."""
    ranges: list[tuple[int, int, Where]]
    """What lies where, by first byte and length; all else is ``partition``."""
    heads: frozenset[int]
    """The first blocks of journals, which are not empty in a new file system either."""
    notes: list[str]
    """What could not be read."""
    seeds: tuple[Leak, ...] = ()
    """Random seeds of boot loaders, which lie on partitions that the system does not always mount."""
    found: dict[tuple[int, Where], _Remain] = field(default_factory=dict)

    def chunks(self, ranges: Iterable[tuple[int, int]]) -> Iterator[Chunk]:
        """The bytes of ranges (first byte, length) of the disk that are not zeros."""
        places = ground(self.ranges)
        for start, length in ranges:
            for where, first, count in places.cut(start, length):
                for at in range(first, first + count, PIECE):
                    data = os.pread(self.descriptor, min(PIECE, first + count - at), at)
                    if data != ZERO[: len(data)]:
                        self._note(where, at, data)
                        yield Chunk(where, "", at, data)

    def _note(self, where: Where, at: int, data: bytes) -> None:
        for start in range(0, len(data) if where in REMAINS else 0, BLOCK):
            block = data[start : start + BLOCK]
            if at + start not in self.heads and block != ZERO[: len(block)]:
                first = at + start + len(block) - len(block.lstrip(b"\0"))
                row = self.found.setdefault((self._number(first), where), _Remain(first, block))
                row.blocks += 1

    def _number(self, at: int) -> int:
        return next((part.number for part in self.parts if part.start <= at < part.start + part.size), 0)

    def remains(self) -> Iterator[Leak]:
        """What should be empty and is not, by partition and kind, and seeds; once all chunks have passed."""
        yield from self.seeds
        for (number, where), row in self.found.items():
            text = f"{row.blocks} blocks are not empty; the first: {masked_line(row.sample)}"
            name = f"partition {number}" if number else ""
            yield Leak("", row.first, REMAINS[where], "remains", where, text, name)


def loose(descriptor: int, size: int) -> Loose:
    """Find out what lies where on a raw disk.

    Raises:
        InputError: its partition table is damaged.
    """
    disk = Area(descriptor, 0, size)
    _, parts = partitions(disk)
    ranges: list[tuple[int, int, Where]] = []
    heads: set[int] = set()
    notes: list[str] = []
    seeds: list[Leak] = []
    for part in parts:
        area = disk.part(part.start, part.size)
        kind = kind_of(area)
        try:
            own = ext4_ranges(area) if kind == "ext4" else []
            seeds += _seeds(area, part) if kind == "vfat" else ()
        except InputError as error:
            notes.append(f"partition {part.number}: it cannot be read as {kind}: {error.message}")
            continue
        ranges += own
        heads |= {min((start for start, _, where in own if where is Where.JOURNAL), default=-1)}
    return Loose(descriptor, parts, ranges, frozenset(heads), notes, tuple(seeds))


def _seeds(area: Area, part: Part) -> Iterator[Leak]:
    for node in Fat(area, Tally(held=area.size)).walk():
        if node.path.casefold() == SEED and node.body is not None and node.body.size:
            excerpt = masked_line(node.body.read(0, BLOCK))
            name = f"partition {part.number}"
            yield Leak(node.path, 0, "random-seed", "trace", Where.FILE, excerpt, name)


def outside(data: Iterable[tuple[int, int]], files: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Ranges of a disk that have data, without those of files; all as first byte and length, in any order."""
    taken = sorted(files)
    index = 0
    for start, length in sorted(data):
        at, end = start, start + length
        while index < len(taken) and taken[index][0] + taken[index][1] <= at:
            index += 1
        look = index
        while at < end:
            if look == len(taken) or taken[look][0] >= end:
                yield at, end - at
                break
            first, count = taken[look]
            if first > at:
                yield at, first - at
            at = max(at, first + count)
            look += 1


def data_ranges(descriptor: int, size: int) -> Iterator[tuple[int, int]]:
    """The ranges of a file that are no holes."""
    at = 0
    while at < size:
        try:
            start = os.lseek(descriptor, at, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:  # a file system that does not tell its holes
                yield at, size - at
            return  # nothing but a hole is left
        end = os.lseek(descriptor, start, os.SEEK_HOLE)
        yield start, end - start
        at = end
