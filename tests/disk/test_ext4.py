import os
import re
from pathlib import Path

import pytest

from goldsmith.disk.digest import disk_digest
from goldsmith.disk.ext4 import FEATURES, make_ext4, mke2fs_command, used_inodes
from goldsmith.disk.layout import JOURNAL, plan_layout
from goldsmith.disk.make import make_empty
from goldsmith.disk.need import measure
from goldsmith.disk.tools import Tools
from goldsmith.effects.sandbox import Bind
from goldsmith.errors import StepFailed
from goldsmith.model.disk import MIB, Layout, TreeNeed
from goldsmith.model.recipe import DiskSpec

EPOCH = 1_700_000_000


def layout_for(tree: Path, headroom: int = MIB) -> Layout:
    spec = DiskSpec(headroom=headroom, boot="bios")
    return plan_layout(spec, name="web", architecture="amd64", need=measure(tree))


def made(tree: Path, layout: Layout, tools: Tools, output: Path, epoch: int = EPOCH) -> str:
    make_empty(output, layout.size)
    make_ext4(tree, layout, tools=tools, epoch=epoch, output=output)
    return disk_digest(output)


def ask(tools: Tools, disk: Path, layout: Layout, request: str) -> str:
    """What debugfs says about the file system on a disk."""
    command = ["debugfs", "-R", request, f"/run/disk?offset={layout.root.start}"]
    return tools.run(command, binds=(Bind(disk, "/run/disk"),), epoch=0).text


def numbers(tools: Tools, disk: Path, layout: Layout) -> dict[str, int]:
    text = ask(tools, disk, layout, "show_super_stats -h")
    return {name: int(value) for name, value in re.findall(r"^([A-Z][\w -]+):\s+(\d+)$", text, re.MULTILINE)}


def test_equal_trees_give_equal_bytes_whatever_the_host_does(
    tools: Tools, late_tools: Tools, tree: Path, other_tree: Path, room: Path
) -> None:
    layout = layout_for(tree)
    # Canaries: every axis really varies.
    late = late_tools.run(["date", "+%Y"], epoch=0).text
    assert late == "2039\n"
    names = [os.listdir(root / "usr/share/many") for root in (tree, other_tree)]
    assert names[0] != names[1]
    stats = [(root / "etc/hostname").stat() for root in (tree, other_tree)]
    assert stats[0].st_dev != stats[1].st_dev
    assert stats[0].st_ino != stats[1].st_ino
    assert stats[0].st_atime != stats[1].st_atime
    assert layout == layout_for(other_tree)
    first = made(tree, layout, tools, room / "first")
    assert made(other_tree, layout, late_tools, room / "second") == first


def test_access_times_before_the_epoch_would_leak_without_the_second_step(
    tools: Tools, tree: Path, other_tree: Path, room: Path
) -> None:
    layout = layout_for(tree)
    digests = set()
    for root in (tree, other_tree):
        make_empty(room / "disk", layout.size)
        binds = (Bind(root, "/run/tree"), Bind(room / "disk", "/run/disk", writable=True))
        tools.run(mke2fs_command(layout), binds=binds, epoch=EPOCH)
        digests.add(disk_digest(room / "disk"))
    assert len(digests) == 2


def test_another_epoch_gives_other_bytes(tools: Tools, tree: Path, room: Path) -> None:
    layout = layout_for(tree)
    assert made(tree, layout, tools, room / "a") != made(tree, layout, tools, room / "b", EPOCH + 1)


def test_everything_in_the_tree_arrives(tools: Tools, tree: Path, room: Path) -> None:
    disk, layout = room / "disk", layout_for(tree)
    made(tree, layout, tools, disk)
    out = room / "out"
    out.mkdir()
    binds = (Bind(disk, "/run/disk"), Bind(out, "/run/out", writable=True))
    tools.run(
        ["debugfs", "-R", "rdump / /run/out", f"/run/disk?offset={layout.root.start}"], binds=binds, epoch=0
    )
    for path in sorted(tree.rglob("*")):
        there = out / path.relative_to(tree)
        if path.is_symlink():
            assert there.readlink() == path.readlink()
        elif path.is_file():
            assert there.read_bytes() == path.read_bytes(), path
        elif path.is_dir():
            assert there.is_dir(), path
    assert "Mode:  04755" in ask(tools, disk, layout, "stat /usr/bin/tool")
    assert "security.capability (20)" in ask(tools, disk, layout, "ea_list /usr/bin/tool")
    assert re.search(r"Links: 2\b", ask(tools, disk, layout, "stat /usr/bin/twin"))
    assert "Type: character special" in ask(tools, disk, layout, "stat /dev/null")
    assert "Type: FIFO" in ask(tools, disk, layout, "stat /run/pipe")


