"""VMware's streamOptimized VMDK; "Virtual Disk Format 5.0" is the source of every number here.

The file is a stream of 512-byte sectors, so that it can be read without seeking::

    header, descriptor (a text), padded to a grain
    for each 32 MiB of the disk: its grains (64 KiB, deflate) that are not zeros, then their table
    directory of the tables, footer (the header again, with the directory's place), end of stream

A grain has its place on the disk and its size before it; the rest is announced by a marker of one sector. Numbers are
little-endian, places are in sectors. The bytes do not depend on how many threads compress. They do depend on the zlib
library's version: a disk's identity is ``disk_digest``, never the digest of a file.
"""

import os
import struct
import zlib
from array import array
from collections.abc import Iterator
from typing import BinaryIO

from goldsmith.disk.formats.source import Source, derived
from goldsmith.effects.parallel import in_order
from goldsmith.effects.sparse import chunks
from goldsmith.errors import UsageError
from goldsmith.model.disk import MIB, SECTOR

GRAIN = 64 << 10
ZERO = bytes(GRAIN)
PER_TABLE = 512
MAGIC = b"KDMV"
VERSION = 3
"""vSphere refuses compressed grains under an older version."""
FLAGS = 1 << 0 | 1 << 16 | 1 << 17
"""The newline test below is valid; grains are compressed; there are markers."""
DEFLATE = 1
LEVEL = 4
"""Of zlib. Measured on a Debian disk: 6 takes twice the time for 2 % less."""
DESCRIPTOR_AT = 1
DESCRIPTOR_SECTORS = 20
OVERHEAD = GRAIN // SECTOR
AT_END = (1 << 64) - 1
"""The directory's place is told by the footer."""
END_OF_STREAM, TABLE, DIRECTORY, FOOTER = range(4)
"""Kinds of markers."""
HEADS, TRACK = 255, 63
MOST_CYLINDERS = 65535
PLACES = 1 << 32
"""Sectors that a table can name."""


def header(source: Source, directory_at: int) -> bytes:
    """The first sector, and the footer."""
    return struct.pack(
        "<4sIIQQQQIQQQBccccH433x",
        MAGIC,
        VERSION,
        FLAGS,
        source.size // SECTOR,
        GRAIN // SECTOR,
        DESCRIPTOR_AT,
        DESCRIPTOR_SECTORS,
        PER_TABLE,
        0,
        directory_at,
        OVERHEAD,
        0,
        *(b"\n", b" ", b"\r", b"\n"),
        DEFLATE,
    )


def descriptor(source: Source) -> bytes:
    """The text about the disk. The file's own name in it is not read, since the descriptor is in the file."""
    sectors = source.size // SECTOR
    identity = derived(source, "vmdk").hex
    return f"""\
# Disk DescriptorFile
version=1
CID={identity[-8:]}
parentCID=ffffffff
createType="streamOptimized"

# Extent description
RDONLY {sectors} SPARSE "disk.vmdk"

# The Disk Data Base
#DDB

ddb.adapterType = "lsilogic"
ddb.geometry.cylinders = "{min(MOST_CYLINDERS, max(1, sectors // (HEADS * TRACK)))}"
ddb.geometry.heads = "{HEADS}"
ddb.geometry.sectors = "{TRACK}"
ddb.longContentID = "{identity}"
ddb.virtualHWVersion = "4"
""".encode("ascii")


def marker(sectors: int, kind: int) -> bytes:
    """The sector before what is no grain."""
    return struct.pack("<QII", sectors, 0, kind).ljust(SECTOR, b"\0")


def padded(data: bytes) -> bytes:
    """Filled up to whole sectors."""
    return data.ljust(-(-len(data) // SECTOR) * SECTOR, b"\0")


def numbers(values: "array[int]") -> bytes:
    """A table's bytes, in whole sectors."""
    return padded(struct.pack(f"<{len(values)}I", *values))


def grains(source: Source, *, jobs: int) -> Iterator[tuple[int, bytes]]:
    """Number and stored form of every grain that is not zeros, in order."""

    def compress(chunk: tuple[int, int]) -> list[tuple[int, bytes]]:
        start, end = chunk
        data = os.pread(source.descriptor, end - start, start)
        made = []
        for at in range(0, len(data), GRAIN):
            grain = data[at : at + GRAIN].ljust(GRAIN, b"\0")
            if grain != ZERO:
                packed = zlib.compress(grain, LEVEL)
                place = struct.pack("<QI", (start + at) // SECTOR, len(packed))
                made.append(((start + at) // GRAIN, padded(place + packed)))
        return made

    for made in in_order(compress, chunks(source.descriptor, unit=MIB), jobs=jobs):
        yield from made


def write_vmdk(source: Source, target: BinaryIO, *, jobs: int) -> None:
    """Write the stream, front to back.

    Raises:
        UsageError: there is more data than a file of this format can name.
    """
    target.write(header(source, AT_END) + descriptor(source).ljust(DESCRIPTOR_SECTORS * SECTOR, b"\0"))
    target.write(bytes((OVERHEAD - DESCRIPTOR_AT - DESCRIPTOR_SECTORS) * SECTOR))
    at = OVERHEAD
    directory = array("I", bytes(4 * -(-source.size // (GRAIN * PER_TABLE))))
    table, current = array("I", bytes(4 * PER_TABLE)), -1

    def table_bytes() -> bytes:
        data = numbers(table)
        return marker(len(data) // SECTOR, TABLE) + data

    for number, stored in grains(source, jobs=jobs):
        if number // PER_TABLE != current:
            if current >= 0:
                directory[current] = at + 1
                at += target.write(table_bytes()) // SECTOR
            table, current = array("I", bytes(4 * PER_TABLE)), number // PER_TABLE
        check_place(at)
        table[number % PER_TABLE] = at
        at += target.write(stored) // SECTOR
    if current >= 0:
        directory[current] = at + 1
        at += target.write(table_bytes()) // SECTOR
    check_place(at)
    data = numbers(directory)
    target.write(marker(len(data) // SECTOR, DIRECTORY) + data)
    target.write(marker(1, FOOTER) + header(source, at + 1) + marker(0, END_OF_STREAM))


def check_place(at: int) -> None:
    """Refuse a place that a table cannot name, or that the table's own is too near to."""
    if at >= PLACES - 8:
        raise UsageError(
            "the disk has more than 2 TiB of data, which vmdk cannot hold", hint="export as vhdx"
        )
