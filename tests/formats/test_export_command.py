"""``goldsmith export``: its words, its exit codes, what it prints where."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.store.kept import keep

from goldsmith.disk.stored import place, raw_disk
from goldsmith.store.home import Home
from goldsmith.store.images import StoredImage, layout_of

MIB = 1 << 20
Export = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def home(room: Path) -> Home:
    return Home(room / "home")


@pytest.fixture
def image(home: Home, mixed: Path) -> StoredImage:
    """``web:1.2.0`` in a store, with the mixed disk."""
    return keep(home, mixed)


@pytest.fixture
def export(home: Home, room: Path) -> Export:
    def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", "from goldsmith.cli.main import main; main()", "export", *words],
            env={**os.environ, "GOLDSMITH_HOME": str(home.path)},
            cwd=room,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run


@pytest.mark.usefixtures("image")
def test_an_image_and_its_disks_path_give_the_same_file(mixed: Path, export: Export, room: Path) -> None:
    done = export("web", "--format", "vmdk", "--output", "a.vmdk")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("web exported as vmdk in ")
    assert lines[1].startswith("  file   a.vmdk (0.")
    assert lines[2] == "  for    EC2 (VM import), vSphere (in an OVF), VirtualBox"
    assert export(mixed, "--format", "vmdk", "--output", "b.vmdk").returncode == 0
    assert (room / "a.vmdk").read_bytes() == (room / "b.vmdk").read_bytes()


@pytest.mark.usefixtures("image")
def test_json_is_one_object(export: Export, room: Path) -> None:
    done = export("web:1.2.0", "--format", "vhd", "--output", "web.vhd", "--json")
    facts = json.loads(done.stdout)
    assert facts.pop("seconds") >= 0
    assert facts == {
        "ref": "web:1.2.0",
        "format": "vhd",
        "path": str(room / "web.vhd"),
        "size": 9 * MIB + 512,
        "disk_size": 9 * MIB,
        "sha256": hashlib.sha256((room / "web.vhd").read_bytes()).hexdigest(),
    }


def test_an_old_file_is_replaced_and_nothing_else_is_left(mixed: Path, export: Export, room: Path) -> None:
    (room / "out").mkdir()
    (room / "out/web.qcow2").write_bytes(b"old")
    assert export(mixed, "--format", "qcow2", "--output", "out/web.qcow2").returncode == 0
    assert [path.name for path in (room / "out").iterdir()] == ["web.qcow2"]
    assert (room / "out/web.qcow2").read_bytes().startswith(b"QFI")


def test_a_damaged_image_is_not_exported(image: StoredImage, home: Home, export: Export, room: Path) -> None:
    disk = layout_of(home).children(image.index.digest)[1]
    literals = layout_of(home).children(disk.digest)[-1]
    layout_of(home).blobs.path(literals.digest).write_bytes(b"x" * literals.size)
    done = export("web", "--format", "raw", "--output", "web.raw")
    assert done.returncode == 4
    assert done.stderr.startswith(f"goldsmith: object {literals.digest} is damaged: it cannot be unpacked")
    assert not (room / "web.raw").exists()


def test_a_kept_disk_that_changed_while_the_machine_was_off_is_made_again(
    image: StoredImage, home: Home, mixed: Path, export: Export, room: Path
) -> None:
    disk = raw_disk(home, image)
    assert disk == place(home, str(image.facts["disk_digest"]))
    disk.with_suffix(".boot").write_text("another start")
    with disk.open("r+b") as stream:
        stream.write(b"x")
    assert export("web", "--format", "raw", "--output", "web.raw").returncode == 0
    assert (room / "web.raw").read_bytes() == mixed.read_bytes()


@pytest.mark.usefixtures("image")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(
            ["web", "--format", "vmkd", "--output", "out"],
            "there is no format 'vmkd' yet\n  hint: did you mean 'vmdk'?",
            id="a misspelt format",
        ),
        pytest.param(
            ["wep", "--format", "raw", "--output", "out"],
            "there is no image 'wep' in HOME\n  hint: there are: web:1.2.0",
            id="an unknown image",
        ),
        pytest.param(
            ["./nothing.raw", "--format", "raw", "--output", "out"],
            "'./nothing.raw' does not exist\n  hint: name an image, or the path of a raw disk",
            id="a path that is not there",
        ),
        pytest.param(
            ["./", "--format", "raw", "--output", "out"],
            "'./' is no file\n  hint: name an image, or the path of a raw disk",
            id="a directory as the disk",
        ),
        pytest.param(
            ["./packed", "--format", "raw", "--output", "out"],
            "'./packed' is a qcow2 file, not a raw disk\n"
            "  hint: convert it first: qemu-img convert -O raw packed disk.raw",
            id="a disk in another format",
        ),
        pytest.param(
            ["web", "--format", "raw", "--output", "home"],
            "--output 'home' is a directory\n  hint: name the file to write in it",
            id="a directory as the output",
        ),
        pytest.param(
            ["web", "--format", "raw", "--output", "/dev/null"],
            "--output '/dev/null' is no ordinary file\n  hint: name another file",
            id="a device as the output",
        ),
        pytest.param(
            ["web", "--format", "raw", "--output", "no/where"],
            "--output 'no/where': there is no directory 'no'\n  hint: make it, or name another",
            id="an output in a directory that is not there",
        ),
        pytest.param(
            ["./disk.raw", "--format", "qcow2", "--output", "disk.raw"],
            "--output 'disk.raw' is the disk that is exported\n  hint: name another file",
            id="the disk itself as the output",
        ),
    ],
)
def test_words_that_are_refused(export: Export, room: Path, words: list[str], said: str) -> None:
    (room / "packed").write_bytes(b"QFI\xfb" + bytes(600))
    done = export(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.replace(str(room / "home"), "HOME") == f"goldsmith: {said}\n"
    assert not (room / "out").exists()


def test_errors_are_json_too(export: Export) -> None:
    done = export("web", "--format", "x", "--output", "out", "--json")
    assert json.loads(done.stdout)["message"] == "there is no format 'x' yet"


def test_ctrl_c_leaves_the_old_file_and_nothing_else(home: Home, room: Path) -> None:
    with (room / "large.raw").open("wb") as stream:
        for number in range(400):
            stream.write(random.Random(number).randbytes(MIB))
    (room / "out").mkdir()
    (room / "out/web.vmdk").write_bytes(b"old")
    command = "from goldsmith.cli.main import main; main()"
    words = ["export", "./large.raw", "--format", "vmdk", "--output", "out/web.vmdk"]
    with subprocess.Popen(
        [sys.executable, "-c", command, *words],
        env={**os.environ, "GOLDSMITH_HOME": str(home.path)},
        cwd=room,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        deadline = time.monotonic() + 60
        while not any(path.stat().st_size for path in (room / "out").glob(".web.vmdk.*")):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said.strip()) == (130, "goldsmith: interrupted")
    assert [path.name for path in (room / "out").iterdir()] == ["web.vmdk"]
    assert (room / "out/web.vmdk").read_bytes() == b"old"
