"""The ext4 reader, compared with the tree that e2fsprogs made the file system of, and with what debugfs takes out."""

import hashlib
import os
import stat
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.disk.read.conftest import area_of, e2fsprogs, make_ext

from goldsmith.disk.read.area import Area
from goldsmith.disk.read.ext4.walk import Ext4
from goldsmith.disk.read.limits import Tally
from goldsmith.disk.read.node import Node
from goldsmith.effects.process import run
from goldsmith.errors import InputError

FORMS = {
    "ext4 as mke2fs makes it": ("-t", "ext4"),
    "ext4 with 1 KiB blocks": ("-t", "ext4", "-b", "1024"),
    "ext4 with 2 KiB blocks and 512 bytes of inode": ("-t", "ext4", "-b", "2048", "-I", "512"),
    "ext4 without checksums and with 32 bits": ("-t", "ext4", "-O", "^metadata_csum,^64bit"),
    "ext4 with bytes in inodes": ("-t", "ext4", "-O", "inline_data", "-I", "256"),
    "ext4 with bytes in larger inodes": ("-t", "ext4", "-O", "inline_data", "-I", "1024"),
    "ext4 with inodes for large attributes": ("-t", "ext4", "-O", "ea_inode"),
    "ext4 without flexible groups": ("-t", "ext4", "-O", "^flex_bg", "-g", "1024"),
    "ext4 with descriptors among the groups": (
        "-t",
        "ext4",
        "-b",
        "1024",
        "-O",
        "meta_bg,^resize_inode",
        "-g",
        "512",
    ),
    "ext4 with two copies of its superblock": ("-t", "ext4", "-O", "sparse_super2,^resize_inode"),
    "ext4 with a seed and folded names": ("-t", "ext4", "-O", "metadata_csum_seed,casefold,large_dir"),
    "ext4 without extents": ("-t", "ext4", "-O", "^extent,^64bit"),
    "ext3": ("-t", "ext3"),
    "ext3 with 1 KiB blocks": ("-t", "ext3", "-b", "1024"),
    "ext2 with 1 KiB blocks": ("-t", "ext2", "-b", "1024"),
    "ext2 with inodes of 128 bytes": ("-t", "ext2", "-I", "128"),
    "ext2 of revision 0": ("-t", "ext2", "-r", "0", "-I", "128"),
}


@contextmanager
def reading(path: Path, held: int = 1 << 30) -> Iterator[dict[str, Node]]:
    """The nodes of a file system, by path, while its file is open."""
    for area in area_of(path):
        yield {node.path: node for node in Ext4(area, Tally(held)).walk()}


def facts_of(node: Node) -> tuple[object, ...]:
    """What can be compared with a tree on the host."""
    digest = ""
    if node.body is not None:
        digest = hashlib.sha256(node.body.read(0, node.body.size)).hexdigest()
        with node.body.open() as stream:
            assert hashlib.sha256(stream.read()).hexdigest() == digest
    mode = 0o777 if node.kind == "symlink" else node.mode
    return node.kind, mode, node.uid, node.gid, node.mtime, digest, node.target, node.xattrs


def facts_on_host(path: Path) -> tuple[object, ...]:
    """The same of a path on the host."""
    facts = path.lstat()
    kinds = {
        stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFLNK: "symlink", stat.S_IFIFO: "fifo",
        stat.S_IFSOCK: "socket", stat.S_IFCHR: "char", stat.S_IFBLK: "block",
    }  # fmt: skip
    kind = kinds[stat.S_IFMT(facts.st_mode)]
    target = os.readlink(path) if kind == "symlink" else ""
    if kind in {"char", "block"}:
        target = f"{os.major(facts.st_rdev)}:{os.minor(facts.st_rdev)}"
    digest = hashlib.sha256(path.read_bytes()).hexdigest() if kind == "file" else ""
    names = sorted(os.listxattr(path, follow_symlinks=False))
    xattrs = tuple((name, os.getxattr(path, name, follow_symlinks=False).hex()) for name in names)
    mtime = int(facts.st_mtime)
    if mtime >= 1 << 31:  # mke2fs writes 32 bits of a time; since 1.47.1 the last that they can hold
        mtime = (1 << 31) - 1 if e2fsprogs() >= (1, 47, 1) else mtime - (1 << 32)
    return kind, stat.S_IMODE(facts.st_mode), facts.st_uid, facts.st_gid, mtime, digest, target, xattrs


