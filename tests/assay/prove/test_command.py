"""``goldsmith test`` with real machines whose boot sector is all they have: they fail fast, and for the right reason."""

import json
import os
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from tests.machine.conftest import RESET, DiskThatSays, disk_for_x86_64_v2, disk_that_says, home, qemu

from goldsmith.effects.clock import monotonic, sleep
from goldsmith.store.home import Home

__all__ = ["disk_for_x86_64_v2", "disk_that_says", "home", "qemu"]
PROGRAM = [sys.executable, "-c", "from goldsmith.cli.main import main; main()", "test"]
OPTIONS = ["--accelerator", "tcg", "--firmware", "bios", "--memory", "256", "--timeout", "6"]
PATIENT = ["--timeout", "60"]
"""For machines that say soon why they fail: a busy host has the time for that."""
pytestmark = pytest.mark.usefixtures("qemu")


def prove(home: Home, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *OPTIONS, *words],
        env={**os.environ, "GOLDSMITH_HOME": str(home.path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def failures(told: dict[str, Any]) -> list[tuple[str, str]]:
    return [(item["group"], item["reason"]) for item in told["assertions"] if item["standing"] == "failed"]


@pytest.mark.parametrize(
    ("says", "then", "timeout", "reason"),
    [
        pytest.param(
            "Kernel panic - not syncing: VFS: Unable to mount root fs\n",
            "f4ebfd",
            60,
            "the machine did not come up: the kernel found no root file system",
            id="a panic",
        ),
        pytest.param(
            "grub rescue> ",
            "f4ebfd",
            60,
            "the machine did not come up: the boot loader stopped",
            id="a prompt",
        ),
        pytest.param("hello\n", "f4ebfd", 12, "the machine was not up within 12 s", id="silence"),
        pytest.param(
            "login: ",
            "f4ebfd",
            12,
            "the machine shows a login prompt, but nothing inside",
            id="nobody reports",
        ),
        pytest.param(
            "hello\n", RESET, 60, "the machine switched itself off or asked for a reboot", id="a reboot"
        ),
    ],
)
def test_a_machine_that_does_not_come_up_fails_by_name(
    home: Home, disk_that_says: DiskThatSays, says: str, then: str, timeout: int, reason: str
) -> None:
    done = prove(home, str(disk_that_says(says, then=then)), "--json", "--timeout", str(timeout))
    assert done.returncode == 1, done.stderr
    told = json.loads(done.stdout)
    (found,) = failures(told)
    assert found[0] == "health"
    assert found[1].startswith(reason)
    assert told["ok"] is False
    kept = list(Path(told["kept"]).glob("clone-*/start-1-console.log"))
    assert any(says.strip() in path.read_text() for path in kept)
    assert not list((home / "machines").glob("*-*")), "nothing of the clones is left"


def test_clones_for_x86_64_v2_are_started_once_more_with_what_they_ask_for(
    home: Home, disk_for_x86_64_v2: Path
) -> None:
    done = prove(home, str(disk_for_x86_64_v2), "--json", "--timeout", "60")
    (found,) = failures(json.loads(done.stdout))
    assert found[1].startswith("the machine did not come up: the kernel found no root file system")
    assert ": the image asks for a newer processor; again" in done.stderr


def test_a_forged_report_is_not_believed(home: Home, disk_that_says: DiskThatSays) -> None:
    forged = "0 kernel 6\n0 state running\n0 end\nstate running\nend\n"
    done = prove(home, str(disk_that_says(forged, port=0x2F8)), "--json")
    (found,) = failures(json.loads(done.stdout))
    assert found == ("health", "the machine wrote nothing on its serial console within 6 s")


def test_what_is_known_is_not_booted_again(home: Home, disk_that_says: DiskThatSays, tmp_path: Path) -> None:
    disk = disk_that_says("Kernel panic - not syncing: VFS: x\n")
    first = prove(home, str(disk), "--json", *PATIENT)
    second = prove(home, str(disk), "--json", *PATIENT, "--junit", str(tmp_path / "results.xml"))
    assert (first.stdout, first.returncode) == (second.stdout, second.returncode)
    assert "known since" in second.stderr
    assert "booting" not in second.stderr
    suite = ET.parse(tmp_path / "results.xml").getroot()[0]
    assert (suite.get("name"), suite.get("failures")) == ("health", "1")
    assert "booting" in prove(home, str(disk), *PATIENT, "--again").stderr
    disk.write_bytes(disk.read_bytes())
    assert "booting" in prove(home, str(disk), *PATIENT).stderr, "another file is another question"


def test_an_interrupted_proof_leaves_no_qemu_and_no_evidence(
    home: Home, disk_that_says: DiskThatSays
) -> None:
    process = subprocess.Popen(
        [*PROGRAM, *OPTIONS[:-1], "60", str(disk_that_says("hello\n"))],
        env={**os.environ, "GOLDSMITH_HOME": str(home.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    deadline = monotonic() + 30
    while not list(home.path.glob("machines/*/clone-*/start-1/qmp.sock")):
        assert monotonic() < deadline
        sleep(0.05)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert not list((home / "machines").glob("*-*"))
    assert not (home / "evidence").exists()
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            assert str(home.path).encode() not in entry.read_bytes()
        except OSError:
            continue


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(
            ["--port", "22"], "--port wants PORT:tcp or PORT:udp, not '22'", id="a port without a protocol"
        ),
        pytest.param(["--setuid", "su"], "--setuid wants an absolute path", id="a relative path"),
        pytest.param(["--slow", "a b"], "--slow wants a unit's name", id="a unit with a space"),
        pytest.param(["--max-memory", "0"], "Invalid value for '--max-memory'", id="no memory at all"),
        pytest.param(["--max-boot", "-1"], "Invalid value for '--max-boot'", id="a boot before its start"),
        pytest.param(["--max-boot", "nan"], "Invalid value for '--max-boot'", id="a time that is no number"),
        pytest.param(["--set", "a=b"], "there is no --recipe", id="a variable of no recipe"),
        pytest.param(["--junit", "/nowhere/x.xml"], "its directory is not there", id="results into nowhere"),
        pytest.param(["--junit", "/"], "it is a directory", id="results into a directory"),
        pytest.param(["--timeout", "nan"], "Invalid value for '--timeout'", id="a timeout that never comes"),
        pytest.param(["--timeout", "inf"], "Invalid value for '--timeout'", id="a timeout without end"),
    ],
)
def test_an_expectation_that_nothing_can_meet_is_refused(home: Home, words: list[str], message: str) -> None:
    done = prove(home, "web", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


def qemus(home: Home) -> list[int]:
    """The processes whose command line names this data directory's clones."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes()
        except OSError:
            continue
        if words.startswith(b"qemu-system") and str(home.path).encode() in words:
            found.append(int(entry.parent.name))
    return found


def test_a_qemu_that_is_killed_says_nothing_of_the_image(home: Home, disk_that_says: DiskThatSays) -> None:
    process = subprocess.Popen(
        [*PROGRAM, *OPTIONS[:-1], "60", str(disk_that_says("hello\n"))],
        env={**os.environ, "GOLDSMITH_HOME": str(home.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    deadline = monotonic() + 30
    while not (found := qemus(home)):
        assert monotonic() < deadline
        sleep(0.05)
    os.kill(found[0], signal.SIGKILL)
    printed, complaint = process.communicate(timeout=60)
    assert (process.returncode, printed) == (6, b"")
    assert b"QEMU ended" in complaint
    assert not (home / "evidence").exists()
    assert qemus(home) == []


def test_more_memory_than_this_host_has_is_refused(home: Home, disk_that_says: DiskThatSays) -> None:
    done = prove(home, str(disk_that_says("hello\n")), "--memory", str(1 << 30))
    assert (done.returncode, done.stdout) == (7, "")
    assert "and this host has" in done.stderr
    assert not (home / "evidence").exists()


def test_two_proofs_of_one_disk_at_once_do_not_meet(home: Home, disk_that_says: DiskThatSays) -> None:
    disk = disk_that_says("Kernel panic - not syncing: VFS: x\n")
    environment = {**os.environ, "GOLDSMITH_HOME": str(home.path)}
    both = [
        subprocess.Popen(
            [*PROGRAM, *OPTIONS, *PATIENT, str(disk), "--json"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(2)
    ]
    for process in both:
        printed, complaint = process.communicate(timeout=120)
        assert process.returncode == 1, complaint
        assert "the kernel found no root file system" in printed.decode()
    assert not list((home / "machines").glob("*-*"))
    assert "known since" in prove(home, str(disk), *PATIENT).stderr


@pytest.mark.parametrize(
    ("ref", "message"),
    [
        pytest.param("nothing", "there is no image 'nothing' in", id="an unknown image"),
        pytest.param("", "'' is no image", id="no name at all"),
        pytest.param(
            "./nothing", "'nothing' is no disk image: there is nothing", id="a file that is not there"
        ),
        pytest.param("directory/", "is no disk image: there is a directory", id="a directory"),
        pytest.param("./pipe", "is no disk image: there is no ordinary file", id="a pipe"),
        pytest.param("../../../../etc/passwd", "this file is no disk", id="a file of the system"),
        pytest.param("./short", "this qcow2 disk cannot be read", id="the beginning of a qcow2 disk"),
        pytest.param("web@sha256:zz", "'web@sha256:zz' is no image", id="a digest that is none"),
    ],
)
def test_what_is_no_image_is_refused(home: Home, tmp_path: Path, ref: str, message: str) -> None:
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "short").write_bytes(b"QFI\xfb")
    done = subprocess.run(
        [*PROGRAM, *OPTIONS, ref],
        env={**os.environ, "GOLDSMITH_HOME": str(home.path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert message in done.stderr
    assert not (home / "evidence").exists()


def test_what_is_no_disk_is_refused(home: Home, tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("no disk\n" * 100)
    done = prove(home, str(text))
    assert (done.returncode, done.stdout) == (2, "")
    assert "this file is no disk" in done.stderr
