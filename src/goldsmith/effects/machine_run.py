"""The id of this run of the machine: what was written without syncing before the last start is to be compared first."""

from pathlib import Path


def boot_id() -> str:
    """A text that is another after each start of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
