"""The agent in a throwaway copy: when it is written, that it is whole, and that the disk itself stays as it was."""

import hashlib
import shutil
import struct
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from goldsmith.machine.agent import UNIT, Agent
from goldsmith.machine.planted import COPY, debugfs, with_agent

AGENT = Agent(nonce="5eed", patience=240)
START, SIZE = 1 << 20, 8 << 20
LINUX = 0x83
OLD, NEW = "libsystemd-shared-252.so", "libsystemd-shared-257.so"
ARCHITECTURES, MERGED, SPLIT = "usr/lib/x86_64-linux-gnu/systemd", "usr/lib/systemd", "lib/systemd"

pytestmark = pytest.mark.skipif(
    shutil.which("mke2fs", path="/sbin:/usr/sbin") is None, reason="needs e2fsprogs"
)


def sbin(*words: str | Path, check: bool = True) -> "subprocess.CompletedProcess[bytes]":
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    return subprocess.run([*map(str, words)], env=env, check=check, capture_output=True)


def disk_with(room: Path, library: str, *, units: bool = True) -> Path:
    """A disk with one partition, on it an ext4 file system with what is looked for."""
    tree = room / "tree"
    tree.mkdir()
    if library:
        (tree / library).parent.mkdir(parents=True)
        (tree / library).write_bytes(b"library")
    if units:
        (tree / "etc/systemd/system").mkdir(parents=True)
    entry = struct.pack("<B3sB3sII", 0, bytes(3), LINUX, bytes(3), START // 512, SIZE // 512)
    disk = room / "disk.raw"
    disk.write_bytes((bytes(446) + entry).ljust(510, b"\0") + b"\x55\xaa" + bytes(START + SIZE - 512))
    size = f"{SIZE // 1024}k"
    sbin("mke2fs", "-q", "-F", "-t", "ext4", "-E", f"offset={START}", "-d", tree, disk, size)
    return disk


def broken_table(disk: Path) -> None:
    """A partition that reaches beyond the disk."""
    with disk.open("r+b") as stream:
        stream.seek(446 + 12)
        stream.write(struct.pack("<I", 1 << 30))


def dirty(disk: Path) -> None:
    debugfs(disk, START, ["feature needs_recovery"], write=True)


def full(disk: Path) -> None:
    (disk.parent / "filler").write_bytes(bytes(range(256)) * (SIZE // 256))
    debugfs(disk, START, [f"write {disk.parent}/filler filler"], write=True)


def nothing(_disk: Path) -> None:
    """As it is."""


@dataclass(frozen=True)
class Case:
    """A disk, and whether it gets the agent."""

    name: str
    library: str
    gets: bool
    units: bool = True
    change: Callable[[Path], None] = nothing


CASES = (
    Case("Debian 12", f"{ARCHITECTURES}/{OLD}", gets=True),
    Case("where all libraries are in one directory", f"{MERGED}/{OLD}", gets=True),
    Case("with /lib apart", f"{SPLIT}/{OLD}", gets=True),
    Case("the last without units from credentials", f"{MERGED}/libsystemd-shared-255.so", gets=True),
    Case("a version with a tail", f"{MERGED}/libsystemd-shared-249.11-0ubuntu3.so", gets=True),
    Case("Debian 13 needs none", f"{ARCHITECTURES}/{NEW}", gets=False),
    Case("the first that needs none", f"{MERGED}/libsystemd-shared-256.so", gets=False),
    Case("no systemd", "", gets=False),
    Case("a table that is wrong", f"{MERGED}/{OLD}", gets=False, change=broken_table),
    Case("a file system that was not unmounted", f"{MERGED}/{OLD}", gets=False, change=dirty),
    Case("a full file system", f"{MERGED}/{OLD}", gets=False, change=full),
    Case("no directory of units", f"{MERGED}/{OLD}", gets=False, units=False),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_agent_is_written_where_it_is_needed(case: Case, tmp_path: Path) -> None:
    disk = disk_with(tmp_path, case.library, units=case.units)
    case.change(disk)
    before = hashlib.sha256(disk.read_bytes()).hexdigest()
    room = tmp_path / "machine"
    room.mkdir()
    found = with_agent(disk, room, AGENT)
    assert hashlib.sha256(disk.read_bytes()).hexdigest() == before
    assert (found == room / COPY) == case.gets
    assert case.gets or found == disk
    if case.gets:
        assert_planted(found)


@pytest.mark.skipif(shutil.which("qemu-img") is None, reason="needs qemu-utils")
@pytest.mark.parametrize(("library", "gets"), [(OLD, True), (NEW, False)], ids=["old", "new"])
def test_a_qcow2_disk_is_looked_into_as_well(library: str, gets: bool, tmp_path: Path) -> None:
    raw = disk_with(tmp_path, f"{MERGED}/{library}")
    sbin("qemu-img", "convert", "-O", "qcow2", raw, tmp_path / "disk.qcow2")
    found = with_agent(tmp_path / "disk.qcow2", tmp_path, AGENT)
    if gets:
        assert_planted(found)
    else:
        assert found == tmp_path / "disk.qcow2"
        assert not (tmp_path / COPY).exists()


def assert_planted(disk: Path) -> None:
    """The script and its unit are whole, systemd will start it, and the file system is sound."""
    system = "/etc/systemd/system"
    assert debugfs(disk, START, [f"cat {system}/goldsmith-report.sh"]).endswith(AGENT.script)
    unit = debugfs(disk, START, [f"cat {system}/{UNIT}"])
    assert f"ExecStart=/bin/sh {system}/goldsmith-report.sh\n" in unit
    link = debugfs(disk, START, [f"stat {system}/sysinit.target.wants/{UNIT}"])
    assert f'Fast link dest: "{system}/{UNIT}"' in link or "Type: symlink" in link
    facts = debugfs(disk, START, [f"stat {system}/goldsmith-report.sh"])
    assert "Mode:  0644" in facts
    assert "User:     0   Group:     0" in facts
    assert sbin("e2fsck", "-f", "-n", f"{disk}?offset={START}", check=False).returncode == 0
