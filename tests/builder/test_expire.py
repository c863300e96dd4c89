"""What a build has not used for a month goes; what it uses, images and downloads stay."""

import os
from pathlib import Path

import pytest
from tests.builder.byhand import build

from goldsmith.builder.debs import unpack_all
from goldsmith.builder.expire import CACHES, expire
from goldsmith.builder.toolstree import standing_tree
from goldsmith.effects.machine_run import boot_id
from goldsmith.store.home import Home

DAY = 86_400
NOW = 2_000_000_000
THINGS = {
    "a layer": ("cache/layers/abc/layer.json", "cache/layers/abc"),
    "a disk": ("cache/disks/abc.boot", "cache/disks/abc.raw"),
    "an unpacked package": ("cache/debs-2/abc/package.json", "cache/debs-2/abc"),
    "a tools tree": ("cache/tools/abc/.complete", "cache/tools/abc"),
    "an apt root": ("cache/apt/abc/etc/apt.conf", "cache/apt/abc"),
}
"""Its mark, and what is to be gone."""
STAY = (
    "packages/sha256/ab/abc",
    "store/index.json",
    "locks/sha256-abc.json",
    "vms/one/machine.json",
    "logs/one.log",
)


def put(home: Home, mark: str, days: float) -> None:
    path = home / mark
    (path.parent / "tree").mkdir(parents=True, exist_ok=True)
    (path.parent / "tree/file").write_text("x")
    for name in (path, path.with_suffix(".raw"), path.with_suffix(".lock")):
        name.write_text("x")
        os.utime(name, (NOW - days * DAY,) * 2)


def test_every_cache_is_in_the_table() -> None:
    assert len(THINGS) == len(CACHES)


@pytest.mark.parametrize(("days", "stays"), [(29.9, True), (30.1, False), (-400, True)])
@pytest.mark.parametrize("thing", THINGS)
def test_a_month_unused(tmp_path: Path, thing: str, days: float, stays: bool) -> None:
    home, (mark, gone) = Home(tmp_path), THINGS[thing]
    put(home, mark, days)
    expire(home, now=NOW)
    assert (home / mark).exists() == (home / gone).exists() == stays
    if not stays:
        left = {path.name for path in (home / gone).parent.iterdir()}
        assert left <= {"abc.lock", "tree"}


def test_what_is_no_cache_stays(tmp_path: Path) -> None:
    home = Home(tmp_path)
    for name in STAY:
        put(home, name, 4000)
    expire(home, now=NOW)
    assert all((home / name).exists() for name in STAY)


def test_an_unpacked_package_that_is_used_stays(tmp_path: Path) -> None:
    home, made = Home(tmp_path / "home"), build(tmp_path, "tool", {"usr/bin/tool": b"tool"})
    debs = {"ab" * 32: made}
    mark = unpack_all(debs, home, jobs=1)["ab" * 32].root.parent / "package.json"
    os.utime(mark, (0, 0))
    unpacked = unpack_all(debs, home, jobs=1)["ab" * 32]
    expire(home, now=mark.stat().st_mtime + 29 * DAY)
    assert (unpacked.root / "usr/bin/tool").read_bytes() == b"tool"
    expire(home, now=mark.stat().st_mtime + 31 * DAY)
    assert not unpacked.root.exists()
    assert (unpack_all(debs, home, jobs=1)["ab" * 32].root / "usr/bin/tool").read_bytes() == b"tool"


def test_a_tools_tree_that_is_used_stays(tmp_path: Path) -> None:
    home = Home(tmp_path)
    mark = home / "cache/tools/abc/.complete"
    mark.parent.mkdir(parents=True)
    mark.write_text(boot_id())
    os.utime(mark, (0, 0))
    assert standing_tree("sha256:abc", home)
    expire(home, now=mark.stat().st_mtime + 29 * DAY)
    assert mark.exists()
