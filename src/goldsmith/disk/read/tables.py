"""Partition tables: GPT with its copy, MBR with logical partitions, or none.

Facts: UEFI 2.10, chapter 5; types of MBR partitions from util-linux' fdisk.
"""

import struct
import zlib
from dataclasses import dataclass
from uuid import UUID

from goldsmith.disk.read.area import Area, malformed

SECTORS = (512, 4096)
SIGNATURE = b"EFI PART"
HEADER = struct.Struct("<8sIIIIQQQQ16sQIII")
ENTRY = struct.Struct("<16s16sQQQ72s")
MBR_ENTRY = struct.Struct("<B3sB3sII")
PROTECTIVE, EXTENDED = 0xEE, {0x05, 0x0F, 0x85}
MOST = 1024
"""Entries of a table, at most; usual are 128."""
LOGICAL = 128
"""Logical partitions, at most."""
MAGIC = b"\x55\xaa"


@dataclass(frozen=True, slots=True)
class Part:
    """One partition of a disk."""

    number: int
    """As Linux counts it; 0 is the whole of a disk without a table."""
    start: int
    """Its first byte."""
    size: int
    """Its bytes."""
    kind: str = ""
    """Its type: a GUID in small letters, or two hexadecimal digits of an MBR."""
    guid: str = ""
    """Its own id, as ``PARTUUID=`` has it."""
    name: str = ""
    """As ``PARTLABEL=`` has it."""


def partitions(disk: Area) -> tuple[str, tuple[Part, ...]]:
    """The kind of table (``gpt``, ``mbr`` or ``none``) and the partitions, in the order of their places on the disk.

    Raises:
        InputError: the table is damaged.
    """
    first = disk.read(0, min(disk.size, 512)).ljust(512, b"\0")
    types = [first[446 + 16 * i + 4] for i in range(4)] if first[510:] == MAGIC else []
    if (
        any(disk.size > size * 2 and disk.read(size, 8) == SIGNATURE for size in SECTORS)
        or PROTECTIVE in types
    ):
        return "gpt", _checked(disk, gpt(disk))
    if types and all(first[446 + 16 * i] in {0, 0x80} for i in range(4)) and any(types):
        return "mbr", _checked(disk, mbr(disk, first))
    return "none", (Part(0, 0, disk.size),)


def _checked(disk: Area, parts: list[Part]) -> tuple[Part, ...]:
    parts.sort(key=lambda part: part.start)
    end = 0
    for part in parts:
        if part.size <= 0 or part.start + part.size > disk.size:
            raise malformed(
                f"partition {part.number} reaches from byte {part.start} to {part.start + part.size},"
                f" and the disk ends at {disk.size}"
            )
        if part.start < end:
            raise malformed(f"partition {part.number} overlaps the one before it")
        end = part.start + part.size
    return tuple(parts)


def gpt(disk: Area) -> list[Part]:
    """The partitions of a GPT; of its copy at the disk's end where the first one is damaged."""
    reasons = []
    for sector in SECTORS:
        for place in (sector, disk.size - sector):
            try:
                return _gpt_at(disk, sector, place)
            except ValueError as error:
                reasons.append(str(error))
    raise malformed(f"neither the GPT nor its copy is sound: {reasons[0]}")


def _gpt_at(disk: Area, sector: int, place: int) -> list[Part]:
    """Raises ``ValueError``: there is no sound GPT at this place."""
    if place < 0 or place + sector > disk.size:
        raise ValueError("the disk is too small")
    data = disk.read(place, sector)
    head = HEADER.unpack_from(data)
    if head[0] != SIGNATURE:
        raise ValueError("it does not begin with 'EFI PART'")
    length = head[2]
    if not HEADER.size <= length <= sector:
        raise ValueError(f"its header has {length} bytes")
    if zlib.crc32(data[:16] + bytes(4) + data[20:length]) != head[3]:
        raise ValueError("its header has the wrong checksum")
    entries, count, width, checksum = head[10:]
    if not 0 < count <= MOST or width % 8 or not ENTRY.size <= width <= sector:
        raise ValueError(f"it has {count} entries of {width} bytes")
    if entries > disk.size // sector or entries * sector + count * width > disk.size:
        raise ValueError("its entries lie beyond the disk's end")
    table = disk.read(entries * sector, count * width)
    if zlib.crc32(table) != checksum:
        raise ValueError("its entries have the wrong checksum")
    found = []
    for index in range(count):
        kind, guid, first, last, _, name = ENTRY.unpack_from(table, index * width)
        if any(kind):
            text = name.decode("utf-16-le", errors="replace").partition("\0")[0]
            size = (last - first + 1) * sector
            found.append(
                Part(
                    index + 1, first * sector, size, str(UUID(bytes_le=kind)), str(UUID(bytes_le=guid)), text
                )
            )
    return found


def mbr(disk: Area, first: bytes) -> list[Part]:
    """The partitions of an MBR, logical ones from 5 on."""
    serial = int.from_bytes(first[440:444], "little")
    found = []
    for index in range(4):
        _, _, kind, _, start, count = MBR_ENTRY.unpack_from(first, 446 + 16 * index)
        if kind in EXTENDED:
            found += _logical(disk, start * 512, count * 512, serial)
        elif kind and count:
            number = index + 1
            found.append(_part(number, start * 512, count * 512, kind, serial))
    return found


def _part(number: int, start: int, size: int, kind: int, serial: int) -> Part:
    return Part(number, start, size, f"{kind:02x}", f"{serial:08x}-{number:02x}")


def _logical(disk: Area, base: int, size: int, serial: int) -> list[Part]:
    found = []
    at = base
    for number in range(5, 5 + LOGICAL):
        sector = disk.read(at, 512)
        if sector[510:] != MAGIC:
            raise malformed(f"the list of logical partitions breaks off at byte {at}")
        _, _, kind, _, start, count = MBR_ENTRY.unpack_from(sector, 446)
        if kind and count:
            found.append(_part(number, at + start * 512, count * 512, kind, serial))
        _, _, kind, _, start, _ = MBR_ENTRY.unpack_from(sector, 462)
        if kind not in EXTENDED:
            return found
        if base + start * 512 <= at or start * 512 >= size:
            raise malformed("the list of logical partitions runs in a circle")
        at = base + start * 512
    raise malformed(f"there are more than {LOGICAL} logical partitions")
