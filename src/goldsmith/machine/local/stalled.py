"""A machine that stands still: QEMU stops a guest whose writes find no room on this host, until it is told to go on."""

from contextlib import suppress
from pathlib import Path

from goldsmith.errors import GoldsmithError, NoSpace
from goldsmith.machine.need import need_space
from goldsmith.machine.qmp import monitor

STALLED = "io-error"
"""What QEMU calls it; run-state.json of its protocol."""
ASK_SECONDS = 1.0


def is_stalled(directory: Path) -> bool:
    """Whether the machine whose QEMU runs in ``directory`` stands still."""
    with suppress(GoldsmithError), monitor(directory, timeout=ASK_SECONDS) as qemu:
        told = qemu.execute("query-status")
        return isinstance(told, dict) and told.get("status") == STALLED
    return False


def refuse_stalled(directory: Path, name: str) -> None:
    """Say why nothing inside answers, where that is this host's fault.

    Raises:
        NoSpace: the machine stands still.
    """
    if is_stalled(directory):
        raise NoSpace(
            f"{name!r} stands still: what it wrote found no room in {directory}",
            hint=f"free some space there, then let it go on: goldsmith vm start {name}",
        )


def go_on(directory: Path) -> bool:
    """Let a machine that stands still go on; whether it did.

    Raises:
        NoSpace: there is no more room than before.
    """
    if not is_stalled(directory):
        return False
    need_space(directory)
    with monitor(directory) as qemu:
        qemu.execute("cont")
    return True
