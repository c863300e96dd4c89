"""Inodes, by number, as they lie in their groups' tables."""

import struct
from typing import NamedTuple

from goldsmith.disk.read.area import Area, malformed
from goldsmith.disk.read.ext4.superblock import BIT64, Superblock, descriptor_place

FIXED = struct.Struct("<HHIIIIIHHII4x60sIIIII")
"""mode uid size atime ctime mtime dtime gid links blocks flags block generation acl size_high faddr blocks_high+acl_high."""
OLD = 128
EXTENTS, ENCRYPTED, INLINE, EA_INODE = 0x80000, 0x800, 0x1000_0000, 0x20_0000
CHUNK = 64 << 10
KEPT = 256
"""Chunks of tables that are kept: 16 MiB."""


class Inode(NamedTuple):
    """One inode."""

    number: int
    mode: int
    uid: int
    gid: int
    size: int
    mtime: int
    links: int
    flags: int
    block: bytes
    """60 bytes: where its bytes lie, or the bytes themselves."""
    acl: int
    """The block of its extended attributes; 0 for none."""
    extra: bytes
    """What the inode holds behind its fields: extended attributes."""


class Inodes:
    """The inodes of one file system."""

    def __init__(self, area: Area, superblock: Superblock) -> None:
        self.area = area
        self.superblock = superblock
        self._tables: dict[int, int] = {}
        self._chunks: dict[int, bytes] = {}

    def get(self, number: int) -> Inode:
        """The inode of that number.

        Raises:
            InputError: there is none.
        """
        facts = self.superblock
        if not 0 < number <= facts.inodes:
            raise malformed(f"inode {number} is named, and there are {facts.inodes}")
        group, index = divmod(number - 1, facts.group_inodes)
        place = self._table(group) + index * facts.inode_size
        chunk, within = divmod(place, CHUNK)
        data = self._chunks.get(chunk)
        if data is None:
            if len(self._chunks) >= KEPT:
                self._chunks.clear()
            size = min(CHUNK, self.area.size - chunk * CHUNK)
            data = self._chunks[chunk] = self.area.read(chunk * CHUNK, size)
        raw = data[within : within + facts.inode_size]
        if len(raw) < facts.inode_size:
            raise malformed(f"inode {number} lies beyond the end of the file system")
        return _parse(number, raw)

    def _table(self, group: int) -> int:
        """The byte where a group's inodes begin."""
        known = self._tables.get(group)
        if known is None:
            facts = self.superblock
            raw = self.area.read(descriptor_place(facts, group), facts.slot)
            block = int.from_bytes(raw[8:12], "little")
            if facts.incompat & BIT64 and facts.slot >= 64:  # noqa: PLR2004 - from there on it has high halves
                block |= int.from_bytes(raw[0x28:0x2C], "little") << 32
            if not facts.first_block < block < facts.blocks:
                raise malformed(f"the inodes of group {group} are said to lie in block {block}")
            known = self._tables[group] = block * facts.block
        return known


def _parse(number: int, raw: bytes) -> Inode:
    (
        mode, uid, size, _, _, mtime, _, gid, links, _, flags,
        block, _, acl, size_high, _, high,
    ) = FIXED.unpack_from(raw)  # fmt: skip
    uid |= int.from_bytes(raw[0x78:0x7A], "little") << 16
    gid |= int.from_bytes(raw[0x7A:0x7C], "little") << 16
    acl |= (high >> 16) << 32
    extra = b""
    if mtime >= 1 << 31:
        mtime -= 1 << 32
    if len(raw) > OLD:
        width = int.from_bytes(raw[OLD : OLD + 2], "little")
        extra = raw[OLD + width :]
        if width >= 12:  # noqa: PLR2004 - there is a second half of mtime; its low bits lengthen the seconds
            mtime += (raw[0x88] & 3) << 32
    return Inode(number, mode, uid, gid, size | size_high << 32, mtime, links, flags, block, acl, extra)
