"""A listed tree answers as the same tree in a directory does."""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from goldsmith.assay.leaks.listed import LARGEST, ListedTree
from goldsmith.assay.leaks.traces import traces
from goldsmith.builder.match import Sight, find
from goldsmith.effects.root import Root
from goldsmith.model.tree import TreeEntry

FILES = {"/etc/passwd": b"root", "/usr/bin/sh": b"#!", "/usr/lib/os-release": b"ID=x", "/home/a/.ssh/k": b"k"}
LINKS = {
    "/bin": "usr/bin",
    "/etc/os-release": "../usr/lib/os-release",
    "/up": "../../../..",
    "/absolute": "/etc",
    "/chain": "absolute/passwd",
    "/loop": "loop",
    "/there": "back",
    "/back": "there",
    "/dangling": "nowhere/at/all",
    "/through-a-file": "etc/passwd/x",
}


def build(top: Path) -> dict[str, TreeEntry]:
    for path, data in FILES.items():
        (top / path[1:]).parent.mkdir(parents=True, exist_ok=True)
        (top / path[1:]).write_bytes(data)
    for path, target in LINKS.items():
        (top / path[1:]).symlink_to(target)
    os.mkfifo(top / "pipe")
    entries = {}
    for found in sorted(top.rglob("*")):
        facts, path = found.lstat(), f"/{found.relative_to(top)}"
        kind = {stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFLNK: "symlink", stat.S_IFIFO: "fifo"}[
            stat.S_IFMT(facts.st_mode)
        ]
        entries[path] = TreeEntry(
            path, kind, stat.S_IMODE(facts.st_mode), facts.st_uid, facts.st_gid, int(facts.st_mtime),
            facts.st_size if kind == "file" else 0, target=os.readlink(found) if kind == "symlink" else "",
        )  # fmt: skip
    return entries


@pytest.fixture
def both(tmp_path: Path) -> Iterator[tuple[Sight, Sight]]:
    (tmp_path / "tree").mkdir()
    entries = build(tmp_path / "tree")
    with Root(tmp_path / "tree") as root:
        yield root, ListedTree(entries, lambda path, limit: FILES[path][:limit])


PATHS = [
    *FILES, *LINKS, "/", "/etc", "/etc/", "/bin/sh", "/chain/x", "/absolute/os-release", "/up/etc/passwd",
    "/absolute/../usr", "/nothing", "/etc/passwd/x", "/pipe", "/home/a/../a/.ssh/k", "//etc//passwd",
]  # fmt: skip


def told(ask: Callable[[], object]) -> object:
    try:
        return ask()
    except OSError as error:
        return type(error) if isinstance(error, FileNotFoundError | NotADirectoryError) else OSError


def facts(found: os.stat_result) -> tuple[int, ...]:
    size = found.st_size if stat.S_ISREG(found.st_mode) else 0
    return stat.S_IFMT(found.st_mode), found.st_uid, size


@pytest.mark.parametrize("path", PATHS)
def test_both_say_the_same(both: tuple[Sight, Sight], path: str) -> None:
    directory, listed = both
    missing = {FileNotFoundError, NotADirectoryError, OSError}

    def same(ask: Callable[[Sight], object]) -> None:
        here, there = told(lambda: ask(directory)), told(lambda: ask(listed))
        assert here == there or {here, there} <= missing

    same(lambda tree: facts(tree.stat(path)))
    same(lambda tree: facts(tree.lstat(path)))
    same(lambda tree: sorted(tree.scan(path)))
    if path != "/pipe":
        same(lambda tree: tree.read(path))


@pytest.mark.parametrize("pattern", ["/**", "/etc/*", "/home/*/.ssh/*", "/bin/*", "/loop/*", "/*/passwd"])
def test_both_match_the_same(both: tuple[Sight, Sight], pattern: str) -> None:
    assert list(find(both[0], pattern)) == list(find(both[1], pattern))


def test_directories_that_an_archive_leaves_out_are_there() -> None:
    tree = ListedTree({"/a/b/c": TreeEntry("/a/b/c", "file", 0o644, 0, 0, 0, 1)}, lambda _path, _limit: b"x")
    assert tree.scan("/") == [("a", True)]
    assert tree.scan("/a") == [("b", True)]
    assert stat.S_ISDIR(tree.lstat("/a/b").st_mode)
    assert tree.read("/a/b/c") == b"x"


def test_of_a_file_of_any_size_only_its_beginning_is_read() -> None:
    asked: list[int] = []

    def read(_: str, limit: int) -> bytes:
        asked.append(limit)
        return b"SWAP"

    size = 1 << 42
    files = ("/swapfile", "/var/crash/core.1", "/etc/hostname")
    tree = ListedTree({path: TreeEntry(path, "file", 0o600, 0, 0, 0, size) for path in files}, read)
    found = list(traces(tree, declared=frozenset(), keep=(), vouched=lambda _: False))
    assert {leak.path for leak in found} == set(files)
    assert max(asked) <= LARGEST
