import os
import re
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from io import FileIO
from pathlib import Path

import pytest
from tests.disk.conftest import make_tree
from tests.disk.sources import entries_of, need_of, source_of

from goldsmith.disk.digest import disk_digest
from goldsmith.disk.ext4.geometry import Geometry, read_geometry
from goldsmith.disk.ext4.make import make_ext4
from goldsmith.disk.ext4.skeleton import FEATURES
from goldsmith.disk.layout import JOURNAL, plan_layout
from goldsmith.disk.make import make_empty
from goldsmith.disk.source import Source
from goldsmith.disk.tools import Tools
from goldsmith.effects.process import run
from goldsmith.effects.sandbox import Bind
from goldsmith.effects.sparse import extents
from goldsmith.errors import IntegrityError, StepFailed
from goldsmith.model.disk import BLOCK, MIB, Layout, TreeNeed
from goldsmith.model.recipe import DiskSpec
from goldsmith.model.tree import TreeEntry, rows

EPOCH = 1_700_000_000


def layout_for(tree: Path, headroom: int = MIB) -> Layout:
    spec = DiskSpec(headroom=headroom, boot="bios")
    return plan_layout(spec, name="web", architecture="amd64", need=need_of(tree))


def made(tree: Path, layout: Layout, tools: Tools, output: Path, epoch: int = EPOCH) -> str:
    make_empty(output, layout.size)
    make_ext4(source_of(tree), layout, tools=tools, epoch=epoch, output=output)
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
    assert found["Free inodes"] >= need_of(root).inodes // 5
    fsck(tools, room / "disk", layout)


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


def test_a_tree_that_does_not_fit_is_an_error(tools: Tools, room: Path) -> None:
    root = room / "tree"
    root.mkdir()
    one_large(root)
    spec = DiskSpec(headroom=0, boot="bios")
    layout = plan_layout(spec, name="web", architecture="amd64", need=TreeNeed(2, 2))
    with pytest.raises(StepFailed, match="the root partition is too small for the tree"):
        made(root, layout, tools, room / "disk")


def fsck(tools: Tools, disk: Path, layout: Layout) -> None:
    """Raises StepFailed with what e2fsck finds."""
    command = ["e2fsck", "-fn", f"/run/disk?offset={layout.root.start}"]
    tools.run(command, binds=(Bind(disk, "/run/disk"),), epoch=0)


def full_of_holes(root: Path) -> None:
    # Every second block is a hole: 9,000 extents take two levels of extent blocks.
    with (root / "holes").open("wb") as stream:
        for number in range(9000):
            stream.seek(number * 8192)
            stream.write(number.to_bytes(4, "little") * 1024)


def over_many_groups(root: Path) -> None:
    for number in range(3):
        (root / f"large-{number}").write_bytes(os.urandom(1 << 20) * 130)


def access_lists(root: Path) -> None:
    # user::rw-, user:1000:r--, group::r--, mask::r--, other::---
    acl = struct.pack("<I", 2) + b"".join(
        struct.pack("<HHI", *row)
        for row in (
            (1, 6, 0xFFFFFFFF),
            (2, 4, 1000),
            (4, 4, 0xFFFFFFFF),
            (16, 4, 0xFFFFFFFF),
            (32, 0, 0xFFFFFFFF),
        )
    )
    (root / "shared").mkdir()
    for name in ("access", "default"):
        os.setxattr(root / "shared", f"system.posix_acl_{name}", acl)


def every_kind(root: Path) -> None:
    make_tree(root)
    os.mknod(root / "dev/disk", 0o60660, os.makedev(259, 300))
    for name in ("a", "b", "c"):
        os.setxattr(root / "usr/lib/large", f"user.{name}", name.encode() * 300)
    (root / "lost+found").mkdir()
    (root / "lost+found" / "not mine").touch()
    os.utime(root / "etc/hostname", (0, (1 << 31) + 5))


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(full_of_holes, id="a file in 9,000 extents"),
        pytest.param(over_many_groups, id="files over group ends"),
        pytest.param(access_lists, id="access lists"),
        pytest.param(every_kind, id="every kind of file"),
    ],
)
def test_the_kernel_reads_what_was_put_in(tools: Tools, room: Path, make: Callable[[Path], None]) -> None:
    root = room / "tree"
    root.mkdir()
    make(root)
    source, layout = source_of(root), layout_for(root)
    make_empty(room / "disk", layout.size)
    pieces = make_ext4(source, layout, tools=tools, epoch=1 << 33, output=room / "disk")
    fsck(tools, room / "disk", layout)
    with mounted(room, layout) as there:
        found = {entry.path: entry for entry in entries_of(there) if not entry.path.startswith("/lost+found")}
        wanted = {path: entry for path, entry in source.entries.items() if not path.startswith("/lost+found")}
        assert rows(found.values()) == rows(wanted.values())
    with (room / "disk").open("rb", buffering=0) as stream:
        contents = {e.sha256: path for path, e in source.entries.items() if e.kind == "file"}
        for piece in pieces:
            with source.open_file(contents[piece.sha256]) as file:
                data = os.pread(file.fileno(), piece.blocks * BLOCK, piece.first * BLOCK)
            assert os.pread(stream.fileno(), len(data), piece.block * BLOCK) == data


