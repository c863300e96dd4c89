"""Disks of others, in all formats, taken into a store and made again from there, bit for bit."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.adopt import in_child
from tests.adopt.disks import BOOT_UUID, FSTAB, MIB, ROOT_UUID, disk_of, esp, ext, system, whole_disk

from goldsmith.disk.adopt.keep import adopt
from goldsmith.disk.digest import disk_digest, sha256_sparse
from goldsmith.disk.stored import raw_disk
from goldsmith.effects.process import run
from goldsmith.errors import InputError
from goldsmith.model.diskmap import Source
from goldsmith.store.archives import write_image
from goldsmith.store.diskmap import read_map
from goldsmith.store.home import Home
from goldsmith.store.images import layout_of
from goldsmith.store.record import parts_of
from goldsmith.store.tree import read_index

QEMU = {"qcow2": "qcow2", "vmdk": "vmdk", "vhd": "vpc", "vhdx": "vhdx", "vdi": "vdi"}
"""What qemu-img calls a format."""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An empty data directory."""
    return Home(tmp_path / "home")


def test_a_disk_is_taken_in_and_made_again_bit_for_bit(home: Home, tmp_path: Path) -> None:
    disk = whole_disk(tmp_path)
    found = adopt(disk, name="vendor", version="1.0.0", home=home)
    layout = layout_of(home)
    parts = parts_of(layout, found.image.index, "vendor")
    index = read_index(layout, parts.tree_index.digest)
    assert found.image.facts["disk_digest"] == disk_digest(disk)
    assert sha256_sparse(raw_disk(home, found.image)) == sha256_sparse(disk)
    disk_map = read_map(layout, parts.disk_map.digest, index)
    from_files = sum(run.blocks for run in disk_map.runs if run.source is Source.FILE) * 4096
    assert from_files > 3 * MIB
    assert disk_map.literal_bytes < 3 * MIB
    assert sorted(index.entries) == sorted(expected_paths())
    assert found.system is not None
    assert [(x.part.number, x.kind) for x in found.system.file_systems] == [
        (1, "vfat"),
        (2, "ext4"),
        (3, "ext4"),
    ]
    assert found.system.mounted == (("/boot", 2),)
    assert found.recognised.kernels == ("6.1",)


def expected_paths() -> set[str]:
    """The paths of the whole disk's tree: what /boot had is covered, and the ESP belongs to the disk."""
    paths = {path for path in system() if not path.startswith("/boot/")} | {"/boot/vmlinuz-6.1"}
    for path in [*paths]:
        above = path.rpartition("/")[0]
        while above:
            paths.add(above)
            above = above.rpartition("/")[0]
    return paths


