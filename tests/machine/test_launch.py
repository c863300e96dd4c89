"""Machines die with their owner, and what dead owners left is swept."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from goldsmith.effects.claims import claimed
from goldsmith.machine.launch import launched
from goldsmith.machine.overlay import make_overlay
from goldsmith.machine.qmp import monitor
from goldsmith.model.machine import Accelerator, MachineSpec

pytestmark = pytest.mark.usefixtures("qemu")

OWNER = """
import sys, time
from pathlib import Path
from goldsmith.effects.claims import claimed
from goldsmith.machine.launch import launched
from goldsmith.machine.overlay import make_overlay
from goldsmith.machine.qmp import monitor
from goldsmith.model.machine import Accelerator, MachineSpec

with claimed(Path(sys.argv[2])) as directory:
    spec = MachineSpec(make_overlay(Path(sys.argv[1]), directory), Accelerator.TCG, paused=True, memory=64)
    with launched(spec, directory) as machine, monitor(directory):
        print(machine.qemu.process.pid, directory, flush=True)
        time.sleep(60)
"""


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except FileNotFoundError:
        return False


def wait_until_gone(pid: int) -> bool:
    for _ in range(100):
        if not is_running(pid):
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def disk(disk_that_says: Callable[..., Path]) -> Path:
    return disk_that_says("hello")


@contextmanager
def owner(disk: Path, machines: Path) -> Iterator[tuple[subprocess.Popen[str], int, Path]]:
    """Another process that owns a paused machine: the process, QEMU's number, the machine's directory."""
    argv = [sys.executable, "-c", OWNER, str(disk), str(machines)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        pid, directory = process.stdout.readline().split(maxsplit=1)
        try:
            yield process, int(pid), Path(directory.rstrip())
        finally:
            process.kill()


def test_a_machine_runs_in_its_block_and_is_gone_after_it(disk: Path, tmp_path: Path) -> None:
    with claimed(tmp_path / "machines") as directory:
        spec = MachineSpec(make_overlay(disk, directory), Accelerator.TCG, memory=64, paused=True)
        with launched(spec, directory) as machine:
            pid = machine.qemu.process.pid
            with monitor(directory) as qemu:
                status = qemu.execute("query-status")
                assert isinstance(status, dict)
                assert status["status"] == "prelaunch"
            assert is_running(pid)
            assert machine.qemu.code is None
        assert not is_running(pid)
    assert not directory.exists()


def test_an_error_in_the_block_leaves_no_machine_and_no_files(disk: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), claimed(tmp_path) as directory:  # noqa: PT012 - the block is tested
        spec = MachineSpec(make_overlay(disk, directory), Accelerator.TCG, memory=64, paused=True)
        with launched(spec, directory) as machine:
            pid = machine.qemu.process.pid
            raise KeyboardInterrupt
    assert not is_running(pid)
    assert not directory.exists()


def test_kill_9_of_the_owner_kills_qemu_and_the_next_run_sweeps(disk: Path, tmp_path: Path) -> None:
    machines = tmp_path / "machines"
    with owner(disk, machines) as (process, pid, directory):
        assert is_running(pid)
        process.kill()
        process.wait()
        assert wait_until_gone(pid)
        assert directory.exists()
        with claimed(machines):
            assert not directory.exists()


def test_ctrl_c_leaves_no_machine_and_no_files(disk: Path, tmp_path: Path) -> None:
    with owner(disk, tmp_path / "machines") as (process, pid, directory):
        process.send_signal(signal.SIGINT)
        process.wait(10)
        assert not is_running(pid)
        assert not directory.exists()


def test_a_machine_of_a_living_owner_is_not_swept(disk: Path, tmp_path: Path) -> None:
    machines = tmp_path / "machines"
    with owner(disk, machines) as (_, pid, directory), claimed(machines):
        assert directory.exists()
        assert is_running(pid)


def test_what_is_kept_is_not_swept(tmp_path: Path) -> None:
    with claimed(tmp_path, keep=True) as kept:
        (kept / "console.log").write_text("kept")
    with claimed(tmp_path):
        assert (kept / "console.log").read_text() == "kept"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([".lock", kept.name])


def test_a_claimed_directory_is_for_its_owner_only(tmp_path: Path) -> None:
    with claimed(tmp_path) as directory:
        assert oct(os.stat(directory).st_mode & 0o777) == "0o700"
