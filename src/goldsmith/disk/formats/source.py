"""The disk that is written in a format: its bytes, its size as the format wants it, its identity."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from goldsmith.effects.sparse import chunks
from goldsmith.model.disk import MIB


@dataclass(frozen=True, slots=True)
class Source:
    """A raw disk, open for reading; beyond the file's end it has zeros up to its size."""

    descriptor: int
    """The open file."""
    size: int
    """Bytes, a multiple of the format's unit."""
    digest: str = ""
    """``disk_digest`` of the file; empty for formats without an identity."""


def solid(source: Source, *, unit: int) -> Iterator[tuple[int, bytes]]:
    """Number and bytes of each unit that is not all zeros, in order, whatever holes the file has.

    Args:
        source: the disk.
        unit: bytes, a divisor of 1 MiB; the last unit is filled up with zeros.
    """
    zeros = bytes(unit)
    for start, end in chunks(source.descriptor, unit=MIB):
        data = os.pread(source.descriptor, end - start, start)
        if data.count(0) == len(data):
            continue
        for at in range(0, len(data), unit):
            block = data[at : at + unit].ljust(unit, b"\0")
            if block != zeros:
                yield (start + at) // unit, block


def derived(source: Source, what: str) -> UUID:
    """A UUID that is the same for the same disk, and another for each thing in a file that needs one.

    It carries version 4, as the programs that read these formats make theirs.
    """
    seed = hashlib.sha256(f"goldsmith {what}\n{source.digest}\n{source.size}\n".encode()).digest()
    return UUID(bytes=seed[:16], version=4)
