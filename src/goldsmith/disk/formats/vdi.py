"""VirtualBox's dynamic disk image, version 1.1; VirtualBox' ``VDICore.h`` is the source of every number here.

The file is::

    0       header
    1 MiB   map: for each MiB of the disk, which block of the data it is, or that it is zeros
            data, from the next MiB on: the blocks that are not zeros, in order

Numbers are little-endian.
"""

import struct
from typing import BinaryIO
from uuid import UUID

from goldsmith.disk.formats.paged import PagedTable
from goldsmith.disk.formats.source import Source, derived, solid
from goldsmith.model.disk import MIB, SECTOR

TITLE = b"<<< Oracle VM VirtualBox Disk Image >>>\n"
SIGNATURE = 0xBEDA_107F
VERSION = 0x0001_0001
HEADER_SIZE = 400
DYNAMIC = 1
FREE = 0xFFFF_FFFF
MAP_AT = MIB
NONE = UUID(int=0)
HEADS, TRACK = 255, 63
MOST_CYLINDERS = 1024


def header(source: Source, *, data_at: int, allocated: int) -> bytes:
    """The header; ``allocated`` is how many blocks have data."""
    blocks = source.size // MIB
    cylinders = min(MOST_CYLINDERS, source.size // SECTOR // (HEADS * TRACK))
    return struct.pack(
        "<64sIIIII256sII4IIQIIII16s16s16s16s4I",
        TITLE,
        SIGNATURE,
        VERSION,
        HEADER_SIZE,
        DYNAMIC,
        0,
        b"",
        MAP_AT,
        data_at,
        *(0, 0, 0, SECTOR),
        0,
        source.size,
        MIB,
        0,
        blocks,
        allocated,
        derived(source, "vdi").bytes_le,
        derived(source, "vdi snapshot").bytes_le,
        NONE.bytes_le,
        NONE.bytes_le,
        *(cylinders, HEADS, TRACK, SECTOR),
    )


def write_vdi(source: Source, target: BinaryIO, *, jobs: int) -> None:
    """Write the data, its map as it fills, and the header at the end; ``jobs`` makes no difference."""
    del jobs
    blocks = source.size // MIB
    data_at = MAP_AT + -(-blocks * 4 // MIB) * MIB
    table = PagedTable(target, at=MAP_AT, count=blocks, typecode="I", fill=FREE)
    target.seek(data_at)
    allocated = 0
    for number, block in solid(source, unit=MIB):
        target.write(block)
        table.set(number, allocated)
        allocated += 1
    table.finish()
    target.seek(0)
    target.write(header(source, data_at=data_at, allocated=allocated))
    target.truncate(data_at + allocated * MIB)
