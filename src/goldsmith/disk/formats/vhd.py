"""The fixed VHD: the disk's bytes, then a footer of 512 bytes. "Virtual Hard Disk Image Format Specification", 1.0.

Azure takes no other kind, and wants a size in whole MiB that the footer's *current size* tells exactly. Numbers are
big-endian.
"""

import struct
from typing import BinaryIO

from goldsmith.disk.formats.raw import write_raw
from goldsmith.disk.formats.source import Source, derived
from goldsmith.model.disk import SECTOR

FIXED = 2
FEATURES = 2
"""A bit that is reserved and always set."""
VERSION = 0x0001_0000
NO_OFFSET = (1 << 64) - 1
CREATOR = b"qem2"
"""QEMU reads the size from the cylinders, which is nearly always too small, unless it knows the writer's name for one
that tells the exact size; this is the name its own such files have, which Azure takes every day."""
CREATOR_VERSION = 0x0005_0003
WINDOWS = b"Wi2k"
MOST_SECTORS = 65535 * 16 * 255
SMALL_SECTORS = 65535 * 16 * 63
MOST_CYLINDERS = 1024


def geometry(sectors: int) -> tuple[int, int, int]:
    """Cylinders, heads and sectors a track, by the specification's appendix."""
    sectors = min(sectors, MOST_SECTORS)
    if sectors >= SMALL_SECTORS:
        return sectors // 255 // 16, 16, 255
    tracks = sectors // 17
    heads = max(4, -(-tracks // 1024))
    per_track = 17
    if tracks >= heads * MOST_CYLINDERS or heads > 16:  # noqa: PLR2004 - the appendix' number
        per_track, heads = 31, 16
        tracks = sectors // per_track
    if tracks >= heads * MOST_CYLINDERS:
        per_track, heads = 63, 16
        tracks = sectors // per_track
    return tracks // heads, heads, per_track


def footer(source: Source) -> bytes:
    """The last sector; the time in it is 0, which is the year 2000."""

    def packed(checksum: int) -> bytes:
        return struct.pack(
            ">8sIIQI4sI4sQQHBBII16sB427x",
            b"conectix",
            FEATURES,
            VERSION,
            NO_OFFSET,
            0,
            CREATOR,
            CREATOR_VERSION,
            WINDOWS,
            source.size,
            source.size,
            *geometry(source.size // SECTOR),
            FIXED,
            checksum,
            derived(source, "vhd").bytes,
            0,
        )

    return packed(~sum(packed(0)) & 0xFFFF_FFFF)


def write_vhd(source: Source, target: BinaryIO, *, jobs: int) -> None:
    """Write the disk, and the footer behind it."""
    write_raw(source, target, jobs=jobs)
    target.seek(source.size)
    target.write(footer(source))
