"""The GUID partition table and its protective MBR as bytes; UEFI specification 2.10, section 5."""

import struct
import zlib
from uuid import UUID

from goldsmith.model.disk import SECTOR, Layout, Partition

ENTRIES = 128
ENTRY_SIZE = 128
TABLE_SECTORS = ENTRIES * ENTRY_SIZE // SECTOR
REVISION = 0x0001_0000
HEADER_SIZE = 92
CODE_SIZE = 440
"""Bytes of the first sector that belong to a BIOS boot loader."""
NOT_BY_BIOS = bytes.fromhex("cd18 f4 ebfd")
"""What a BIOS runs of a disk that boots by UEFI only: int 0x18 (try the next device), and a halt. Zeros would run for ever."""


def table_entry(partition: Partition) -> bytes:
    """One entry; the name is the role, so that tools print something readable."""
    return struct.pack(
        "<16s16sQQQ72s",
        partition.kind.bytes_le,
        partition.guid.bytes_le,
        partition.start // SECTOR,
        partition.end // SECTOR - 1,
        0,
        partition.role.encode("utf-16-le"),
    )


def header(guid: UUID, *, at: int, other: int, table_at: int, sectors: int, table: bytes) -> bytes:
    """A header sector; ``at``, ``other`` and ``table_at`` are sector numbers, ``sectors`` is the disk's size."""

    def packed(checksum: int) -> bytes:
        return struct.pack(
            "<8sIIIIQQQQ16sQIII",
            b"EFI PART",
            REVISION,
            HEADER_SIZE,
            checksum,
            0,
            at,
            other,
            2 + TABLE_SECTORS,
            sectors - 2 - TABLE_SECTORS,
            guid.bytes_le,
            table_at,
            ENTRIES,
            ENTRY_SIZE,
            zlib.crc32(table),
        )

    return packed(zlib.crc32(packed(0))).ljust(SECTOR, b"\0")


def protective_mbr(sectors: int, code: bytes) -> bytes:
    """The first sector: a boot loader's code if there is one, and one entry that tells old programs that the disk is in use."""
    entry = struct.pack(
        "<B3sB3sII", 0, b"\x00\x02\x00", 0xEE, b"\xff\xff\xff", 1, min(sectors - 1, 0xFFFF_FFFF)
    )
    return (code or NOT_BY_BIOS)[:CODE_SIZE].ljust(446, b"\0") + entry.ljust(64, b"\0") + b"\x55\xaa"


def tables(layout: Layout, code: bytes = b"") -> tuple[bytes, bytes]:
    """The disk's first 34 sectors and its last 33.

    Args:
        layout: where the partitions are.
        code: what the BIOS runs, at most 440 bytes.
    """
    sectors = layout.size // SECTOR
    table = b"".join(table_entry(partition) for partition in layout.partitions).ljust(
        ENTRIES * ENTRY_SIZE, b"\0"
    )
    last = sectors - 1
    first = header(layout.guid, at=1, other=last, table_at=2, sectors=sectors, table=table)
    backup = header(
        layout.guid, at=last, other=1, table_at=last - TABLE_SECTORS, sectors=sectors, table=table
    )
    return protective_mbr(sectors, code) + first + table, table + backup
