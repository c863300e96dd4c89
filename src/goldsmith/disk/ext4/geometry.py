"""What an empty ext4 file system says about itself: its size, its groups, and what in them is taken."""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from goldsmith.errors import StepFailed
from goldsmith.model.disk import BLOCK

SUPERBLOCK = 1024
MAGIC = 0xEF53
DESCRIPTOR = 64
INODE_UNINIT, BLOCK_UNINIT, ZEROED = 1, 2, 4
"""Flags of a group: its bitmaps are not written, its inode table is zeros."""


@dataclass(frozen=True, slots=True)
class Group:
    """One block group; places are blocks of the file system."""

    number: int
    """From 0."""
    first: int
    """Its first block."""
    blocks: int
    """How many blocks it has; the last group may be shorter."""
    block_bitmap: int
    """Where the map of its blocks lies."""
    inode_bitmap: int
    """Where the map of its inodes lies."""
    inode_table: int
    """Where its inodes lie."""
    flags: int
    """``INODE_UNINIT``, ``BLOCK_UNINIT`` and ``ZEROED``."""
    has_copy: bool
    """Whether it begins with a copy of superblock and descriptors."""


@dataclass(frozen=True, slots=True)
class Geometry:
    """An ext4 file system's own account."""

    blocks: int
    """Blocks of 4096 bytes."""
    inodes: int
    """All inodes."""
    blocks_per_group: int
    inodes_per_group: int
    inode_size: int
    """Bytes."""
    free_inodes: int
    """Inodes that are not used; those that are used are the first."""
    seed: int
    """From where all checksums start."""
    reserved_descriptors: int
    """Blocks kept behind the descriptors for growth."""
    groups: tuple[Group, ...]

    @property
    def descriptor_blocks(self) -> int:
        """Blocks that the group descriptors take."""
        return -(-len(self.groups) * DESCRIPTOR // BLOCK)

    @property
    def table_blocks(self) -> int:
        """Blocks of one group's inode table."""
        return -(-self.inodes_per_group * self.inode_size // BLOCK)

    def place(self, inode: int) -> tuple[Group, int]:
        """The group of an inode, and its index there, from 0."""
        number, index = divmod(inode - 1, self.inodes_per_group)
        return self.groups[number], index


def read_geometry(superblock: bytes, descriptors: bytes) -> Geometry:
    """Read superblock (1024 bytes) and the descriptors behind it.

    Raises:
        StepFailed: this is not an ext4 file system as ``skeleton`` asks for it.
    """
    u32 = struct.Struct("<I").unpack_from
    u16 = struct.Struct("<H").unpack_from
    (magic,) = u16(superblock, 56)
    (shift,) = u32(superblock, 24)
    (size,) = u16(superblock, 254)
    if magic != MAGIC or 1024 << shift != BLOCK or size != DESCRIPTOR:
        raise StepFailed(
            "mke2fs left another file system than it was asked for", hint="report this as a bug of goldsmith"
        )
    blocks = u32(superblock, 4)[0] | u32(superblock, 0x150)[0] << 32
    per_group = u32(superblock, 32)[0]
    inodes_per_group = u32(superblock, 40)[0]
    groups = []
    for number in range(-(-blocks // per_group)):
        row = descriptors[number * DESCRIPTOR : (number + 1) * DESCRIPTOR]
        bitmap, inode_map, table = (u32(row, at)[0] | u32(row, at + 32)[0] << 32 for at in (0, 4, 8))
        first = number * per_group
        length = min(per_group, blocks - first)
        flags = u16(row, 18)[0]
        groups.append(Group(number, first, length, bitmap, inode_map, table, flags, has_copy(number)))
    return Geometry(
        blocks=blocks,
        inodes=u32(superblock, 0)[0],
        blocks_per_group=per_group,
        inodes_per_group=inodes_per_group,
        inode_size=u16(superblock, 88)[0],
        free_inodes=u32(superblock, 16)[0],
        seed=u32(superblock, 0x270)[0],
        reserved_descriptors=u16(superblock, 0xCE)[0],
        groups=tuple(groups),
    )


def has_copy(group: int) -> bool:
    """Whether a group holds a copy of superblock and descriptors: 0, 1, and powers of 3, 5 and 7 (``sparse_super``)."""
    if group < 2:  # noqa: PLR2004
        return True
    return any(_is_power(group, base) for base in (3, 5, 7))


def _is_power(number: int, base: int) -> bool:
    while number % base == 0:
        number //= base
    return number == 1


def own_blocks(geometry: Geometry) -> list[int]:
    """The blocks of each group that tables take, a bit for each: what its map says where mke2fs wrote none."""
    taken = [0] * len(geometry.groups)
    heads = 1 + geometry.descriptor_blocks + geometry.reserved_descriptors
    for group in geometry.groups:
        places = [
            (group.block_bitmap, 1),
            (group.inode_bitmap, 1),
            (group.inode_table, geometry.table_blocks),
        ]
        if group.has_copy:
            places.append((group.first, heads))
        for place, length in places:
            start, left = place, length
            while left:
                number, at = divmod(start, geometry.blocks_per_group)
                part = min(left, geometry.blocks_per_group - at)
                taken[number] |= ((1 << part) - 1) << at
                start, left = start + part, left - part
    return taken


def padding(group: Group) -> int:
    """A map whose bits behind the group's end are set, as ext4 wants them."""
    return (1 << BLOCK * 8) - (1 << group.blocks)


def free_runs(taken: int, group: Group) -> Iterator[tuple[int, int]]:
    """Runs of free blocks of a group: first block of the file system, and how many.

    Args:
        taken: a bit for each block, the first one lowest.
        group: the group.
    """
    text = f"{taken:0{group.blocks}b}"[::-1][: group.blocks]
    for found in re.finditer("0+", text):
        yield group.first + found.start(), found.end() - found.start()
