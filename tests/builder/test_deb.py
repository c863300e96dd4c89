"""Reading sound .debs: what dpkg-deb put in comes out, once, and damage in the cache is mended."""

import json
import os
import stat
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.builder.byhand import (
    Put,
    build,
    deb,
    put_dir,
    put_hard,
    taken,
)

from goldsmith.builder.deb import package_from_json, package_to_json, unpack
from goldsmith.builder.debs import damaged, forget, unpack_all
from goldsmith.model.package import Entry, Package
from goldsmith.store.home import Home

NET_RAW = bytes.fromhex("0100000200200000000000000000000000000000")
"""security.capability of a file with cap_net_raw=ep (version 2, little endian)."""


@pytest.mark.parametrize(
    "compression",
    [
        pytest.param("none", id="a plain tar is read"),
        pytest.param("gzip", id="gzip is read"),
        pytest.param("xz", id="xz is read"),
        pytest.param("zstd", id="zstd is read"),
    ],
)
def test_a_package_of_dpkg_deb_comes_out_as_it_went_in(tmp_path: Path, compression: str) -> None:
    made = build(
        tmp_path,
        "tool",
        {"usr/bin/tool": b"#!/bin/sh\n" * 500, "usr/bin/alias": "tool", "etc/empty": None, "etc/none": b""},
        modes={"usr/bin/tool": 0o4755, "etc/empty": 0o2750},
        scripts={"postinst": "#!/bin/sh\n", "conffiles": ""},
        compression=compression,
    )
    package = unpack(made, tmp_path / "root", tmp_path / "control")
    assert (package.name, package.fields["Version"]) == ("tool", "1.0")
    assert package.scripts == {"postinst", "conffiles"}
    assert stat.S_IMODE((tmp_path / "control/postinst").stat().st_mode) == 0o755
    listed = subprocess.run(["dpkg-deb", "-c", made], check=True, capture_output=True, text=True).stdout
    assert len(listed.splitlines()) == len(package.entries)
    found = {e.path: (e.kind, e.mode, e.size, e.target, e.mtime) for e in package.entries}
    assert found["usr/bin/tool"] == ("file", 0o4755, 5000, "", 1_700_000_000)
    assert found["usr/bin/alias"] == ("symlink", 0o777, 0, "tool", 1_700_000_000)
    assert found["etc/empty"][:2] == ("dir", 0o2750)
    assert found[""][0] == "dir"
    tool = tmp_path / "root/usr/bin/tool"
    assert tool.read_bytes() == b"#!/bin/sh\n" * 500
    assert stat.S_IMODE(tool.stat().st_mode) == 0o4755
    assert int(tool.stat().st_mtime) == 1_700_000_000
    assert os.readlink(tmp_path / "root/usr/bin/alias") == "tool"


def test_hard_links_share_one_file(tmp_path: Path) -> None:
    package = taken(tmp_path, deb([put_dir("./"), Put("./one", data=b"same"), put_hard("./two", "./one")]))
    assert [(e.path, e.kind, e.target) for e in package.entries[1:]] == [
        ("one", "file", ""),
        ("two", "hardlink", "one"),
    ]
    assert (tmp_path / "root/one").samefile(tmp_path / "root/two")


def test_owners_and_capabilities_are_kept(tmp_path: Path) -> None:
    headers = {"SCHILY.xattr.security.capability": NET_RAW.decode("utf-8", "surrogateescape")}
    entry = Put("./ping", data=b"ping", more={"pax_headers": headers, "uid": 7, "gid": 8, "mode": 0o755})
    package = taken(tmp_path, deb([entry], kind=tarfile.PAX_FORMAT))
    assert (package.entries[0].uid, package.entries[0].gid) == (7, 8)
    assert package.entries[0].capability == NET_RAW.hex()
    assert os.getxattr(tmp_path / "root/ping", "security.capability") == NET_RAW
    assert ((tmp_path / "root/ping").stat().st_uid, (tmp_path / "root/ping").stat().st_gid) == (7, 8)


@pytest.mark.parametrize(
    ("entries", "path"),
    [
        pytest.param([Put("usr/bin/x")], "usr/bin/x", id="names without a leading dot"),
        pytest.param([Put("./usr//bin/./x")], "usr/bin/x", id="names with doubled slashes"),
        pytest.param([put_dir("./a"), put_dir("./a"), Put("./a/x")], "a/x", id="a directory listed twice"),
        pytest.param([Put("./" + "d/" * 90 + "x" * 90)], "d/" * 90 + "x" * 90, id="a path longer than 256"),
        pytest.param([Put("./näme \t'\"\\x")], "näme \t'\"\\x", id="letters that shells do not like"),
        pytest.param([Put("./..x/x...")], "..x/x...", id="names that begin with dots"),
    ],
)
def test_unusual_but_sound(tmp_path: Path, entries: list[Put], path: str) -> None:
    package = taken(tmp_path, deb(entries))
    assert package.entries[-1].path == path
    assert (tmp_path / "root" / path).is_file()


def test_a_package_is_unpacked_once_and_found_again(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    made = build(tmp_path, "tool", {"usr/bin/tool": b"tool"})
    first = unpack_all({"ab" * 32: made}, home, jobs=2)["ab" * 32]
    inode = (first.root / "usr/bin/tool").stat().st_ino
    second = unpack_all({"ab" * 32: made}, home, jobs=2)["ab" * 32]
    assert second == first
    assert (second.root / "usr/bin/tool").stat().st_ino == inode


@pytest.mark.parametrize(
    "harm",
    [
        pytest.param(lambda p: p.write_bytes(b"evil"), id="content of the same length"),
        pytest.param(lambda p: p.write_bytes(b"longer than it was"), id="other length"),
        pytest.param(lambda p: p.unlink(), id="gone"),
    ],
)
def test_damage_in_the_cache_is_seen_and_mended(tmp_path: Path, harm: Callable[[Path], object]) -> None:
    home = Home(tmp_path / "home")
    debs = {name * 32: build(tmp_path, name, {"usr/bin/tool": b"tool"}) for name in ("aa", "bb")}
    made = unpack_all(debs, home, jobs=2)
    assert damaged(made.values(), jobs=2) == []
    harm(made["aa" * 32].root / "usr/bin/tool")
    assert [u.package.name for u in damaged(made.values(), jobs=2)] == ["aa"]
    forget(made["aa" * 32])
    again = unpack_all(debs, home, jobs=2)
    assert damaged(again.values(), jobs=2) == []


texts = st.text(st.characters(blacklist_categories=["Cs"]), max_size=20)
entries = st.builds(
    Entry,
    path=texts,
    kind=st.sampled_from(["file", "dir", "symlink", "hardlink"]),
    mode=st.integers(0, 0o7777),
    uid=st.integers(0, 70000),
    gid=st.integers(0, 70000),
    mtime=st.integers(0, 1 << 40),
    size=st.integers(0, 1 << 40),
    sha256=texts,
    target=texts,
    capability=texts,
)


@given(st.builds(Package, st.dictionaries(texts, texts), st.frozensets(texts), st.lists(entries).map(tuple)))
def test_a_package_survives_its_json(package: Package) -> None:
    assert package_from_json(json.loads(json.dumps(package_to_json(package)))) == package