FORMS = {
    "1 KiB blocks": ("-t", "ext4", "-b", "1024"),
    "ext3": ("-t", "ext3"),
    "ext2 with 2 KiB blocks": ("-t", "ext2", "-b", "2048"),
    "bytes in inodes": ("-t", "ext4", "-O", "inline_data"),
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_of_ext_is_made_again(name: str, home: Home, tmp_path: Path) -> None:
    disk = whole_disk(tmp_path, *FORMS[name])
    found = adopt(disk, name="vendor", version="1.0.0", home=home)
    assert sha256_sparse(raw_disk(home, found.image)) == sha256_sparse(disk)


def test_what_lies_behind_the_end_of_a_file_is_kept(home: Home, tmp_path: Path) -> None:
    disk = whole_disk(tmp_path)
    data = bytearray(disk.read_bytes())
    at = data.index(b"twice" * 3000) + 15_000
    data[at : at + 6] = b"behind"
    disk.write_bytes(data)
    found = adopt(disk, name="vendor", version="1.0.0", home=home)
    assert sha256_sparse(raw_disk(home, found.image)) == sha256_sparse(disk)


def test_a_disk_without_a_table_is_taken_in(home: Home, tmp_path: Path) -> None:
    disk = ext(tmp_path / "root", system(""), ROOT_UUID, "-t", "ext4")
    found = adopt(disk, name="vendor", version="1.0.0", home=home)
    assert found.system is not None
    assert found.system.table == "none"
    assert sha256_sparse(raw_disk(home, found.image)) == sha256_sparse(disk)


def test_an_end_that_is_no_whole_block_is_kept(home: Home, tmp_path: Path) -> None:
    disk = ext(tmp_path / "root", system(""), ROOT_UUID, "-t", "ext4")
    with disk.open("ab") as stream:
        stream.write(b"end" * 333)
    found = adopt(disk, name="vendor", version="1.0.0", home=home)
    assert sha256_sparse(raw_disk(home, found.image)) == sha256_sparse(disk)


@pytest.mark.parametrize("name", QEMU)
def test_every_format_gives_the_same_disk(name: str, home: Home, tmp_path: Path) -> None:
    disk = whole_disk(tmp_path)
    packed = tmp_path / f"disk.{name}"
    options = ["-o", "subformat=fixed,force_size"] if name == "vhd" else []
    run(["qemu-img", "convert", "-f", "raw", "-O", QEMU[name], *options, str(disk), str(packed)])
    facts = in_child.adopt(packed, home)
    assert facts["format"] == name
    assert facts["disk_digest"] == disk_digest(disk)


def test_sub_formats_and_packed_files_give_the_same_disk(home: Home, tmp_path: Path) -> None:
    disk = whole_disk(tmp_path)
    made = {
        "stream.vmdk": ("vmdk", "subformat=streamOptimized"),
        "dynamic.vhd": ("vpc", "subformat=dynamic,force_size"),
        "zstd.qcow2": ("qcow2", "compression_type=zstd"),
    }
    for name, (kind, options) in made.items():
        run(["qemu-img", "convert", "-f", "raw", "-O", kind, "-o", options, str(disk), str(tmp_path / name)])
    run(["xz", "-0", "-k", str(tmp_path / "zstd.qcow2")])
    for name in [*made, "zstd.qcow2.xz"]:
        assert in_child.adopt(tmp_path / name, home)["disk_digest"] == disk_digest(disk), name


def several_roots(room: Path) -> Path:
    """A disk with two systems."""
    one = ext(room / "one", system(""), ROOT_UUID)
    two = ext(room / "two", system(""), BOOT_UUID)
    return disk_of(room / "disk.raw", ("linux", one), ("linux", two))


def elsewhere(mark: bytes, at: int) -> Callable[[Path], Path]:
    """A disk whose root lies on something else."""

    def make(room: Path) -> Path:
        return disk_of(room / "disk.raw", ("esp", esp(room / "esp")), ("linux", bytes(at) + mark))

    return make


def data_on_xfs(room: Path) -> Path:
    """A system whose /var lies on xfs."""
    root = ext(room / "root", system(f"{FSTAB}/dev/sda2 /var xfs defaults 0 0\n"), ROOT_UUID)
    return disk_of(room / "disk.raw", ("linux", root), ("linux", b"XFSB"))


def mounted_on_a_file(room: Path) -> Path:
    """An fstab that mounts on what is no directory."""
    root = ext(room / "root", system("LABEL=ESP /etc/os-release vfat defaults 0 0\n"), ROOT_UUID)
    return disk_of(room / "disk.raw", ("esp", esp(room / "esp")), ("linux", root))


SYSTEMS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "two systems": (several_roots, "several partitions hold a system: 1, 2"),
    "xfs": (elsewhere(b"XFSB", 0), "xfs in partition 2"),
    "btrfs": (elsewhere(b"_BHRfS_M", 0x10040), "btrfs in partition 2"),
    "LUKS": (elsewhere(b"LUKS\xba\xbe", 0), "LUKS in partition 2"),
    "LVM": (elsewhere(b"LABELONE", 512), "LVM in partition 2"),
    "ntfs": (elsewhere(b"\xeb\x52\x90NTFS    ", 0), "ntfs in partition 2"),
    "nothing": (elsewhere(b"", 0), "no partition holds a system"),
    "/var on xfs": (data_on_xfs, "/var lies on xfs in partition 2"),
    "a mount on a file": (mounted_on_a_file, "no directory"),
}


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_disk_without_a_system_that_can_be_read_is_refused(name: str, home: Home, tmp_path: Path) -> None:
    make, message = SYSTEMS[name]
    disk = make(tmp_path)
    with pytest.raises(InputError) as raised:
        adopt(disk, name="vendor", version="1.0.0", home=home)
    assert message in str(raised.value)
    assert str(disk) in str(raised.value)


