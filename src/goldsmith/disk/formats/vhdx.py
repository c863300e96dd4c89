"""Hyper-V's dynamic VHDX; Microsoft's [MS-VHDX] is the source of every number here.

The file is::

    0         file identifier
    64 KiB    header 1, header 2 at 128 KiB, of which the one with the greater sequence number counts
    192 KiB   region table, its copy at 256 KiB: where metadata and block table are
    1 MiB     log: empty, as the zero log GUID of the headers says
    2 MiB     metadata: sizes, and the disk's identity
    3 MiB     block table (BAT): where each MiB of the disk is
              data, from the next MiB on: the blocks that are not zeros, in order

Blocks are 1 MiB, the least, which Microsoft advises for Linux: ext4 spreads its metadata, and a block is stored whole.
Numbers are little-endian.
"""

import struct
from typing import BinaryIO
from uuid import UUID

import google_crc32c

from goldsmith.disk.formats.paged import PagedTable
from goldsmith.disk.formats.source import Source, derived, solid
from goldsmith.model.disk import MIB, SECTOR

KIB64 = 64 << 10
IDENTIFIER = b"vhdxfile" + "goldsmith".encode("utf-16-le")
HEADERS_AT = (KIB64, 2 * KIB64)
REGIONS_AT = (3 * KIB64, 4 * KIB64)
HEADER_SIZE = 4096
LOG_AT, METADATA_AT, BAT_AT = MIB, 2 * MIB, 3 * MIB
BAT_REGION = UUID("2dc27766-f623-4200-9d64-115e9bfd4a08")
METADATA_REGION = UUID("8b7ca206-4790-4b9a-b8fe-575f050f886e")
FILE_PARAMETERS = UUID("caa16737-fa36-4d43-b3b6-33f0aa44e76b")
DISK_SIZE = UUID("2fa54224-cd1b-4876-b211-5dbed83bf4b8")
PAGE_83 = UUID("beca12ab-b2e6-4523-93ef-c309e000c746")
LOGICAL_SECTOR = UUID("8141bf1d-a96f-4709-ba47-f233a8faab5f")
PHYSICAL_SECTOR = UUID("cda348c7-445d-4471-9cc9-e9885251c556")
PHYSICAL_SECTOR_SIZE = 4096
ABOUT_DISK = 1 << 1
REQUIRED = 1 << 2
PRESENT = 6
"""A block's state: it is in the file. The state of all others is 0, as in every new dynamic disk: they read as zeros."""
CHUNK = (1 << 23) * SECTOR // MIB
"""Blocks between two entries of the table that are for sector bitmaps, which only differencing disks have."""


def bat_index(block: int) -> int:
    """Where in the block table a block's entry is."""
    return block + block // CHUNK


def signed(data: bytes, size: int) -> bytes:
    """Filled up to ``size``, with the checksum of all of it in bytes 4 to 7, which were zeros."""
    filled = data.ljust(size, b"\0")
    return filled[:4] + struct.pack("<I", google_crc32c.value(filled)) + filled[8:]


def header(source: Source, sequence: int) -> bytes:
    """One of the two headers."""
    data = struct.pack(
        "<4sIQ16s16s16sHHIQ",
        b"head",
        0,
        sequence,
        derived(source, "vhdx file").bytes_le,
        derived(source, "vhdx data").bytes_le,
        bytes(16),
        0,
        1,
        MIB,
        LOG_AT,
    )
    return signed(data, HEADER_SIZE)


def regions(bat_size: int) -> bytes:
    """The region table."""
    data = struct.pack("<4sIII", b"regi", 0, 2, 0)
    for region, at, size in ((BAT_REGION, BAT_AT, bat_size), (METADATA_REGION, METADATA_AT, MIB)):
        data += struct.pack("<16sQII", region.bytes_le, at, size, 1)
    return signed(data, KIB64)


def metadata(source: Source) -> bytes:
    """The metadata table and, 64 KiB behind its begin, its items."""
    rows = (
        (FILE_PARAMETERS, REQUIRED, struct.pack("<II", MIB, 0)),
        (DISK_SIZE, REQUIRED | ABOUT_DISK, struct.pack("<Q", source.size)),
        (PAGE_83, REQUIRED | ABOUT_DISK, derived(source, "vhdx disk").bytes_le),
        (LOGICAL_SECTOR, REQUIRED | ABOUT_DISK, struct.pack("<I", SECTOR)),
        (PHYSICAL_SECTOR, REQUIRED | ABOUT_DISK, struct.pack("<I", PHYSICAL_SECTOR_SIZE)),
    )
    table = struct.pack("<8sHH20x", b"metadata", 0, len(rows))
    items = b""
    for item, flags, value in rows:
        table += struct.pack("<16sIIII", item.bytes_le, KIB64 + len(items), len(value), flags, 0)
        items += value
    return table.ljust(KIB64, b"\0") + items


def write_vhdx(source: Source, target: BinaryIO, *, jobs: int) -> None:
    """Write the tables, then the data with its block table; ``jobs`` makes no difference."""
    del jobs
    entries = bat_index(source.size // MIB - 1) + 1
    bat_size = -(-entries * 8 // MIB) * MIB
    parts = {0: IDENTIFIER, METADATA_AT: metadata(source)}
    parts |= {at: header(source, sequence) for sequence, at in enumerate(HEADERS_AT, 1)}
    parts |= dict.fromkeys(REGIONS_AT, regions(bat_size))
    for at, data in sorted(parts.items()):
        target.seek(at)
        target.write(data)
    position = BAT_AT + bat_size
    target.seek(position)
    table = PagedTable(target, at=BAT_AT, count=entries, typecode="Q", fill=0)
    for number, block in solid(source, unit=MIB):
        target.write(block)
        # The offset is told in MiB, from bit 20 on: a whole number of MiB is the same in bytes.
        table.set(bat_index(number), position | PRESENT)
        position += MIB
    table.finish()
    target.truncate(position)
