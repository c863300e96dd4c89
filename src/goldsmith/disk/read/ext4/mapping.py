"""Where the blocks of an inode lie: extents, or ext2's tables of blocks."""

import struct
from collections.abc import Iterator

from goldsmith.disk.read.area import Area, malformed, refused
from goldsmith.disk.read.ext4.inodes import EXTENTS, INLINE, Inode
from goldsmith.disk.read.ext4.superblock import Superblock
from goldsmith.disk.read.node import Piece

HEAD = struct.Struct("<HHHHI")
LEAF = struct.Struct("<IHHI")
BRANCH = struct.Struct("<IIHH")
MAGIC = 0xF30A
DEEPEST = 5
UNWRITTEN = 32768
DIRECT = 12
MOST = 1 << 20
"""Pieces of one file, at most."""


class Blocks:
    """Finds blocks on one file system."""

    def __init__(self, area: Area, superblock: Superblock) -> None:
        self.area = area
        self.superblock = superblock
        self.size = superblock.block

    def read(self, block: int, count: int = 1) -> bytes:
        """The bytes of blocks.

        Raises:
            InputError: there are no such blocks.
        """
        if not 0 < block <= self.superblock.blocks - count:
            raise malformed(f"block {block} is named, and there are {self.superblock.blocks}")
        return self.area.read(block * self.size, count * self.size)

    def pieces(self, inode: Inode) -> tuple[Piece, ...]:
        """Where an inode's bytes lie on the disk; what is in no piece is zeros.

        Raises:
            InputError: its tables are damaged.
        """
        if inode.flags & INLINE or not inode.size:
            return ()
        runs = self._extents(inode) if inode.flags & EXTENTS else self._table(inode)
        found: list[Piece] = []
        begin, size, blocks = self.area.start, self.size, self.superblock.blocks
        end_of_file = -(-inode.size // size)
        for logical, block, count in runs:
            if not 0 < block <= blocks - count:
                raise malformed(
                    f"inode {inode.number} has the blocks {block} to {block + count}, beyond the end"
                )
            if logical >= end_of_file:
                continue  # preallocated behind the file's end
            if found:
                last = found[-1]
                at, place = logical * size, begin + block * size
                if last.at + last.length == at and last.place + last.length == place:
                    found[-1] = Piece(last.at, last.place, last.length + count * size)
                    continue
            found.append(Piece(logical * size, begin + block * size, count * size))
            if len(found) > MOST:
                raise refused(
                    f"inode {inode.number} lies in more than {MOST} pieces", "copy its file, or leave it out"
                )
        return tuple(found)

    def _extents(self, inode: Inode) -> Iterator[tuple[int, int, int]]:
        """First block in the file, first on the disk, count; in order, without overlaps."""
        end = 0
        for logical, block, count in self._nodes(inode.number, inode.block, DEEPEST + 1):
            if logical < end:
                raise malformed(f"the extents of inode {inode.number} overlap")
            end = logical + count % UNWRITTEN
            if count <= UNWRITTEN:
                end = logical + count
                yield logical, block, count

    def _nodes(self, number: int, data: bytes, above: int) -> Iterator[tuple[int, int, int]]:
        magic, entries, most, depth, _ = HEAD.unpack_from(data)
        if magic != MAGIC or entries > most or depth >= above or HEAD.size + 12 * entries > len(data):
            raise malformed(f"the extents of inode {number} are damaged")
        if depth == 0:
            for logical, count, high, low in LEAF.iter_unpack(data[HEAD.size : HEAD.size + 12 * entries]):
                if not count:
                    raise malformed(f"an extent of inode {number} is empty")
                yield logical, high << 32 | low, count
            return
        before = -1
        for logical, low, high, _ in BRANCH.iter_unpack(data[HEAD.size : HEAD.size + 12 * entries]):
            if logical <= before:
                raise malformed(f"the extents of inode {number} are out of order")
            before = logical
            yield from self._nodes(number, self.read(high << 32 | low), depth)

    def _table(self, inode: Inode) -> Iterator[tuple[int, int, int]]:
        """As ``_extents``, from ext2's tables."""
        numbers = struct.unpack("<15I", inode.block)
        budget = [self.superblock.blocks]
        for logical, block in enumerate(numbers[:DIRECT]):
            if block:
                yield logical, block, 1
        logical = DIRECT
        last = -(-inode.size // self.size)
        for level, block in enumerate(numbers[DIRECT:], start=1):
            if logical >= last:
                return
            if block:
                yield from self._indirect(inode.number, block, level, logical, last, budget)
            logical += (self.size // 4) ** level

    def _indirect(
        self, number: int, block: int, level: int, logical: int, last: int, budget: list[int]
    ) -> Iterator[tuple[int, int, int]]:
        data = self.read(block)
        width = (self.size // 4) ** (level - 1)
        budget[0] -= 1
        if budget[0] < 0:
            raise malformed(f"inode {number} has more blocks than the file system")
        for at, child in enumerate(struct.unpack(f"<{self.size // 4}I", data)):
            here = logical + at * width
            if here >= last:
                return
            if not child:
                continue
            if level > 1:
                yield from self._indirect(number, child, level - 1, here, last, budget)
            else:
                budget[0] -= 1
                yield here, child, 1
