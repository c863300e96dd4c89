"""A FAT12 image with a few small files in its root directory: the same bytes for the same files, always.

Written here because a seed is needed on hosts without mtools, and must not depend on a clock. Layout (sectors of
512 bytes): the boot sector, two file allocation tables, the root directory, the clusters. Names are kept as they
are by long-name entries, with ``FILE0001`` and so on as their short names.
Source of the format: Microsoft's "FAT: General Overview of On-Disk Format", version 1.03.
"""

import struct
from collections.abc import Mapping

SECTOR = 512
CLUSTER_SECTORS = 4
CLUSTER = SECTOR * CLUSTER_SECTORS
CLUSTERS = 1024
"""Data clusters of the image: 2 MiB, well below FAT12's limit of 4084."""
FAT_SECTORS = 4
"""Sectors of one table: 1026 entries of 12 bits."""
FATS = 2
ROOT_ENTRIES = 128
ENTRY = 32
MEDIA = 0xF8
END_OF_CHAIN = 0xFFF
DATE = (1980 - 1980) << 9 | 1 << 5 | 1
"""The first day FAT can name, 1 January 1980."""
CHARACTERS = 13
"""How many of a long name's characters one entry holds."""
VOLUME = 0x08
ARCHIVE = 0x20
LONG_NAME = 0x0F
LAST_PART = 0x40


def image(label: str, files: Mapping[str, bytes]) -> bytes:
    """A FAT12 image.

    Args:
        label: the volume's label, at most 11 upper-case characters.
        files: name to content; names of printable ASCII.

    Raises:
        ValueError: the label is too long, or the files need more room than there is.
    """
    volume = label.encode("ascii").ljust(11)
    if len(volume) != 11:  # noqa: PLR2004 - the field's width
        raise ValueError(f"a FAT label has at most 11 characters: {label!r}")
    table = [0xF00 | MEDIA, END_OF_CHAIN]
    entries = [_entry(volume, VOLUME, 0, 0)]
    data = b""
    for number, (name, content) in enumerate(sorted(files.items()), start=1):
        clusters = -(-len(content) // CLUSTER)
        first = len(table) if clusters else 0
        table.extend(range(first + 1, first + clusters))
        table.extend([END_OF_CHAIN] * bool(clusters))
        data += content.ljust(clusters * CLUSTER, b"\0")
        short = f"FILE{number:04d}   ".encode()
        entries += [*_long_name(name, short), _entry(short, ARCHIVE, first, len(content))]
    if len(table) - 2 > CLUSTERS or len(entries) > ROOT_ENTRIES:
        raise ValueError(f"{len(files)} files with {len(data)} bytes do not fit into a seed image")
    fat = _packed(table)
    root = b"".join(entries).ljust(ROOT_ENTRIES * ENTRY, b"\0")
    return _boot_sector(volume) + fat * FATS + root + data.ljust(CLUSTERS * CLUSTER, b"\0")


def _boot_sector(volume: bytes) -> bytes:
    sectors = 1 + FATS * FAT_SECTORS + ROOT_ENTRIES * ENTRY // SECTOR + CLUSTERS * CLUSTER_SECTORS
    geometry = struct.pack(
        "<3s8sHBHBHHBHHHII",
        b"\xeb\x3c\x90", b"GOLDSMTH", SECTOR, CLUSTER_SECTORS, 1, FATS, ROOT_ENTRIES, sectors, MEDIA, FAT_SECTORS,
        32, 2, 0, 0,
    )  # fmt: skip
    extended = struct.pack("<BBBI11s8s", 0x80, 0, 0x29, 0x60_1D_5A_17, volume, b"FAT12   ")
    return (geometry + extended).ljust(SECTOR - 2, b"\0") + b"\x55\xaa"


def _entry(name: bytes, attributes: int, cluster: int, size: int) -> bytes:
    times = (0, DATE, DATE, 0, 0, DATE)
    return struct.pack("<11sBBBHHHHHHHI", name, attributes, 0, 0, *times, cluster, size)


def _long_name(name: str, short: bytes) -> list[bytes]:
    """The entries before a file's own, last part first."""
    checksum = 0
    for byte in short:
        checksum = ((checksum & 1) << 7 | checksum >> 1) + byte & 0xFF
    units = name.encode("utf-16-le")
    count = -(-len(name) // CHARACTERS)
    if len(name) % CHARACTERS:
        units = (units + b"\0\0").ljust(count * CHARACTERS * 2, b"\xff")
    parts = []
    for number in range(count, 0, -1):
        part = units[(number - 1) * CHARACTERS * 2 : number * CHARACTERS * 2]
        order = number | (LAST_PART if number == count else 0)
        parts.append(
            struct.pack("<B10sBBB12sH4s", order, part[:10], LONG_NAME, 0, checksum, part[10:22], 0, part[22:])
        )
    return parts


def _packed(table: list[int]) -> bytes:
    """Entries of 12 bits, two in three bytes."""
    padded = table + [0] * (len(table) % 2)
    pairs = zip(padded[::2], padded[1::2], strict=True)
    packed = b"".join((low | high << 12).to_bytes(3, "little") for low, high in pairs)
    return packed.ljust(FAT_SECTORS * SECTOR, b"\0")
