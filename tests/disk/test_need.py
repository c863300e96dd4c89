import os
from pathlib import Path

import pytest
from tests.disk.sources import need_of

from goldsmith.disk.need import SPARSE_FROM
from goldsmith.model.disk import TreeNeed


def long_names(root: Path) -> None:
    for number in range(100):
        (root / f"{number:03}{'x' * 245}").touch()


def linked(root: Path) -> None:
    (root / "a").write_bytes(bytes(5000))
    os.link(root / "a", root / "b")


def sparse(root: Path) -> None:
    with (root / "lastlog").open("wb") as stream:
        stream.truncate(SPARSE_FROM * 4)
        stream.seek(SPARSE_FROM)
        stream.write(b"x" * 5000)


def written_zeros(root: Path) -> None:
    with (root / "lastlog").open("wb") as stream:
        stream.write(bytes(SPARSE_FROM) + b"x" * 5000 + bytes(SPARSE_FROM))


def kernels(root: Path) -> None:
    (root / "boot").mkdir()
    for name in ("vmlinuz-6.1", "initrd.img-6.1", "config-6.1"):
        (root / "boot" / name).write_bytes(bytes(4096))


def attribute(root: Path) -> None:
    (root / "ping").touch()
    os.setxattr(root / "ping", "user.note", b"x")


@pytest.mark.parametrize(
    ("make", "need"),
    [
        pytest.param(lambda _: None, TreeNeed(1, 1), id="an empty tree is one directory"),
        pytest.param(lambda root: (root / "a").write_bytes(b"x"), TreeNeed(2, 2), id="a byte takes a block"),
        pytest.param(lambda root: (root / "a").touch(), TreeNeed(2, 1), id="an empty file takes none"),
        pytest.param(linked, TreeNeed(2, 3), id="hard links count once"),
        pytest.param(
            lambda root: (root / "a").symlink_to("b" * 59), TreeNeed(2, 1), id="a link in its inode"
        ),
        pytest.param(lambda root: (root / "a").symlink_to("b" * 60), TreeNeed(2, 2), id="a link in a block"),
        pytest.param(long_names, TreeNeed(101, 7), id="long names need more directory blocks"),
        pytest.param(sparse, TreeNeed(2, 3), id="a large hole counts only what is in it"),
        pytest.param(written_zeros, TreeNeed(2, 3), id="so do zeros that were written"),
        pytest.param(kernels, TreeNeed(5, 5, boot=8192), id="kernels are counted apart too"),
        pytest.param(attribute, TreeNeed(2, 2), id="an extended attribute may take a block"),
    ],
)
def test_a_tree_needs(tmp_path: Path, make: object, need: TreeNeed) -> None:
    assert callable(make)
    make(tmp_path)
    assert need_of(tmp_path) == need