@contextmanager
def mounted(room: Path, layout: Layout) -> Iterator[Path]:
    """The root partition of a disk, read by this machine's kernel."""
    part = room / "root.img"
    with part.open("wb") as stream, (room / "disk").open("rb") as disk:
        stream.truncate(layout.root.size)
        for start, end in extents(disk.fileno(), unit=BLOCK):
            if start >= layout.root.start:
                stream.seek(start - layout.root.start)
                stream.write(os.pread(disk.fileno(), min(end, layout.root.end) - start, start))
    there = room / "mounted"
    there.mkdir()
    done = run(["mount", "-o", "loop,ro,noload", str(part), str(there)], check=False)
    if done.code:
        pytest.skip("this machine mounts no ext4 by loop")
    try:
        yield there
    finally:
        run(["umount", str(there)])


@pytest.mark.parametrize(
    "place",
    [
        pytest.param(lambda g: g.groups[0].inode_table * BLOCK + 12 * 256 + 4, id="an inode"),
        pytest.param(lambda _: BLOCK + 12, id="a descriptor"),
        pytest.param(lambda _: 1024 + 12, id="the superblock"),
        pytest.param(lambda g: g.groups[0].block_bitmap * BLOCK + 9, id="a map of blocks"),
    ],
)
def test_the_checker_would_see_one_wrong_byte(
    tools: Tools, tree: Path, room: Path, place: Callable[[Geometry], int]
) -> None:
    """The canary of all tests that end in e2fsck."""
    layout = layout_for(tree)
    made(tree, layout, tools, room / "disk")
    with (room / "disk").open("r+b", buffering=0) as stream:
        head = os.pread(stream.fileno(), 2 * BLOCK, layout.root.start)
        at = layout.root.start + place(read_geometry(head[1024:2048], head[BLOCK:]))
        byte = os.pread(stream.fileno(), 1, at)[0]
        os.pwrite(stream.fileno(), bytes([byte ^ 1]), at)
    with pytest.raises(StepFailed, match=r"e2fsck .* failed with exit code"):
        fsck(tools, room / "disk", layout)


def test_a_file_that_has_become_shorter_is_refused(tools: Tools, tree: Path, room: Path) -> None:
    source, layout = source_of(tree), layout_for(tree)
    short = room / "short"
    short.write_bytes(b"x")
    changed = Source(
        source.entries,
        lambda path: FileIO(str(short)) if path == "/usr/lib/large" else source.open_file(path),
        source.mounted,
    )
    make_empty(room / "disk", layout.size)
    with pytest.raises(IntegrityError, match="'/usr/lib/large' has become shorter than the 3145728 bytes"):
        make_ext4(changed, layout, tools=tools, epoch=EPOCH, output=room / "disk")


def test_attributes_that_ext4_cannot_hold_are_refused(tools: Tools, room: Path) -> None:
    layout = layout_for(room)
    entry = TreeEntry("/a", "file", 0o644, 0, 0, 0, xattrs=(("user.long", (b"x" * 5000).hex()),))
    source = Source({"/a": entry}, lambda _: FileIO(os.devnull), lambda: nullcontext(room))
    make_empty(room / "disk", layout.size)
    with pytest.raises(StepFailed, match="the extended attributes of '/a' are larger than the 4096 bytes"):
        make_ext4(source, layout, tools=tools, epoch=EPOCH, output=room / "disk")


def test_what_is_empty_of_a_large_disk_stays_unwritten(tools: Tools, tree: Path, room: Path) -> None:
    """100 GiB: 800 groups, of which a few hold the tree."""
    spec = DiskSpec(size=100 << 30, boot="bios")
    layout = plan_layout(spec, name="web", architecture="amd64", need=need_of(tree))
    made(tree, layout, tools, room / "disk")
    fsck(tools, room / "disk", layout)
    taken = (room / "disk").stat().st_blocks * 512
    assert taken < 16 * MIB
    assert numbers(tools, room / "disk", layout)["Free blocks"] > 25_000_000
