import os
import shutil
from pathlib import Path

import pytest
from tests.disk.sources import need_of, source_of

from goldsmith.disk.boot_parts import BootParts, make_boot_parts
from goldsmith.disk.bootloader import boot_files
from goldsmith.disk.digest import disk_digest, sha256_sparse
from goldsmith.disk.formats.table import find_format
from goldsmith.disk.formats.write import write_file
from goldsmith.disk.layout import plan_layout
from goldsmith.disk.make import make_disk
from goldsmith.disk.tools import Tools
from goldsmith.effects.process import run
from goldsmith.model.disk import MIB, Layout, Role
from goldsmith.model.recipe import DiskSpec

EPOCH = 1_700_000_000


def planned(tree: Path, root: str) -> Layout:
    spec = DiskSpec(root=root, headroom=MIB)
    return plan_layout(spec, name="web", architecture="amd64", need=need_of(tree))


def bootable(tree: Path, copy: Path) -> Path:
    """A copy of a tree with what an erofs disk takes out of it."""
    run(["cp", "-a", f"{tree}/.", str(copy)])
    times = (EPOCH - 7, EPOCH - 7)
    (copy / "boot").mkdir(exist_ok=True)
    for name in ("vmlinuz", "initrd.img"):
        (copy / "boot" / name).write_bytes(name.encode() * 999)
        os.utime(copy / "boot" / name, times)
    for path in (copy, copy / "boot"):
        os.utime(path, times)
    return copy


def made(tree: Path, root: str, tools: Tools, room: Path) -> tuple[Layout, BootParts, Path]:
    layout = planned(tree, root)
    parts = make_boot_parts(
        layout, append="quiet", tools=tools, epoch=EPOCH, directory=room, source=source_of(tree)
    )
    make_disk(source_of(tree), layout, tools=tools, epoch=EPOCH, output=room / "disk.raw", parts=parts)
    return layout, parts, room / "disk.raw"


@pytest.mark.parametrize("root", ["ext4", "erofs"])
def test_two_builds_give_one_disk(
    tools: Tools, late_tools: Tools, tree: Path, other_tree: Path, room: Path, root: str
) -> None:
    digests = set()
    for name, source, used in (("first", tree, tools), ("second", other_tree, late_tools)):
        (room / name / "tree").mkdir(parents=True)
        copy = bootable(source, room / name / "tree")
        _, _, disk = made(copy, root, used, room / name)
        qcow2 = room / name / "disk.qcow2"
        write_file(disk, qcow2, find_format("qcow2"), jobs=2)
        digests.add((disk_digest(disk), sha256_sparse(disk), sha256_sparse(qcow2)))
    assert len(digests) == 1


def test_every_part_lies_where_the_layout_says(tools: Tools, tree: Path, room: Path) -> None:
    layout, parts, disk = made(tree, "ext4", tools, room)
    bios, esp = layout.find(Role.BIOS), layout.find(Role.ESP)
    assert bios
    assert esp
    assert parts.esp
    assert disk.stat().st_size == layout.size
    with disk.open("rb") as stream:
        content = stream.read()
    assert content[:440] == parts.code
    assert content[bios.start : bios.start + len(parts.core)] == parts.core
    assert content[esp.start : esp.end] == parts.esp.read_bytes()
    assert content[layout.root.start + 1080 : layout.root.start + 1082] == b"\x53\xef"
    assert {path.name for path in room.iterdir()} == {"core.img", "disk.raw", "esp.img", "grub.cfg"}


def test_the_disk_takes_no_more_space_than_its_content(tools: Tools, tree: Path, room: Path) -> None:
    layout, _, disk = made(tree, "ext4", tools, room)
    assert disk.stat().st_blocks * 512 < layout.size // 4


def test_a_disk_that_is_there_is_replaced_as_a_whole(tools: Tools, tree: Path, room: Path) -> None:
    layout, parts, disk = made(tree, "ext4", tools, room)
    before = disk_digest(disk)
    shutil.copy(disk, room / "other")
    disk.write_bytes(b"\xff" * layout.size)
    make_disk(source_of(tree), layout, tools=tools, epoch=EPOCH, output=disk, parts=parts)
    assert disk_digest(disk) == before


def test_boot_files_are_part_of_the_disk(tools: Tools, tree: Path, room: Path) -> None:
    (room / "tree").mkdir()
    copy = bootable(tree, room / "tree")
    layout = planned(copy, "ext4")
    digests = []
    for append in ("quiet", "debug"):
        for path, data in boot_files(layout, append=append).items():
            (copy / path.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
            (copy / path.lstrip("/")).write_bytes(data)
        _, _, disk = made(copy, "ext4", tools, room)
        digests.append(disk_digest(disk))
    assert digests[0] != digests[1]
