"""An inode's 256 bytes."""

import stat
import struct
from dataclasses import dataclass

from goldsmith.disk.ext4.checksum import crc
from goldsmith.model.disk import SECTOR

KINDS = {
    "file": stat.S_IFREG,
    "dir": stat.S_IFDIR,
    "symlink": stat.S_IFLNK,
    "char": stat.S_IFCHR,
    "block": stat.S_IFBLK,
    "fifo": stat.S_IFIFO,
    "socket": stat.S_IFSOCK,
}
EXTENTS = 0x80000
MOST_LINKS = 65000
"""A directory with more has 1 (``dir_nlink``)."""
FIELDS = struct.Struct("<HHIIIIIHHIII60sIIIIHHHHHHHHIIIIIII")
SIZE, EXTRA, SUM_LOW, SUM_HIGH = 256, 32, 124, 130


@dataclass(frozen=True, slots=True)
class Inode:
    """What an inode says."""

    kind: str
    """As in ``TreeEntry``."""
    mode: int
    """Permission bits."""
    uid: int
    gid: int
    size: int
    """Bytes."""
    mtime: int
    """Seconds since 1970."""
    links: int
    """Names."""
    sectors: int
    """Units of 512 bytes that its blocks take, those that tell where the others lie too."""
    body: bytes
    """60 bytes: the root of its extents, a short link's target, or a device's number."""
    has_extents: bool
    """Whether ``body`` is the root of extents."""
    attribute_block: int = 0
    """Where its extended attributes lie, if not here."""
    attributes: bytes = b""
    """Its extended attributes, if they fit here."""


def time_fields(seconds: int) -> tuple[int, int]:
    """A time's two fields: its low 32 bits, and the two above them."""
    low = seconds & 0xFFFF_FFFF
    signed = low - (1 << 32) if low >= 1 << 31 else low
    return low, seconds - signed >> 32 & 3


def pack(inode: Inode, epoch: int, seed: int) -> bytes:
    """The bytes of an inode.

    Args:
        inode: what it says.
        epoch: the time of all but its content's last change.
        seed: from where its checksums start.
    """
    now, now_extra = time_fields(epoch)
    mtime, mtime_extra = time_fields(inode.mtime)
    links = 1 if inode.kind == "dir" and inode.links > MOST_LINKS else inode.links
    fields = FIELDS.pack(
        KINDS[inode.kind] | inode.mode,
        inode.uid & 0xFFFF,
        inode.size & 0xFFFF_FFFF,
        now,
        now,
        mtime,
        0,  # not deleted
        inode.gid & 0xFFFF,
        links,
        inode.sectors & 0xFFFF_FFFF,
        EXTENTS if inode.has_extents else 0,
        0,  # version
        inode.body,
        0,  # generation
        inode.attribute_block & 0xFFFF_FFFF,
        inode.size >> 32,
        0,
        inode.sectors >> 32,
        inode.attribute_block >> 32,
        inode.uid >> 16,
        inode.gid >> 16,
        0,  # checksum
        0,
        EXTRA,
        0,  # checksum
        now_extra,
        mtime_extra,
        now_extra,
        now,
        now_extra,
        0,
        0,
    )
    data = bytearray((fields + inode.attributes).ljust(SIZE, b"\0"))
    checksum = crc(seed, bytes(data))
    struct.pack_into("<H", data, SUM_LOW, checksum & 0xFFFF)
    struct.pack_into("<H", data, SUM_HIGH, checksum >> 16)
    return bytes(data)


def device_body(target: str) -> bytes:
    """The body of a device's inode, from ``MAJOR:MINOR``."""
    major, minor = (int(number) for number in target.split(":"))
    number = minor & 0xFF | major << 8 | (minor & ~0xFF) << 12
    return struct.pack("<II", 0, number).ljust(60, b"\0")


def sectors(blocks: int, block_size: int) -> int:
    """Blocks as an inode counts them."""
    return blocks * (block_size // SECTOR)
