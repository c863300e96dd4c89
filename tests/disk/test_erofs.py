from pathlib import Path

import pytest
from tests.disk.sources import need_of, source_of

from goldsmith.disk.digest import disk_digest
from goldsmith.disk.erofs import make_erofs
from goldsmith.disk.layout import plan_layout
from goldsmith.disk.make import make_empty
from goldsmith.disk.tools import Tools
from goldsmith.effects.sandbox import Bind
from goldsmith.errors import StepFailed
from goldsmith.model.disk import BLOCK, Layout, TreeNeed
from goldsmith.model.recipe import DiskSpec

EPOCH = 1_700_000_000


def layout_for(need: TreeNeed) -> Layout:
    return plan_layout(DiskSpec(root="erofs"), name="web", architecture="amd64", need=need)


def made(tree: Path, layout: Layout, tools: Tools, output: Path) -> str:
    make_empty(output, layout.size)
    make_erofs(source_of(tree), layout, tools=tools, epoch=EPOCH, output=output)
    return disk_digest(output)


def test_equal_trees_give_equal_bytes_whatever_the_host_does(
    tools: Tools, late_tools: Tools, tree: Path, other_tree: Path, room: Path
) -> None:
    layout = layout_for(need_of(tree))
    assert made(tree, layout, tools, room / "first") == made(other_tree, layout, late_tools, room / "second")


def test_the_checker_reads_it_all(tools: Tools, tree: Path, room: Path) -> None:
    layout = layout_for(need_of(tree))
    made(tree, layout, tools, room / "disk")
    binds = (Bind(room / "disk", "/run/disk"),)
    tools.run(["fsck.erofs", f"--offset={layout.root.start}", "/run/disk"], binds=binds, epoch=0)
    for name in ("etc/hostname", "usr/lib/large", "usr/bin/tool"):
        command = ["dump.erofs", f"--offset={layout.root.start}", f"--path=/{name}", "--cat", "/run/disk"]
        assert tools.run(command, binds=binds, epoch=0).stdout == (tree / name).read_bytes()


def test_every_whole_block_of_a_file_is_a_block_of_the_disk(tools: Tools, tree: Path, room: Path) -> None:
    layout = layout_for(need_of(tree))
    made(tree, layout, tools, room / "disk")
    disk = (room / "disk").read_bytes()
    blocks = {disk[at : at + BLOCK] for at in range(0, len(disk), BLOCK)}
    large = (tree / "usr/lib/large").read_bytes()
    assert all(large[at : at + BLOCK] in blocks for at in range(0, len(large), BLOCK))


def test_a_file_system_that_outgrows_its_partition_is_refused(tools: Tools, tree: Path, room: Path) -> None:
    layout = layout_for(TreeNeed(1, 1))
    with pytest.raises(StepFailed, match=r"the erofs root needs \d+\.\d MiB, its partition has 3 MiB"):
        made(tree, layout, tools, room / "disk")
    assert sorted(path.name for path in room.iterdir()) == ["disk"]
