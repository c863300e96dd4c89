"""Many packages as one tree: who owns what, what dpkg must do itself, and what lies on the disk."""

import os
import stat
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.builder.byhand import build, unpacked

from goldsmith.builder.debs import Unpacked
from goldsmith.builder.install import place_files
from goldsmith.builder.merge import make_aliases, make_tree, plan_merge, real_path
from goldsmith.effects.umask import ordinary_umask
from goldsmith.model.package import Entry, Package

Files = Mapping[str, bytes | str | None]


@pytest.mark.parametrize(
    ("packaged", "real"),
    [
        pytest.param("lib/udev/rules.d", "usr/lib/udev/rules.d", id="/lib is a link"),
        pytest.param("bin/sh", "usr/bin/sh", id="/bin is a link"),
        pytest.param("sbin/init", "usr/sbin/init", id="/sbin is a link"),
        pytest.param("lib64/ld.so", "usr/lib64/ld.so", id="/lib64 is a link"),
        pytest.param("usr/lib/x", "usr/lib/x", id="what is in /usr stays"),
        pytest.param("library/x", "library/x", id="a name that only begins so stays"),
        pytest.param("etc/lib/x", "etc/lib/x", id="an inner lib stays"),
        pytest.param("lib", "lib", id="the link itself stays"),
    ],
)
def test_where_a_packaged_path_lies(packaged: str, real: str) -> None:
    assert real_path(packaged) == real


def packages(room: Path, *contents: Files) -> list[Unpacked]:
    names = "abcdef"
    return [unpacked(build(room, f"p-{names[i]}", files)) for i, files in enumerate(contents)]


