"""A machine over a real disk whose boot sector halts: QEMU runs it in a moment, by BIOS."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.machine.conftest import DiskThatSays

from goldsmith.errors import GoldsmithError
from goldsmith.machine.local.create import Wanted, create
from goldsmith.machine.local.layers import layer_path
from goldsmith.machine.local.room import all_machines, directory_of, find_machine
from goldsmith.machine.local.run import pull_plug
from goldsmith.model.machine import Firmware
from goldsmith.model.vm import LocalMachine
from goldsmith.store.home import Home

BIOS = Wanted(memory=128, firmware=Firmware.BIOS)
Make = Callable[..., LocalMachine]


@pytest.fixture
def make(home: Home, disk_that_says: DiskThatSays, qemu: None) -> Iterator[Make]:  # noqa: ARG001
    """Makes machines; ends those that still run."""
    disk = disk_that_says("hello\n")

    def made(name: str = "one", wanted: Wanted = BIOS) -> LocalMachine:
        return create(home, name, str(disk), wanted)

    yield made
    for machine in all_machines(home):
        pull_plug(home, machine)


def write(home: Home, name: str, byte: int, *, at: int = 4096) -> None:
    """Let a machine that does not run have written something."""
    machine = find_machine(home, name)
    path = layer_path(directory_of(home, name), machine.layer)
    subprocess.run(["qemu-io", "-f", "qcow2", "-c", f"write -q -P {byte} {at} 4096", str(path)], check=True)


def holds(home: Home, name: str, byte: int, *, at: int = 4096) -> bool:
    """Whether a machine's disk has this byte there."""
    machine = find_machine(home, name)
    path = layer_path(directory_of(home, name), machine.layer)
    read = subprocess.run(
        ["qemu-io", "-r", "-f", "qcow2", "-c", f"read -q -P {byte} {at} 4096", str(path)],
        capture_output=True,
        check=False,
    )
    return read.returncode == 0 and b"failed" not in read.stdout


def refusal(act: Callable[[], object]) -> str:
    """The class and the message of the error that an act ends in."""
    with pytest.raises(GoldsmithError) as found:
        act()
    assert found.value.hint
    return f"{type(found.value).__name__}: {found.value.message}"


__all__ = ["BIOS", "Make", "Path", "holds", "make", "refusal", "write"]