@pytest.mark.parametrize(
    ("path", "time"),
    [
        pytest.param("/etc/hostname", ("mtime", EPOCH - 1000), id="an old mtime stays"),
        pytest.param("/etc/late", ("mtime", EPOCH), id="a late mtime is clamped"),
        pytest.param("/etc/hostname", ("atime", EPOCH), id="access is at the epoch"),
        pytest.param("/etc/hostname", ("ctime", EPOCH), id="change is at the epoch"),
        pytest.param("/etc/hostname", ("crtime", EPOCH), id="birth is at the epoch"),
        pytest.param("/", ("atime", EPOCH), id="the root directory too"),
        pytest.param("/lost+found", ("atime", EPOCH), id="lost+found too"),
    ],
)
def test_times(tools: Tools, tree: Path, room: Path, path: str, time: tuple[str, int]) -> None:
    layout = layout_for(tree)
    made(tree, layout, tools, room / "disk")
    found = re.search(
        rf"^\s*{time[0]}: 0x([0-9a-f]+):", ask(tools, room / "disk", layout, f"stat {path}"), re.MULTILINE
    )
    assert found
    assert int(found[1], 16) == time[1]


def test_used_inodes_are_the_first_ones_without_gaps(tools: Tools, room: Path) -> None:
    root = room / "tree"
    # More than one group's worth: a group here has some 2,000 inodes.
    for directory in range(40):
        (root / str(directory)).mkdir(parents=True)
        for number in range(160):
            (root / str(directory) / str(number)).touch()
    layout = layout_for(root, headroom=100 * MIB)
    make_empty(room / "disk", layout.size)
    make_ext4(root, layout, tools=tools, epoch=EPOCH, output=room / "disk")
    used = used_inodes(room / "disk", layout.root.start)
    assert used == 12 + measure(root).inodes - 1
    assert numbers(tools, room / "disk", layout)["Inodes per group"] < used
    states = (
        ask(tools, room / "disk", layout, f"testi <{used}>"),
        ask(tools, room / "disk", layout, f"testi <{used + 1}>"),
    )
    assert states == (f"Inode {used} is marked in use\n", f"Inode {used + 1} is not in use\n")


def many_small(root: Path) -> None:
    for number in range(2000):
        (root / f"{number}").write_bytes(b"x")


def many_directories(root: Path) -> None:
    for number in range(2000):
        (root / f"{number}").mkdir()


def long_names(root: Path) -> None:
    for number in range(800):
        (root / f"{number:04}{'n' * 240}").touch()


def long_links(root: Path) -> None:
    for number in range(2000):
        (root / f"{number}").symlink_to("t" * 200)


def many_attributes(root: Path) -> None:
    for number in range(1000):
        (root / f"{number}").touch()
        os.setxattr(root / f"{number}", "user.long", os.urandom(900))


def one_large(root: Path) -> None:
    (root / "large").write_bytes(os.urandom(1 << 20) * 70)


@pytest.mark.parametrize(
    "headroom",
    [
        pytest.param(0, id="no headroom"),
        pytest.param(100 * MIB, id="100 MiB of headroom", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda _: None, id="nothing"),
        pytest.param(many_small, id="small files"),
        pytest.param(many_directories, id="directories"),
        pytest.param(long_names, id="long names"),
        pytest.param(long_links, id="long links"),
        pytest.param(many_attributes, id="extended attributes"),
        pytest.param(one_large, id="one large file"),
    ],
)
def test_a_minimal_disk_surely_holds_its_tree_and_the_headroom(
    tools: Tools, room: Path, make: object, headroom: int
) -> None:
    root = room / "tree"
    root.mkdir()
    assert callable(make)
    make(root)
    layout = layout_for(root, headroom)
    made(root, layout, tools, room / "disk")
    found = numbers(tools, room / "disk", layout)
    free = (found["Free blocks"] - found["Reserved block count"]) * 4096
    assert free >= headroom
    # Not wasteful either: beyond the least size there is only slack.
    assert free <= max(headroom, JOURNAL) + max(8 * MIB, layout.size // 10)
    assert found["Free inodes"] >= measure(root).inodes // 5
    tools.run(
        ["e2fsck", "-fn", f"/run/disk?offset={layout.root.start}"],
        binds=(Bind(room / "disk", "/run/disk"),),
        epoch=0,
    )


def test_features_are_those_that_are_named_and_the_journal_is_64_mib(
    tools: Tools, tree: Path, room: Path
) -> None:
    layout = layout_for(tree)
    made(tree, layout, tools, room / "disk")
    text = ask(tools, room / "disk", layout, "show_super_stats -h")
    features = re.search(r"^Filesystem features: +(.*)$", text, re.MULTILINE)
    assert features
    assert set(features[1].split()) == set(FEATURES) - {"none"}
    assert "Size: 67108864\n" in ask(tools, room / "disk", layout, "stat <8>")
    assert re.search(rf"^Filesystem UUID: +{layout.root_uuid}$", text, re.MULTILINE)
    assert re.search(rf"^Directory Hash Seed: +{layout.hash_seed}$", text, re.MULTILINE)
    assert numbers(tools, room / "disk", layout)["Block size"] == 4096


def test_a_tree_that_does_not_fit_is_an_error_with_the_tools_words(tools: Tools, room: Path) -> None:
    root = room / "tree"
    root.mkdir()
    one_large(root)
    spec = DiskSpec(headroom=0, boot="bios")
    layout = plan_layout(spec, name="web", architecture="amd64", need=TreeNeed(2, 2))
    with pytest.raises(StepFailed) as caught:
        made(root, layout, tools, room / "disk")
    assert "mke2fs -q -F -t ext4 -T failed with exit code 1" in caught.value.message
    assert "Could not allocate block" in caught.value.tail
    assert caught.value.hint.startswith("the disk's tools come from the tools lock")
