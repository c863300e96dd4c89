"""The disk's bytes as they are; what is zeros becomes a hole."""

from typing import BinaryIO

from goldsmith.disk.formats.source import Source, solid

UNIT = 64 << 10


def write_raw(source: Source, target: BinaryIO, *, jobs: int) -> None:
    """Write the disk; ``jobs`` makes no difference, since disks are slower than one core."""
    del jobs
    target.truncate(source.size)
    for number, block in solid(source, unit=UNIT):
        start = number * UNIT
        target.seek(start)
        target.write(block[: source.size - start])
