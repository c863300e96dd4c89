"""What a machine needs of this host: refused before anything starts, and never taken for the image's fault."""

from pathlib import Path

from goldsmith.effects.files import free_bytes
from goldsmith.errors import NoSpace, Unavailable

LEAST_SPACE = 256 << 20
"""Bytes that must be free for a machine to be made or started: it would stop at its first writes."""
NOTHING_LEFT = 16 << 20
"""Bytes: with less than that a guest's writes have failed."""
MEMORY = Path("/proc/meminfo")


def need_space(room: Path, size: int = LEAST_SPACE) -> None:
    """Check that a machine has room to write.

    Raises:
        NoSpace: it has not.
    """
    free = free_bytes(room)
    if free < size:
        raise NoSpace(
            f"there are {free >> 20} MiB free in {room}, and at least {size >> 20} MiB are needed",
            hint="delete what is not needed: goldsmith vm list shows machines, goldsmith store usage images",
        )


def need_memory(wanted: int, told: Path = MEMORY) -> None:
    """Check that this host has the memory that a machine is to have, be it in use.

    Args:
        wanted: MiB.
        told: what the kernel says of memory.

    Raises:
        Unavailable: it has not.
    """
    total = next(
        int(line.split()[1]) >> 10 for line in told.read_text().splitlines() if line.startswith("MemTotal:")
    )
    if wanted > total:
        raise Unavailable(
            f"the machine is to have {wanted} MiB of memory, and this host has {total} MiB",
            hint="give it less: --memory",
        )
