"""What the blocks of a partition are for: free, journal, or the file system's own tables."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from goldsmith.disk.read.area import Area, malformed
from goldsmith.disk.read.ext4.inodes import Inodes
from goldsmith.disk.read.ext4.mapping import Blocks
from goldsmith.disk.read.ext4.superblock import (
    BIT64,
    META_BG,
    Superblock,
    descriptor_place,
    has_copy,
    read_superblock,
)
from goldsmith.model.leak import Where

JOURNAL = 0xE0
"""Where the superblock names the journal's inode."""
MOST_GROUPS = 1 << 19
"""Groups of a file system: 64 TiB in blocks of 4 KiB."""
BLOCK_UNINIT = 2
"""Of a group: its map of blocks was never written; only tables are taken."""
RESERVED = 0xCE
"""Where the superblock says how many blocks are kept behind the descriptors, for growth."""
WIDE = 64
"""Bytes of a descriptor from which on it has the high halves of its numbers."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What lies where on a disk, outside files; everything that is not listed is ``partition``."""

    starts: tuple[int, ...]
    """The first bytes of ranges of the disk, ascending."""
    ends: tuple[int, ...]
    """The bytes behind them."""
    kinds: tuple[Where, ...]
    """What they are."""

    def cut(self, start: int, length: int) -> Iterator[tuple[Where, int, int]]:
        """A range of the disk in parts of one kind: kind, first byte, length."""
        at, end = start, start + length
        index = max(0, bisect_right(self.starts, start) - 1)
        while at < end:
            while index < len(self.starts) and self.ends[index] <= at:
                index += 1
            if index == len(self.starts) or self.starts[index] >= end:
                yield Where.PARTITION, at, end - at
                return
            if self.starts[index] > at:
                yield Where.PARTITION, at, self.starts[index] - at
                at = self.starts[index]
            stop = min(end, self.ends[index])
            yield self.kinds[index], at, stop - at
            at = stop


def ground(ranges: list[tuple[int, int, Where]]) -> Ground:
    """The ground of ranges (first byte, length, kind) in any order, which do not overlap."""
    ordered = sorted(ranges)
    return Ground(
        tuple(start for start, _, _ in ordered),
        tuple(start + length for start, length, _ in ordered),
        tuple(kind for _, _, kind in ordered),
    )


def ext4_ranges(area: Area) -> list[tuple[int, int, Where]]:
    """The free blocks and the journal of an ext2, ext3 or ext4 file system, by their bytes on the disk.

    Raises:
        InputError: it is damaged, or has features that cannot be read.
    """
    facts = read_superblock(area)
    found = [
        (area.start + first * facts.block, count * facts.block, Where.FREE_BLOCK)
        for first, count in _free_runs(area, facts)
    ]
    number = int.from_bytes(area.read(1024 + JOURNAL, 4), "little")
    if number:
        inode = Inodes(area, facts).get(number)
        pieces = Blocks(area, facts).pieces(inode)
        found += [(piece.place, piece.length, Where.JOURNAL) for piece in pieces]
    return found


def _free_runs(area: Area, facts: Superblock) -> Iterator[tuple[int, int]]:
    """Runs of free blocks: the first one, and how many."""
    if facts.groups > MOST_GROUPS:
        raise malformed(f"it has {facts.groups} groups of {facts.group_blocks} blocks")
    rows = [area.read(descriptor_place(facts, group), facts.slot) for group in range(facts.groups)]
    tables = _tables(rows, facts)
    for group, row in enumerate(rows):
        first = facts.first_block + group * facts.group_blocks
        count = min(facts.group_blocks, facts.blocks - first)
        if int.from_bytes(row[18:20], "little") & BLOCK_UNINIT:
            taken = _taken_unwritten(area, facts, group, count)
        else:
            place = _number(row, facts, 0)
            taken = int.from_bytes(area.read(place * facts.block, facts.block), "little")
        for start, length in tables.get(group, ()):
            taken |= ((1 << length) - 1) << start
        yield from _zeros(taken, first, count)


def _zeros(taken: int, first: int, count: int) -> Iterator[tuple[int, int]]:
    """The runs of bits that are not set."""
    text = f"{taken & ((1 << count) - 1):0{count}b}"[::-1]
    at = text.find("0")
    while at >= 0:
        end = text.find("1", at)
        end = count if end < 0 else end
        yield first + at, end - at
        at = text.find("0", end)


def _tables(rows: list[bytes], facts: Superblock) -> dict[int, list[tuple[int, int]]]:
    """Where maps and inodes of all groups lie, by the group that they lie in: first block there, and how many."""
    inodes = -(-facts.group_inodes * facts.inode_size // facts.block)
    found: dict[int, list[tuple[int, int]]] = {}
    parts = 0
    for row in rows:
        for field, length in ((0, 1), (4, 1), (8, inodes)):
            at = _number(row, facts, field) - facts.first_block
            end = at + length
            if not 0 <= at < end <= facts.blocks:
                raise malformed("a table of a group lies beyond the end of the file system")
            while at < end:
                group, within = divmod(at, facts.group_blocks)
                part = min(end - at, facts.group_blocks - within)
                found.setdefault(group, []).append((within, part))
                at, parts = at + part, parts + 1
                if parts > MOST_GROUPS * 8:
                    raise malformed("its tables lie in too many groups")
    return found


def _taken_unwritten(area: Area, facts: Superblock, group: int, count: int) -> int:
    """The blocks of a group whose map was never written: copies of the superblock and of the descriptors."""
    copy = has_copy(facts, group)
    per_block = facts.block // facts.slot
    meta, place = divmod(group, per_block)
    if facts.incompat & META_BG and meta >= facts.first_meta_group:
        last = min(per_block, facts.groups - meta * per_block) - 1
        return (1 << (copy + (place in {0, 1, last}))) - 1
    if not copy:
        return 0
    descriptors = -(-facts.groups // per_block)
    reserved = int.from_bytes(area.read(1024 + RESERVED, 2), "little")
    return (1 << min(count, 1 + descriptors + reserved)) - 1


def _number(row: bytes, facts: Superblock, field: int) -> int:
    """A block's number in a descriptor."""
    number = int.from_bytes(row[field : field + 4], "little")
    if facts.incompat & BIT64 and facts.slot >= WIDE:
        number |= int.from_bytes(row[field + 0x20 : field + 0x24], "little") << 32
    return number
