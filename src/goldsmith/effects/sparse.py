"""Files with holes: what of them is data, whatever the file system tells."""

import os
from collections.abc import Iterator
from pathlib import Path


def extents(descriptor: int, *, unit: int) -> Iterator[tuple[int, int]]:
    """Ranges ``(start, end)`` of a file that may hold something else than zeros, in order.

    Starts lie on multiples of ``unit``; ends too, but for the file's own end, so no unit is in two ranges. A file
    system that knows no holes gives one range.
    """
    size = os.fstat(descriptor).st_size
    position = 0
    while position < size:
        try:
            start = os.lseek(descriptor, position, os.SEEK_DATA)
        except OSError:
            return
        end = os.lseek(descriptor, start, os.SEEK_HOLE)
        start = max(position, start // unit * unit)
        end = min(size, -(-end // unit) * unit)
        yield start, end
        position = end


def chunks(descriptor: int, *, unit: int) -> Iterator[tuple[int, int]]:
    """The same ranges, cut at every multiple of ``unit``; each chunk is one unit long, or shorter at the file's end."""
    for start, end in extents(descriptor, unit=unit):
        for position in range(start, end, unit):
            yield position, min(position + unit, end)


def copy_sparse(source: Path, descriptor: int, offset: int) -> None:
    """Copy a file into another at an offset; holes are left out, so what lies there must be zeros."""
    with source.open("rb") as stream:
        for start, end in extents(stream.fileno(), unit=1 << 16):
            os.lseek(descriptor, offset + start, os.SEEK_SET)
            position = start
            while position < end:  # within the kernel: half the time of reading and writing
                sent = os.sendfile(descriptor, stream.fileno(), position, end - position)
                if not sent:
                    break  # the file has become shorter
                position += sent