CASES: dict[str, tuple[list[Files], dict[str, str], list[str]]] = {
    "packages that share directories only": (
        [{"usr/bin/a": b"a", "etc/d": None}, {"usr/bin/b": b"b", "etc/d": None}],
        {},
        [],
    ),
    "the same file in two": ([{"usr/bin/x": b"a"}, {"usr/bin/x": b"b"}], {}, ["p-b"]),
    "the same file, once through /bin": ([{"usr/bin/x": b"a"}, {"bin/x": b"b"}], {}, ["p-b"]),
    "a file where another has a directory": ([{"etc/x/y": b"a"}, {"etc/x": b"b"}], {}, ["p-b"]),
    "a directory where another has a file": ([{"etc/x": b"a"}, {"etc/x": None}], {}, ["p-b"]),
    "a file below a link of another": ([{"etc/x": "y"}, {"etc/x/f": b"b"}], {}, ["p-b"]),
    "a link where another has a directory": ([{"etc/x": None}, {"etc/x": "y"}], {}, ["p-b"]),
    "a file of an earlier group": ([{"usr/bin/x": b"a"}], {"usr/bin/x": "file"}, ["p-a"]),
    "a link over a directory of an earlier group": ([{"etc/x": "y"}], {"etc/x": "dir"}, ["p-a"]),
    "a directory over a link of an earlier group": ([{"etc/x": None}], {"etc/x": "symlink"}, ["p-a"]),
    "a file below a link of an earlier group": ([{"etc/x/f": b"a"}], {"etc/x": "symlink"}, ["p-a"]),
    "a directory of an earlier group": ([{"etc/x": None}], {"etc/x": "dir"}, []),
    "a refused one does not stand in the way of the next": (
        [{"etc/x": b"a"}, {"etc/x": b"b", "etc/y": b"b"}, {"etc/y": b"c"}],
        {},
        ["p-b"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_overlaps_go_to_dpkg(tmp_path: Path, case: str) -> None:
    contents, taken, refused = CASES[case]
    merge = plan_merge(packages(tmp_path, *contents), taken)
    assert [u.package.name for u in merge.refused] == refused
    assert not {u.package.name for u, _ in merge.files.values()} & set(refused)


@pytest.mark.parametrize(
    ("script", "is_refused"),
    [
        pytest.param("dpkg-divert --package x --rename --add /bin/y", True, id="a diversion that renames"),
        pytest.param("dpkg-divert --no-rename --add /bin/y", False, id="one that does not rename"),
        pytest.param("dpkg-divert --rename --remove /bin/y", False, id="the end of an old diversion"),
        pytest.param("exit 0", False, id="no diversion"),
    ],
)
def test_packages_that_divert_go_to_dpkg(tmp_path: Path, script: str, is_refused: bool) -> None:
    made = build(tmp_path, "p-a", {"etc/a": b""}, scripts={"preinst": f"#!/bin/sh\n{script}\n"})
    assert bool(plan_merge([unpacked(made)]).refused) is is_refused


def test_the_tree_has_files_as_hard_links_and_directories_as_packaged(tmp_path: Path) -> None:
    first = build(tmp_path, "p-a", {"var/spool/q": None, "lib/x/f": b"f"}, modes={"var/spool/q": 0o2770})
    second = build(tmp_path, "p-b", {"var/spool/q": None, "bin/g": b"g"}, modes={"var/spool/q": 0o755})
    both = [unpacked(first), unpacked(second)]
    target = tmp_path / "tree"
    target.mkdir()
    make_tree(plan_merge(both), target)
    make_aliases(target, ("bin", "lib"))
    assert stat.S_IMODE((target / "var/spool/q").stat().st_mode) == 0o2770
    assert (target / "usr/lib/x/f").samefile(both[0].root / "lib/x/f")
    assert (target / "usr/bin/g").samefile(both[1].root / "bin/g")
    assert {name: os.readlink(target / name) for name in ("bin", "lib")} == {
        "bin": "usr/bin",
        "lib": "usr/lib",
    }


def test_the_callers_umask_does_not_matter(tmp_path: Path) -> None:
    made = [unpacked(build(tmp_path, "p-a", {"srv/x/y": b"", "opt": None}))]
    modes = []
    for umask in (0o022, 0o077, 0o000):
        target = tmp_path / f"tree-{umask}"
        old = os.umask(umask)
        try:
            with ordinary_umask():
                target.mkdir()
                place_files(made, target, epoch=1_700_000_000, first=True)
            assert os.umask(umask) == umask
        finally:
            os.umask(old)
        modes.append({str(p.relative_to(target)): p.lstat().st_mode for p in [target, *target.rglob("*")]})
    assert modes[0] == modes[1] == modes[2]
    assert stat.S_IMODE(modes[0]["srv/x"]) == 0o755


def test_what_is_told_of_a_placed_tree_is_what_lies_there(tmp_path: Path) -> None:
    made = build(
        tmp_path,
        "p-a",
        {"usr/bin/a": b"a" * 70, "usr/bin/l": "a", "lib/x": b"x", "etc/d": None},
        modes={"usr/bin/a": 0o4755, "etc/d": 0o700},
        scripts={"postinst": "#!/bin/sh\n", "triggers": "interest-noawait /usr/bin\n"},
    )
    target = tmp_path / "tree"
    target.mkdir()
    _, changes = place_files([unpacked(made)], target, epoch=1_700_000_000, first=True)
    told = {entry.path: entry for entry in changes.entries}
    assert len(told) == len(changes.entries)
    there = {f"/{p.relative_to(target)}": p.lstat() for p in target.rglob("*")}
    assert sorted(told) == sorted(there)
    kinds = {stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFLNK: "symlink"}
    for path, facts in there.items():
        entry = told[path]
        assert entry.kind == kinds[stat.S_IFMT(facts.st_mode)], path
        assert (entry.uid, entry.gid, entry.mtime) == (facts.st_uid, facts.st_gid, int(facts.st_mtime)), path
        if entry.kind != "symlink":
            assert entry.mode == stat.S_IMODE(facts.st_mode), path
        if entry.kind == "file":
            assert entry.size == facts.st_size, path
    listed = (target / "var/lib/dpkg/info/p-a.list").read_text()
    assert listed.splitlines()[0] == "/."
    assert "/lib/x" in listed.splitlines()


def test_a_control_member_named_list_neither_counts_nor_harms_the_cache(tmp_path: Path) -> None:
    made = unpacked(build(tmp_path, "p-a", {"etc/a": b""}))
    (made.control / "list").write_text("/etc/shadow\n")
    hostile = Unpacked(
        Package(made.package.fields, frozenset({"list"}), made.package.entries),
        made.sha256,
        made.deb,
        made.root,
        made.control,
    )
    target = tmp_path / "tree"
    target.mkdir()
    place_files([hostile], target, epoch=1, first=True)
    assert "/etc/shadow" not in (target / "var/lib/dpkg/info/p-a.list").read_text()
    assert (made.control / "list").read_text() == "/etc/shadow\n"


names = st.sampled_from(["usr", "bin", "lib", "etc", "x", "y"])
paths = st.lists(names, min_size=1, max_size=3).map("/".join)


@st.composite
def owners(draw: st.DrawFn) -> Unpacked:
    """A package whose own paths do not contradict each other; nothing of it is on a disk."""
    entries: dict[str, Entry] = {}
    for path in draw(st.lists(paths, max_size=6)):
        real = real_path(path)
        parents = [real.rsplit("/", n)[0] for n in range(1, real.count("/") + 1)]
        clash = any(entries.get(p, Entry(p, "dir", 0, 0, 0, 0)).kind != "dir" for p in parents)
        if clash or any(known == real or known.startswith(f"{real}/") for known in entries):
            continue
        kind = draw(st.sampled_from(["file", "dir", "symlink"]))
        if real not in ("bin", "lib"):
            entries[real] = Entry(real, kind, 0o755, 0, 0, 0)
    number = draw(st.integers(0, 1 << 60))
    package = Package({"Package": f"p{number}"}, frozenset(), tuple(entries.values()))
    here = Path(sys.executable).parent
    return Unpacked(package, str(number), here, here, here)


@given(
    st.lists(owners(), max_size=5, unique_by=lambda u: u.sha256),
    st.dictionaries(paths.map(real_path), st.sampled_from(["file", "dir"])),
)
def test_no_path_of_a_merge_has_two_owners(listed: list[Unpacked], taken: dict[str, str]) -> None:
    merge = plan_merge(listed, taken)
    placed = [unpacked for unpacked in listed if unpacked not in merge.refused]
    files = [real_path(e.path) for u in placed for e in u.package.entries if e.kind != "dir"]
    directories = {real_path(e.path) for u in placed for e in u.package.entries if e.kind == "dir"}
    assert len(files) == len(set(files))
    assert set(files) == set(merge.files)
    assert not set(files) & directories
    assert not set(files) & set(taken)
    parents = {path.rsplit("/", n)[0] for path in files for n in range(1, path.count("/") + 1)}
    assert not parents & set(files)
    if listed and not taken:
        assert listed[0] not in merge.refused
