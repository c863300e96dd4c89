"""What counts as a disk, and that it is never written."""

import hashlib
import subprocess
from pathlib import Path

import pytest

from goldsmith.errors import InputError
from goldsmith.machine.firmware import firmware_for
from goldsmith.machine.overlay import disk_format, make_overlay
from goldsmith.model.machine import Firmware

pytestmark = pytest.mark.usefixtures("qemu")

SECTOR = 512
RAW = b"\0" * 510 + b"\x55\xaa" + bytes(1 << 20)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "this file is no disk: its first sector has no boot signature (55 aa)"),
        (b"\x55\xaa", "this file is no disk: its first sector has no boot signature (55 aa)"),
        (bytes(4096), "this file is no disk: its first sector has no boot signature (55 aa)"),
        (b"KDMV" + bytes(600), "a VMDK disk cannot be booted directly"),
        (b"vhdxfile" + bytes(600), "a VHDX disk cannot be booted directly"),
        (b"\x1f\x8b" + bytes(600), "a gzip file cannot be booted directly"),
        (b"\x28\xb5\x2f\xfd" + bytes(600), "a zstd file cannot be booted directly"),
    ],
    ids=["empty", "too short", "zeros", "vmdk", "vhdx", "gzip", "zstd"],
)
def test_what_is_no_disk_is_refused_by_name(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "disk"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        disk_format(path)
    assert caught.value.message == message
    assert str(caught.value.where) == str(path)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("name", "found"), [("missing", "nothing"), (".", "a directory")], ids=["a missing file", "a directory"]
)
def test_a_path_that_is_no_file_is_refused(tmp_path: Path, name: str, found: str) -> None:
    with pytest.raises(InputError, match=rf"is no disk image: there is {found}"):
        disk_format(tmp_path / name)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param(
            ["-F", "raw", "-b", "secret", "disk"], "reads another file, its backing file", id="a backing file"
        ),
        pytest.param(
            ["-F", "raw", "-b", "secret", "-o", "compat=0.10", "disk"],
            "reads another file, its backing file",
            id="a backing file of an old version",
        ),
        pytest.param(
            ["-u", "-F", "raw", "-b", 'json:{"driver":"file","filename":"secret"}', "disk", "1M"],
            "reads another file, its backing file",
            id="a backing file in JSON",
        ),
        pytest.param(
            ["-o", "data_file=secret", "disk", "1M"], "reads another file, its data file", id="a data file"
        ),
    ],
)
def test_a_disk_that_shows_its_guest_a_file_of_this_host_is_refused(
    tmp_path: Path, options: list[str], message: str
) -> None:
    (tmp_path / "secret").write_bytes(RAW)
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *options], cwd=tmp_path, check=True)
    with pytest.raises(InputError, match=message):
        disk_format(tmp_path / "disk")


@pytest.mark.parametrize("kind", ["raw", "qcow2"])
@pytest.mark.parametrize(
    ("table", "firmware"),
    [
        pytest.param(
            "label: gpt\nsize=100, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B\n", Firmware.UEFI, id="an ESP"
        ),
        pytest.param("label: gpt\nsize=100, type=linux\n", Firmware.BIOS, id="none"),
        pytest.param("label: dos\nsize=100, type=83\nsize=100, type=ef\n", Firmware.UEFI, id="one in an MBR"),
        pytest.param("label: dos\nsize=100, type=83, bootable\n", Firmware.BIOS, id="none in an MBR"),
        pytest.param("", Firmware.BIOS, id="a boot sector only"),
    ],
)
def test_the_firmware_fits_the_disk(tmp_path: Path, kind: str, table: str, firmware: Firmware) -> None:
    disk = tmp_path / "disk"
    disk.write_bytes(b"\0" * 510 + b"\x55\xaa" + bytes(4 << 20))
    if table:
        subprocess.run(["sfdisk", "-q", disk], input=table, text=True, check=True)
    if kind == "qcow2":
        plain, disk = disk, tmp_path / "disk.qcow2"
        subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", plain, disk], check=True)
    assert firmware_for(disk) is firmware


@pytest.mark.parametrize("kind", ["raw", "qcow2"])
def test_writes_go_to_the_overlay_and_the_disk_stays_as_it_is(tmp_path: Path, kind: str) -> None:
    disk = tmp_path / "disk, with a comma"
    disk.write_bytes(RAW)
    if kind == "qcow2":
        plain, disk = disk, tmp_path / "disk.qcow2"
        subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", str(plain), str(disk)], check=True)
    before = hashlib.sha256(disk.read_bytes()).hexdigest()
    assert disk_format(disk) == kind
    overlay = make_overlay(disk, tmp_path)
    subprocess.run(
        ["qemu-io", "-f", "qcow2", "-c", "write -P 7 0 512", str(overlay)], check=True, capture_output=True
    )
    assert hashlib.sha256(disk.read_bytes()).hexdigest() == before
    read = subprocess.run(
        ["qemu-io", "-f", "qcow2", "-c", "read -P 7 0 512", str(overlay)], check=True, capture_output=True
    )
    assert b"verification failed" not in read.stdout
