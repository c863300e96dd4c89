"""Write a disk in a format: what can be known is checked first, and a file that is not whole never has its name."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from goldsmith.disk.digest import disk_digest
from goldsmith.disk.formats.source import Source, solid
from goldsmith.disk.formats.table import WRITERS
from goldsmith.effects.files import free_bytes, replacing
from goldsmith.effects.sparse import extents
from goldsmith.errors import NoSpace, UsageError
from goldsmith.model.disk import MIB
from goldsmith.model.format import Format

BUFFER = MIB
TABLES = MIB
"""What headers and tables may take, roughly."""


def write_file(raw: Path, output: Path, row: Format, *, jobs: int, digest: str = "") -> None:
    """Write a raw disk in a format, without waiting until it is on the disk; after an error the file is not whole.

    Args:
        raw: the disk, of any size that the format can hold.
        output: the file to write; what was there is gone.
        row: the format.
        jobs: threads that may work.
        digest: the disk's ``disk_digest``; found out if it is needed and empty.

    Raises:
        UsageError: the disk is empty, or larger than the format can hold.
        NoSpace: the file system of ``output`` is full.
    """
    with opened(raw, row, digest=digest, jobs=jobs) as source:
        try:
            with output.open("wb", buffering=BUFFER) as target:
                WRITERS[row.name](source, target, jobs=jobs)
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise NoSpace(
                    f"no space left while writing {output}", hint="free some space there and try again"
                ) from error
            raise


def export_file(raw: Path, output: Path, row: Format, *, jobs: int, digest: str = "") -> None:
    """As ``write_file``, but the file appears whole or not at all, and is on the disk when this returns.

    Raises:
        UsageError: the disk is empty, or larger than the format can hold.
        NoSpace: it will not fit, as far as that can be known, or it did not.
    """
    with opened(raw, row, digest=digest, jobs=jobs) as source:
        check_room(source, output, row)
        with (
            replacing(output) as descriptor,
            open(descriptor, "wb", buffering=BUFFER, closefd=False) as target,
        ):
            WRITERS[row.name](source, target, jobs=jobs)


@contextmanager
def opened(raw: Path, row: Format, *, digest: str, jobs: int) -> Iterator[Source]:
    """The disk as the format wants it.

    Raises:
        UsageError: it is empty, or too large.
    """
    with raw.open("rb") as stream:
        size = exported_size(os.fstat(stream.fileno()).st_size, row)
        if not size:
            raise UsageError(f"{str(raw)!r} is empty", hint="name a disk")
        if row.largest and size > row.largest:
            raise UsageError(
                f"the disk has {size} bytes, and {row.name} holds at most {row.largest}",
                hint="use another format, or make the disk smaller by 'disk.size'",
            )
        if row.has_identity and not digest:
            digest = disk_digest(raw, jobs=jobs)
        yield Source(stream.fileno(), size, digest)


def exported_size(size: int, row: Format) -> int:
    """A disk's size in a format, in bytes."""
    return -(-size // row.unit) * row.unit


def check_room(source: Source, output: Path, row: Format) -> None:
    """Check that what is stored as it is will fit; what compression leaves cannot be known.

    Raises:
        NoSpace: it will not; the message says how much is needed, and where.
    """
    if not row.block:
        return
    free = free_bytes(output.parent)
    if sum(end - start for start, end in extents(source.descriptor, unit=row.block)) + TABLES <= free:
        return
    # Zeros that were written take no room in the new file, so only now is it worth reading the disk.
    needed = sum(len(block) for _, block in solid(source, unit=row.block)) + TABLES
    if needed > free:
        raise NoSpace(
            f"{row.name} needs about {needed >> 20} MiB in {output.parent}, and {free >> 20} MiB are free",
            hint="free some space there, or export to another file system",
        )
