"""Starts a machine in a directory of its own; both are gone when the block ends, or this process dies."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from goldsmith.effects.background import Running, started
from goldsmith.effects.process import missing
from goldsmith.machine.qemu import CONSOLE, FIRMWARE, PROGRAM, REPORT, command
from goldsmith.model.machine import MachineSpec

LOG = "qemu.log"
MACHINES = "machines"
"""The room of the data directory where throwaway machines live."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine whose QEMU has been started."""

    spec: MachineSpec
    """What it is made of."""
    directory: Path
    """Where its logs and its monitor's socket are."""
    qemu: Running
    """Its QEMU."""

    @property
    def console(self) -> bytes:
        """What it has written on its first serial port."""
        return read(self.directory / CONSOLE)

    @property
    def firmware(self) -> bytes:
        """What its BIOS has logged."""
        return read(self.directory / FIRMWARE)

    @property
    def report(self) -> bytes:
        """What it has written on its second serial port."""
        return read(self.directory / REPORT)


def read(path: Path) -> bytes:
    """A log's content; empty while QEMU has not yet made it."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


@contextmanager
def launched(spec: MachineSpec, directory: Path) -> Iterator[Machine]:
    """Run a machine until the block ends.

    Raises:
        MissingTool: QEMU is not installed.
    """
    if shutil.which(PROGRAM) is None:
        raise missing(PROGRAM)
    with started(command(spec), log=directory / LOG, cwd=directory) as qemu:
        yield Machine(spec, directory, qemu)