@pytest.mark.parametrize("name", FORMS)
def test_everything_is_read_as_it_went_in(name: str, full_tree: Path, tmp_path: Path) -> None:
    options = FORMS[name]
    if "-r" in options and e2fsprogs() >= (1, 47, 1):
        options = ("-t", "ext2", "-E", "revision=0", "-I", "128")
    image = make_ext(full_tree, tmp_path / "fs", *options)
    expected = {}
    for path in full_tree.rglob("*"):
        expected[f"/{path.relative_to(full_tree)}"] = facts_on_host(path)
    with reading(image) as nodes:
        found = {path: facts_of(node) for path, node in nodes.items() if path != "/"}
        links = {nodes[path].link for path in ("/file-4097", "/hard-1", "/a/b/hard-2")}
    if name == "ext2 of revision 0":  # it knows no attributes
        expected = {path: (*facts[:7], ()) for path, facts in expected.items()}
        found = {path: (*facts[:7], ()) for path, facts in found.items()}
    if "bytes in" in name:  # mke2fs cuts off the hole at the end, as debugfs shows
        del expected["/sparse"], found["/sparse"]
    assert found.keys() == expected.keys()
    different = {path: (found[path], expected[path]) for path in found if found[path] != expected[path]}
    assert different == {}
    assert len(links) == 1
    assert links != {""}