def test_one_of_several_systems_can_be_chosen(home: Home, tmp_path: Path) -> None:
    found = adopt(several_roots(tmp_path), name="vendor", version="1.0.0", home=home, root=2)
    assert found.system is not None
    assert found.system.root.part.number == 2


def qcow2(
    path: Path, *, size: int = 8 << 30, backing: bytes = b"", l1: int = 0x30000, l1_size: int = 16
) -> Path:
    """A qcow2 by hand whose every cluster is the same one."""
    head = b"QFI\xfb" + (3).to_bytes(4, "big") + (len(backing) and 0x200).to_bytes(8, "big")
    head += len(backing).to_bytes(4, "big") + (16).to_bytes(4, "big") + size.to_bytes(8, "big") + bytes(4)
    head += (
        l1_size.to_bytes(4, "big")
        + l1.to_bytes(8, "big")
        + (0x10000).to_bytes(8, "big")
        + (1).to_bytes(4, "big")
    )
    head += bytes(12) + bytes(24) + (4).to_bytes(4, "big") + (104).to_bytes(4, "big")
    table, data = 0x40000, 0x50000
    with path.open("wb") as stream:
        stream.write(head.ljust(0x200, b"\0") + backing)
        stream.seek(0x10000)
        stream.write((0x20000).to_bytes(8, "big"))
        stream.seek(0x20000)
        stream.write(b"\0\1" * 6)
        stream.seek(0x30000)
        stream.write((1 << 63 | table).to_bytes(8, "big") * 16)
        stream.seek(table)
        stream.write((1 << 63 | data).to_bytes(8, "big") * 8192)
        stream.seek(data)
        stream.write(b"bomb" * 0x4000)
    return path


def backed(room: Path) -> Path:
    """A qcow2 on top of a file of the host."""
    return qcow2(room / "disk.qcow2", backing=b"/etc/shadow")


def backed_by_a_protocol(room: Path) -> Path:
    """A qcow2 on top of what QEMU would fetch."""
    return qcow2(room / "disk.qcow2", backing=b'json:{"driver":"https","url":"https://localhost/"}')


def with_data_file(room: Path) -> Path:
    """A qcow2 whose data lie in another file."""
    run(
        [
            "qemu-img",
            "create",
            "-q",
            "-f",
            "qcow2",
            "-o",
            f"data_file={room}/secret",
            str(room / "d.qcow2"),
            "8M",
        ]
    )
    return room / "d.qcow2"


def described(room: Path) -> Path:
    """A vmdk that is a text naming a file of the host."""
    path = room / "disk.vmdk"
    path.write_text(
        '# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\ncreateType="monolithicFlat"\n'
        'RW 16 FLAT "/etc/passwd" 0\nddb.adapterType = "ide"\n'
    )
    return path


def changed(kind: str, at: int, value: bytes) -> Callable[[Path], Path]:
    """A sound file in a format with bytes changed; ``at`` counts from the end if it is negative."""

    def make(room: Path) -> Path:
        path = room / f"disk.{kind}"
        run(["qemu-img", "create", "-q", "-f", QEMU[kind], str(path), "64M"])
        data = bytearray(path.read_bytes())
        start = at if at >= 0 else len(data) + at
        data[start : start + len(value)] = value
        path.write_bytes(data)
        return path

    return make


