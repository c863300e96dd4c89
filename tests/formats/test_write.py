"""What is refused before it starts, and what is left when it fails."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from goldsmith.disk.formats.recognise import recognise
from goldsmith.disk.formats.table import find_format
from goldsmith.disk.formats.write import export_file
from goldsmith.effects.process import run
from goldsmith.errors import UsageError
from goldsmith.model.format import NAMES

KIB, MIB, GIB, TIB = 1 << 10, 1 << 20, 1 << 30, 1 << 40
MakeDisk = Callable[[int, Iterable[tuple[int, bytes]]], Path]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        pytest.param("qcow", "did you mean 'qcow2'?", id="a misspelt name"),
        pytest.param("VHDX", "did you mean 'vhdx'?", id="capitals"),
        pytest.param(".vmdk", "did you mean 'vmdk'?", id="a suffix"),
        pytest.param(
            "iso",
            "there are: raw, qcow2, vmdk, vhd, vhdx, vdi, gcp, tar, oci-archive",
            id="a name like none of those known",
        ),
        pytest.param("", "there are: raw, qcow2, vmdk, vhd, vhdx, vdi, gcp, tar, oci-archive", id="no name"),
    ],
)
def test_an_unknown_format_is_refused(name: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        find_format(name)
    assert caught.value.message == f"there is no format {name!r} yet"
    assert caught.value.hint == hint


@pytest.mark.parametrize(
    ("name", "size", "most"),
    [
        pytest.param("vhd", 32768 * GIB, 35183298347008, id="vhd holds what Azure takes"),
        pytest.param("vhdx", 64 * TIB + 512, 64 * TIB, id="vhdx holds 64 TiB"),
        pytest.param("vmdk", 62 * TIB + 512, 62 * TIB, id="vmdk holds what vSphere takes"),
    ],
)
def test_a_disk_that_is_too_large_is_refused(
    room: Path, disk: MakeDisk, name: str, size: int, most: int
) -> None:
    row = find_format(name)
    with pytest.raises(UsageError) as caught:
        export_file(disk(size, []), room / "out", row, jobs=1, digest="sha256:00")
    rounded = -(-size // row.unit) * row.unit
    assert caught.value.message == f"the disk has {rounded} bytes, and {name} holds at most {most}"
    assert not (room / "out").exists()


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_disk_is_refused(room: Path, disk: MakeDisk, name: str) -> None:
    with pytest.raises(UsageError, match=re.escape(f"'{room}/disk.raw' is empty")):
        export_file(disk(0, []), room / "out", find_format(name), jobs=1)


SCRIPT = """
import os, sys
from pathlib import Path
from goldsmith.disk.formats.table import find_format
from goldsmith.disk.formats.write import export_file
from goldsmith.effects.namespace import enter, mount
from goldsmith.errors import NoSpace
small = Path(sys.argv[2])
enter(); mount("tmpfs", str(small), "tmpfs", 0, "size=3m")
(small / "out").write_bytes(b"old")
try:
    export_file(Path(sys.argv[1]), small / "out", find_format(sys.argv[3]), jobs=2)
except NoSpace as error:
    print(error.message)
print(os.listdir(small), (small / "out").stat().st_size)
"""


def export_to_three_mebibytes(raw: Path, room: Path, name: str) -> list[str]:
    (room / "small").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(raw), str(room / "small"), name],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.splitlines()


@pytest.mark.parametrize("name", ["raw", "vhd", "vhdx", "vdi"])
def test_too_little_room_is_known_before_anything_is_written(room: Path, disk: MakeDisk, name: str) -> None:
    raw = disk(64 * MIB, [(0, b"x" * 8 * MIB)])
    said = export_to_three_mebibytes(raw, room, name)
    assert said == [f"{name} needs about 9 MiB in {room}/small, and 2 MiB are free", "['out'] 3"]


@pytest.mark.parametrize("name", ["qcow2", "vmdk", "gcp"])
def test_a_file_system_that_fills_up_keeps_the_old_file_only(room: Path, name: str) -> None:
    raw = room / "disk.raw"
    with raw.open("wb") as stream, Path("/dev/urandom").open("rb") as noise:
        stream.write(noise.read(8 * MIB))
    said = export_to_three_mebibytes(raw, room, name)
    assert said == [f"no space left while writing {room}/small/out", "['out'] 3"]


def test_zeros_that_were_written_need_no_room(room: Path, disk: MakeDisk) -> None:
    raw = disk(8 * MIB, [(0, bytes(8 * MIB)), (5, b"x")])
    old, size = export_to_three_mebibytes(raw, room, "raw")[0].split("] ")
    assert (old, size) == ("['out'", str(8 * MIB))


@pytest.mark.parametrize("name", ["qcow2", "vmdk", "vhd", "vhdx", "vdi"])
def test_a_disk_in_a_format_is_recognised_ours_and_qemus(
    room: Path, mixed: Path, convert: Callable[[Path, str], Path], name: str
) -> None:
    assert recognise(convert(mixed, name)) == name
    run(["qemu-img", "create", "-q", "-f", "vpc" if name == "vhd" else name, str(room / "qemu"), "16M"])
    assert recognise(room / "qemu") == name


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        pytest.param(b"", "", id="an empty file"),
        pytest.param(b"x" * 100, "", id="a file shorter than a footer"),
        pytest.param(b"\xeb\x63\x90".ljust(512, b"\0"), "", id="a boot sector"),
        pytest.param(b"\x1f\x8b\x08" + bytes(600), "gzip", id="a compressed disk"),
        pytest.param(bytes(1024) + b"conectix" + bytes(504), "vhd", id="a footer at the end"),
        pytest.param(
            bytes(1024) + b"conectix" + bytes(503), "", id="a footer that is not the last 512 bytes"
        ),
    ],
)
def test_recognised_by_marks(tmp_path: Path, data: bytes, kind: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    assert recognise(path) == kind