def test_a_file_in_its_inode_that_says_it_is_large_takes_no_memory(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/small").write_bytes(b"small")
    image = make_ext(tmp_path / "tree", tmp_path / "fs", "-t", "ext4", "-O", "inline_data", "-I", "256")
    run(["/usr/sbin/debugfs", "-w", "-R", f"set_inode_field /small size {1 << 40}", str(image)])
    tracemalloc.start()
    with reading(image, held=1 << 41) as nodes:
        body = nodes["/small"].body
        assert body
        assert body.size == 1 << 40
        assert body.read(0, 7) == b"small\0\0"
        assert body.read((1 << 40) - 2, 9) == b"\0\0"
        assert body.read(1 << 40, 9) == b""
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20


def test_times_after_2038_are_read(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/file").touch()
    image = make_ext(tmp_path / "tree", tmp_path / "fs", "-t", "ext4", size="16M")
    run(["debugfs", "-w", "-R", "sif /file mtime 0x6553f100", str(image)])
    run(["debugfs", "-w", "-R", "sif /file mtime_extra 2", str(image)])
    with reading(image) as nodes:
        assert nodes["/file"].mtime == 0x6553F100 + (2 << 32)


def test_debugfs_takes_out_the_same_bytes(full_tree: Path, tmp_path: Path) -> None:
    image = make_ext(full_tree, tmp_path / "fs", "-t", "ext4", "-b", "1024", "-O", "^extent,^64bit")
    out = tmp_path / "out"
    out.mkdir()
    run(["debugfs", "-R", f"rdump / {out}", str(image)])
    with reading(image) as nodes:
        for path, node in nodes.items():
            if node.body is not None:
                assert Path(str(out) + path).read_bytes() == node.body.read(0, node.body.size), path


def test_directories_with_an_index_are_read(full_tree: Path, tmp_path: Path) -> None:
    image = make_ext(full_tree, tmp_path / "fs", "-t", "ext4", "-b", "1024")
    run(["e2fsck", "-fyD", str(image)], check=False)
    assert b"hash" in run(["debugfs", "-R", "htree_dump /many", str(image)]).stdout.lower()
    with reading(image) as nodes:
        assert sum(path.startswith("/many/") for path in nodes) == 400


def test_a_file_in_many_pieces_is_read(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    for number in range(600):
        (tree / f"{number:03}").write_bytes(bytes([number % 251]) * 8192)
    image = make_ext(
        tree, tmp_path / "fs", "-t", "ext4", "-b", "1024", "-O", "^has_journal", "-N", "1024", size="6M"
    )
    commands = tmp_path / "commands"
    commands.write_text("".join(f"rm /{number:03}\n" for number in range(0, 600, 2)))
    run(["debugfs", "-w", "-f", str(commands), str(image)])
    data = os.urandom(1_500_000)
    (tmp_path / "large").write_bytes(data)
    run(["debugfs", "-w", "-R", f"write {tmp_path / 'large'} large", str(image)])
    with reading(image) as nodes:
        body = nodes["/large"].body
        assert body is not None
        assert len(body.pieces) > 100
        assert body.read(0, body.size) == data
        assert body.read(700_000, 9) == data[700_000:700_009]
        with body.open() as stream:
            stream.seek(1_000_001)
            assert stream.read() == data[1_000_001:]


REFUSED = {
    "clusters": (("-t", "ext4", "-O", "bigalloc", "-C", "16384"), "", "bigalloc"),
    "a journal that was not replayed": (("-t", "ext4"), "feature needs_recovery", "journal"),
    "an unknown feature": (("-t", "ext4"), "ssv feature_incompat 0x800002c2", "not known here (0x80000000)"),
    "compressed files": (("-t", "ext4"), "ssv feature_incompat 0x2c3", "compressed"),
    "encrypted files": (("-t", "ext4", "-O", "encrypt"), "sif /file flags 0x80800", "encrypted"),
    "more blocks than its partition": (("-t", "ext4"), "cut", "its partition only"),
    "no blocks in a group": (("-t", "ext4"), "ssv blocks_per_group 0", "do not fit together"),
    "more inodes than its groups": (("-t", "ext4"), "ssv inodes_count 77", "do not fit together"),
    "a root that is a file": (("-t", "ext4"), "sif <2> mode 0100644", "no directory"),
    "inodes beyond its end": (("-t", "ext4"), "set_bg 0 inode_table 4000000", "inodes of group 0"),
    "a name with a slash": (("-t", "ext4"), "zap", "has the name"),
    "a directory with two names": (("-t", "ext4"), "link /room /again", "has two names"),
    "an extent beyond its end": (("-t", "ext4"), "sif /file block[5] 0x7fffffff", "beyond the end"),
    "extents that are none": (("-t", "ext4"), "sif /file block[0] 0", "extents of inode"),
    "a name of a free inode": (("-t", "ext4"), "sif /file links_count 0", "is not in use"),
    "a file as long as no disk": (
        ("-t", "ext4"),
        "sif /file size 0x7fffffffffff",
        "too much for a golden image",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_refused(name: str, tmp_path: Path) -> None:
    options, command, message = REFUSED[name]
    tree = tmp_path / "tree"
    (tree / "room").mkdir(parents=True)
    (tree / "file").write_bytes(b"x" * 9000)
    image = make_ext(tree, tmp_path / "fs", *options, size="16M")
    if command == "zap":
        data = image.read_bytes()
        assert data.count(b"\x04\x02room") == 1
        image.write_bytes(data.replace(b"\x04\x02room", b"\x04\x02r/om"))
    elif command == "cut":
        os.truncate(image, 9 << 20)
    elif command:
        run(["debugfs", "-w", "-R", command, str(image)])
    with pytest.raises(InputError) as raised:
        read_all(image)
    assert message in str(raised.value)


def read_all(image: Path) -> None:
    """Read a file system, and all bytes of its files."""
    with reading(image) as nodes:
        for node in nodes.values():
            facts_of(node)


def test_an_area_gives_nothing_beyond_its_end(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(100))
    for area in area_of(tmp_path / "file"):
        assert Area(area.descriptor, 10, 20).read(0, 20) == bytes(20)
        for at, length in ((0, 21), (20, 1), (-1, 1), (0, -1)):
            with pytest.raises(InputError, match="beyond the end"):
                Area(area.descriptor, 10, 20).read(at, length)
