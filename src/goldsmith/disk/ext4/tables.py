"""The tables of a filled file system: inodes, maps of what is taken, descriptors, superblock and their copies."""

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from goldsmith.disk.ext4 import geometry as geo
from goldsmith.disk.ext4.checksum import crc
from goldsmith.disk.ext4.geometry import Geometry, Group
from goldsmith.disk.ext4.plan import Runs
from goldsmith.model.disk import BLOCK

SUPERBLOCK_SIZE = 1024
FREE_BLOCKS, FREE_INODES, DIRECTORIES, FLAGS = 12, 14, 16, 18
BLOCK_SUM, INODE_SUM, UNUSED, SUM = 24, 26, 28, 30
"""Where the fields of a descriptor are."""
TO_HIGH = {FREE_BLOCKS: 32, FREE_INODES: 32, DIRECTORIES: 32, BLOCK_SUM: 32, INODE_SUM: 32, UNUSED: 22}
"""How far behind the lower half of a field its upper half is."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What is taken of one group."""

    blocks: int
    """A bit for each block, with those behind the group's end."""
    inodes: int
    """How many inodes; they are its first."""
    directories: int
    """How many of them are directories."""
    untouched: bool
    """Whether its map says what it said before."""


def taken_now(
    before: Sequence[int], geometry: Geometry, free: Runs, used: int, directories: Sequence[int]
) -> list[Taken]:
    """What is taken of each group once a tree is placed.

    Args:
        before: what was taken of each group of the empty file system.
        geometry: the file system.
        free: the blocks that are left.
        used: how many inodes are used; they are the first.
        directories: the inodes that are directories.
    """
    left = [0] * len(geometry.groups)
    for start, length in free:
        # A run of free blocks lies in one group: runs are found group by group.
        number, at = divmod(start, geometry.blocks_per_group)
        left[number] |= ((1 << length) - 1) << at
    counts = [0] * len(geometry.groups)
    for inode in directories:
        counts[(inode - 1) // geometry.inodes_per_group] += 1
    result = []
    for group in geometry.groups:
        everything = (1 << BLOCK * 8) - 1
        inodes = min(max(used - group.number * geometry.inodes_per_group, 0), geometry.inodes_per_group)
        blocks = everything & ~left[group.number]
        result.append(Taken(blocks, inodes, counts[group.number], blocks == before[group.number]))
    return result


def maps(geometry: Geometry, taken: Sequence[Taken]) -> Iterator[tuple[int, bytes]]:
    """The maps of all groups that need them, with their blocks; those of empty groups stay unwritten, as mke2fs left them."""
    for group, now in zip(geometry.groups, taken, strict=True):
        if not now.untouched:
            yield group.block_bitmap, now.blocks.to_bytes(BLOCK, "little")
        if now.inodes:
            yield group.inode_bitmap, inode_map(geometry, now)


def inode_map(geometry: Geometry, now: Taken) -> bytes:
    """A group's map of inodes: the first are used, those behind the end of the table count as used."""
    bits = (1 << now.inodes) - 1 | (1 << BLOCK * 8) - (1 << geometry.inodes_per_group)
    return bits.to_bytes(BLOCK, "little")


def descriptors(skeleton: bytes, geometry: Geometry, taken: Sequence[Taken]) -> bytes:
    """The descriptors of all groups.

    Args:
        skeleton: as they were.
        geometry: the file system.
        taken: what is taken of each group.
    """
    rows = bytearray(skeleton)
    for group, now in zip(geometry.groups, taken, strict=True):
        at = group.number * geo.DESCRIPTOR
        rows[at : at + geo.DESCRIPTOR] = descriptor(
            bytes(rows[at : at + geo.DESCRIPTOR]), geometry, group, now
        )
    return bytes(rows)


def descriptor(row: bytes, geometry: Geometry, group: Group, now: Taken) -> bytes:
    """One group's descriptor."""
    result = bytearray(row)
    free_inodes = geometry.inodes_per_group - now.inodes
    numbers = {FREE_INODES: free_inodes, DIRECTORIES: now.directories, UNUSED: free_inodes}
    flags = group.flags
    if not now.untouched:
        flags &= ~geo.BLOCK_UNINIT
        covered = now.blocks.to_bytes(BLOCK, "little")[: geometry.blocks_per_group // 8]
        numbers |= {FREE_BLOCKS: BLOCK * 8 - now.blocks.bit_count(), BLOCK_SUM: crc(geometry.seed, covered)}
    if now.inodes:
        flags &= ~geo.INODE_UNINIT
        numbers[INODE_SUM] = crc(geometry.seed, inode_map(geometry, now)[: geometry.inodes_per_group // 8])
    for low, value in numbers.items():
        struct.pack_into("<H", result, low, value & 0xFFFF)
        struct.pack_into("<H", result, low + TO_HIGH[low], value >> 16)
    struct.pack_into("<H", result, FLAGS, flags)
    struct.pack_into("<H", result, SUM, 0)
    checksum = crc(crc(geometry.seed, group.number.to_bytes(4, "little")), bytes(result))
    struct.pack_into("<H", result, SUM, checksum & 0xFFFF)
    return bytes(result)


def superblock(skeleton: bytes, taken: Iterable[Taken], geometry: Geometry) -> bytes:
    """A superblock with the numbers of what is left; a copy stays a copy."""
    result = bytearray(skeleton)
    now = list(taken)
    free_blocks = sum(BLOCK * 8 - group.blocks.bit_count() for group in now)
    free_inodes = geometry.inodes - sum(group.inodes for group in now)
    struct.pack_into("<I", result, 12, free_blocks & 0xFFFF_FFFF)
    struct.pack_into("<I", result, 16, free_inodes)
    struct.pack_into("<I", result, 0x158, free_blocks >> 32)
    checksum = crc(0xFFFF_FFFF, bytes(result[:0x3FC]))
    struct.pack_into("<I", result, 0x3FC, checksum)
    return bytes(result)