CONTAINERS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "a qcow2 on a file of the host": (backed, "/etc/shadow"),
    "a qcow2 on an address": (backed_by_a_protocol, "json:"),
    "a qcow2 with its data elsewhere": (with_data_file, "d.qcow2"),
    "an encrypted qcow2": (changed("qcow2", 32, (1).to_bytes(4, "big")), "encrypted"),
    "a qcow2 bomb": (lambda room: qcow2(room / "d.qcow2"), "unpacks to"),
    "a qcow2 of 1 EiB": (changed("qcow2", 24, (1 << 60).to_bytes(8, "big")), "d"),
    "a qcow2 with a table beyond its end": (lambda room: qcow2(room / "d.qcow2", l1=1 << 50), "no partition"),
    "a qcow2 with an endless table": (lambda room: qcow2(room / "d.qcow2", l1_size=0xFFFF_FFFF), "qemu-img"),
    "a qcow2 with clusters of 2 TiB": (changed("qcow2", 20, (41).to_bytes(4, "big")), "qemu-img"),
    "a qcow2 of a version to come": (changed("qcow2", 4, (99).to_bytes(4, "big")), "qemu-img"),
    "a vmdk that names a file of the host": (
        described,
        "it only describes a disk, which lies in other files",
    ),
    "a vmdk of 8 ZiB": (changed("vmdk", 12, b"\xff" * 8), "disk.vmdk"),
    "a vmdk with a directory beyond its end": (changed("vmdk", 56, b"\xff" * 7), "disk.vmdk"),
    "a vmdk with grains of no bytes": (changed("vmdk", 20, bytes(8)), "disk.vmdk"),
    "a vhd with a wrong checksum": (changed("vhd", 64, b"\1\2\3\4"), "disk.vhd"),
    "a vhd of blocks of no bytes": (changed("vhd", 512 + 32, bytes(4)), "disk.vhd"),
    "a vhdx without headers": (changed("vhdx", 65536, bytes(2 * 65536)), "qemu-img"),
    "a vhdx with endless regions": (changed("vhdx", 3 * 65536 + 8, b"\xff" * 4), "qemu-img"),
    "a vdi with an endless map": (changed("vdi", 384, b"\xff" * 4), "disk.vdi"),
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_hostile_container_is_refused_within_bounds(name: str, home: Home, tmp_path: Path) -> None:
    make, message = CONTAINERS[name]
    facts = in_child.adopt(make(tmp_path), home, check=False)
    assert facts["error"] == "InputError", facts
    assert message in str(facts["message"]) + str(facts["where"])
    assert facts["seconds"] < 60
    assert facts["peak_mib"] < 250
    left = [path for path in home.path.rglob("*") if path.is_file() and path.stat().st_size > MIB]
    assert left == []


def test_a_disk_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    disk = ext(tmp_path / "root", system(""), ROOT_UUID, "-t", "ext4")

    def touch(doing: str) -> None:
        if doing == "storing":
            os.utime(disk)

    with pytest.raises(Exception, match="changed while it was read"):
        adopt(disk, name="vendor", version="1.0.0", home=Home(tmp_path / "home"), report=touch)
    assert list(layout_of(Home(tmp_path / "home")).refs()) == []


def test_a_large_sparse_disk_costs_what_is_in_it(home: Home, tmp_path: Path) -> None:
    run(["truncate", "-s", "40G", str(tmp_path / "large")])
    top = tmp_path / "tree"
    for name, data in system("").items():
        (top / name.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        (top / name.lstrip("/")).write_bytes(data)
    run(
        [
            "mke2fs",
            "-q",
            "-F",
            "-t",
            "ext4",
            "-E",
            "lazy_itable_init=1",
            "-d",
            str(top),
            str(tmp_path / "large"),
        ]
    )
    facts = in_child.adopt(tmp_path / "large", home)
    assert facts["peak_mib"] < 250
    shutil.rmtree(home.path)


def test_an_archive_of_our_own_brings_its_disk(home: Home, tmp_path: Path) -> None:
    first = adopt(whole_disk(tmp_path), name="vendor", version="1.0.0", home=home)
    write_image(home, first.image, tmp_path / "image.tar")
    found = adopt(tmp_path / "image.tar", name="again", version="2.0.0", home=Home(tmp_path / "other"))
    assert found.format == "oci-archive"
    for fact in ("disk_digest", "tree_digest", "disk_sha256"):
        assert found.image.facts[fact] == first.image.facts[fact]
