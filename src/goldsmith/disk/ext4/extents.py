"""Extents: where the blocks of one file lie, as an inode tells it."""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from goldsmith.disk.ext4.checksum import crc
from goldsmith.model.disk import BLOCK

MAGIC = 0xF30A
LONGEST = 32768
"""Blocks of one extent that holds data."""
IN_INODE = 4
IN_BLOCK = (BLOCK - 16) // 12
HEADER = struct.Struct("<HHHHI")
LEAF = struct.Struct("<IHHI")
NODE = struct.Struct("<IIHH")


@dataclass(frozen=True, slots=True)
class Extent:
    """Blocks of a file that lie one behind the other."""

    logical: int
    """The first one's number in the file."""
    physical: int
    """Its place in the file system."""
    length: int
    """How many, at most ``LONGEST``."""


def tree_blocks(count: int) -> int:
    """Blocks that the extents of a file need outside its inode."""
    total = 0
    while count > IN_INODE:
        count = -(-count // IN_BLOCK)
        total += count
    return total


def extent_tree(
    extents: Sequence[Extent], take: Callable[[], int], seed: int
) -> tuple[bytes, dict[int, bytes]]:
    """The 60 bytes of an inode that tell where its blocks lie, and the blocks of the tree below them.

    Args:
        extents: by their place in the file.
        take: gives a free block for each block of the tree; called ``tree_blocks`` times.
        seed: from where this inode's checksums start.
    """
    rows = [LEAF.pack(e.logical, e.length, e.physical >> 32, e.physical & 0xFFFF_FFFF) for e in extents]
    firsts = [e.logical for e in extents]
    blocks: dict[int, bytes] = {}
    depth = 0
    while len(rows) > IN_INODE:
        above, starts = [], []
        for at in range(0, len(rows), IN_BLOCK):
            part = rows[at : at + IN_BLOCK]
            body = (HEADER.pack(MAGIC, len(part), IN_BLOCK, depth, 0) + b"".join(part)).ljust(
                BLOCK - 4, b"\0"
            )
            place = take()
            blocks[place] = body + crc(seed, body).to_bytes(4, "little")
            above.append(NODE.pack(firsts[at], place & 0xFFFF_FFFF, place >> 32, 0))
            starts.append(firsts[at])
        rows, firsts, depth = above, starts, depth + 1
    root = HEADER.pack(MAGIC, len(rows), IN_INODE, depth, 0) + b"".join(rows)
    return root.ljust(60, b"\0"), blocks
