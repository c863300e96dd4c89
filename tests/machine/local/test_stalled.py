"""A guest whose writes find no room stands still; that is said, and it goes on once there is room."""

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.machine.conftest import DiskThatSays
from tests.machine.local.conftest import BIOS, refusal
from tests.machine.local.test_lifecycle import TCG, until, vm

from goldsmith.machine.local.create import create
from goldsmith.machine.local.room import directory_of, find_machine, running
from goldsmith.machine.local.run import pull_plug, start
from goldsmith.machine.local.stalled import is_stalled
from goldsmith.machine.qemu import TERMINAL
from goldsmith.machine.reach import connected
from goldsmith.store.home import Home

ROOM = "size=300m"
WRITES_WHEN_TOLD = "8ec0 bb007c bafd03 ec a801 74fb b80103 b90200 ba8000 cd13 ebf3"
"""mov es, ax; mov bx, 0x7c00; mov dx, 0x3fd; wait: in al, dx; test al, 1; jz wait;
l: mov ax, 0x0301; mov cx, 2; mov dx, 0x80; int 0x13; jmp l: writes the second sector once a byte came on the console."""

pytestmark = pytest.mark.usefixtures("qemu")


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Home]:
    """A data directory with little room."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = ["mount", "-t", "tmpfs", "-o", ROOM, "none", str(place)]
    if subprocess.run(mounted, capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount a tmpfs")
    try:
        yield Home(place)
    finally:
        subprocess.run(["umount", place], check=True)


def fill(path: Path) -> None:
    with suppress(OSError), path.open("wb", buffering=0) as stream:
        while stream.write(bytes(1 << 20)):
            pass
    assert os.statvfs(path).f_bavail == 0


def test_a_machine_that_finds_no_room_says_so_and_goes_on(small: Home, disk_that_says: DiskThatSays) -> None:
    machine = create(small, "one", str(disk_that_says("ready\n", then=WRITES_WHEN_TOLD)), BIOS)
    directory = directory_of(small, "one")
    start(small, machine, TCG)
    try:
        until(lambda: b"ready" in (directory / "console.log").read_bytes())
        fill(small / "filler")
        with connected(directory, TERMINAL) as path, socket.socket(socket.AF_UNIX) as console:
            console.connect(str(path))
            console.sendall(b"!")
            until(lambda: is_stalled(directory))
        assert json.loads(vm(small, "show", "one", "--json").stdout)["state"] == "stalled"
        assert "stalled" in vm(small, "list").stdout
        told = "'one' stands still: what it wrote found no room in"
        for words in (["exec", "one", "--wait", "1", "--", "true"], ["stop", "one"]):
            done = vm(small, *words)
            assert (done.returncode, told in done.stderr) == (7, True), done.stderr
        assert refusal(lambda: start(small, find_machine(small, "one"), TCG)).startswith("NoSpace")
        (small / "filler").unlink()
        before = running(directory)
        assert start(small, find_machine(small, "one"), TCG) == before
        assert not is_stalled(directory)
        assert "running" in vm(small, "list").stdout
    finally:
        pull_plug(small, machine)
