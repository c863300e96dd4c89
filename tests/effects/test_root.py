"""A tree as ``/``: whatever its links say, nothing outside is read, written or removed."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from goldsmith.effects.root import Root

SECRET = b"secret of the host"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A directory of the host beside the tree; links in the tree lead to it."""
    place = tmp_path / "outside"
    (place / "dir").mkdir(parents=True)
    (place / "file").write_bytes(SECRET)
    (place / "dir/inner").write_bytes(SECRET)
    return place


@pytest.fixture
def tree(tmp_path: Path, outside: Path) -> Iterator[Root]:
    top = tmp_path / "tree"
    (top / "etc").mkdir(parents=True)
    (top / "etc/old").write_bytes(b"evil")
    (top / "climb").symlink_to("../../../../../../../.." + str(outside))
    (top / "absolute").symlink_to(outside)
    (top / "file").symlink_to(outside / "file")
    (top / "dangling").symlink_to(outside / "fresh")
    (top / "etc/relative").symlink_to("../../outside")
    (top / "chain").symlink_to("absolute")
    (top / "self").symlink_to("/proc/self/cwd")
    with Root(top) as root:
        yield root


def facts_of(place: Path) -> list[tuple[str, int, int, int, int, bytes]]:
    found = []
    for path in [place, *sorted(place.rglob("*"))]:
        facts = path.lstat()
        data = path.read_bytes() if path.is_file() else b""
        found.append((str(path), facts.st_mode, facts.st_uid, facts.st_gid, int(facts.st_mtime), data))
    return found


PATHS = (
    "/climb",
    "/climb/file",
    "/climb/dir",
    "/climb/dir/inner",
    "/climb/fresh",
    "/absolute/file",
    "/absolute/fresh",
    "/file",
    "/dangling",
    "/etc/relative",
    "/etc/relative/file",
    "/chain/file",
    "/chain/fresh",
    "/../outside/file",
    "/etc/../../outside/file",
    "/etc/../../outside/fresh",
    "/self/file",
)
METHODS: dict[str, Callable[[Root, str], object]] = {
    "read": lambda t, p: t.read(p),
    "read_text": lambda t, p: t.read_text(p),
    "write": lambda t, p: t.write(p, b"evil", mode=0o777, uid=7, gid=7),
    "append": lambda t, p: t.append(p, b"evil"),
    "mkdir": lambda t, p: t.mkdir(p, mode=0o777, uid=7, parents=True),
    "symlink": lambda t, p: t.symlink(p, "evil"),
    "symlink by force": lambda t, p: t.symlink(p, "evil", force=True),
    "rename from": lambda t, p: t.rename(p, "/etc/gone"),
    "rename to": lambda t, p: t.rename("/etc/old", p),
    "remove": lambda t, p: t.remove(p),
    "chmod": lambda t, p: t.chmod(p, 0o777),
    "chown": lambda t, p: t.chown(p, 7, 7),
    "utime": lambda t, p: t.utime(p, 1),
    "stat": lambda t, p: t.stat(p).st_size,
    "lstat": lambda t, p: t.lstat(p).st_size,
    "readlink": lambda t, p: t.readlink(p),
    "listdir": lambda t, p: t.listdir(p),
    "exists": lambda t, p: t.exists(p),
    "lexists": lambda t, p: t.lexists(p),
    "is_dir": lambda t, p: t.is_dir(p),
    "is_file": lambda t, p: t.is_file(p),
    "walk": lambda t, p: list(t.walk(p)),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("path", PATHS)
def test_nothing_outside_is_touched_or_told(tree: Root, outside: Path, method: str, path: str) -> None:
    before = facts_of(outside)
    try:
        told = METHODS[method](tree, path)
    except OSError:
        told = None
    assert facts_of(outside) == before
    assert told not in (SECRET, SECRET.decode(), len(SECRET), ["dir", "file"])
    if method in {"exists", "is_file", "is_dir"}:
        assert told is False


def test_the_links_do_lead_out_without_it(tree: Root) -> None:
    for path in ("absolute/file", "file", "chain/file", "etc/relative/file", "climb/file"):
        assert (tree.directory / path).read_bytes() == SECRET


def test_a_link_to_an_absolute_path_is_followed_inside(tree: Root, outside: Path) -> None:
    tree.mkdir(str(outside), parents=True)
    tree.write("/absolute/file", b"of the tree")
    assert tree.read(f"{outside}/file") == b"of the tree"
    assert (outside / "file").read_bytes() == SECRET


def test_a_tree_is_removed_with_its_links_not_with_what_they_point_to(tree: Root, outside: Path) -> None:
    tree.remove("/etc")
    tree.remove("/absolute")
    assert not tree.lexists("/etc")
    assert sorted(p.name for p in outside.iterdir()) == ["dir", "file"]


@pytest.mark.parametrize("path", ["/", "", "/..", "/etc/.."])
def test_the_root_itself_cannot_be_removed(tree: Root, path: str) -> None:
    with pytest.raises(OSError, match=r"not a name|busy|not empty|Invalid"):
        tree.symlink(path, "evil", force=True)
    assert tree.is_dir("/")


def test_a_new_file_has_ordinary_mode_and_owner_and_an_old_one_keeps_its_own(tree: Root) -> None:
    old = os.umask(0o077)
    try:
        tree.write("/etc/new", b"1")
        tree.mkdir("/etc/d/e", parents=True)
    finally:
        os.umask(old)
    assert [tree.stat(p).st_mode & 0o7777 for p in ("/etc/new", "/etc/d", "/etc/d/e")] == [
        0o644,
        0o755,
        0o755,
    ]
    tree.chmod("/etc/new", 0o600)
    tree.chown("/etc/new", 5, 6)
    tree.write("/etc/new", b"2")
    facts = tree.stat("/etc/new")
    assert (facts.st_mode & 0o7777, facts.st_uid, facts.st_gid) == (0o600, 5, 6)
    tree.append("/etc/new", b"3")
    assert tree.read("/etc/new") == b"23"
    tree.write("/etc/new", b"", mode=0o640, uid=0)
    facts = tree.stat("/etc/new")
    assert (facts.st_mode & 0o7777, facts.st_uid, facts.st_gid) == (0o640, 0, 6)


def test_errors_name_the_path(tree: Root) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        tree.read("/etc/none")
    assert caught.value.filename == "/etc/none"


def test_walk_is_sorted_and_does_not_follow_links(tree: Root) -> None:
    tree.write("/etc/b", b"")
    tree.write("/etc/a", b"")
    assert [path for path, _ in tree.walk("/etc")] == ["/etc/a", "/etc/b", "/etc/old", "/etc/relative"]


def test_names_that_are_no_text_survive(tree: Root) -> None:
    name = os.fsdecode(b"/etc/\xff\xfe")
    tree.write(name, b"x")
    assert os.fsdecode(b"\xff\xfe") in tree.listdir("/etc")
    assert tree.read(name) == b"x"
