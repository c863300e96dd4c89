import hashlib
import io
import os
import re
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.store.ground import LISTS
from tests.store.trees import EPOCH, Tree, directory, linked, noise, nothing, opener, tree_of, trees

from goldsmith.errors import IntegrityError, UsageError
from goldsmith.model.tree import TreeEntry, tree_digest
from goldsmith.store import pack, tar
from goldsmith.store.layout import Layout
from goldsmith.store.partition import dpkg_owners, homes, partition
from goldsmith.store.tree import StoredTree, decode, open_path, pieces, read_index, store_tree

MIB = 1 << 20


def stored(layout: Layout, tree: Tree, **options: object) -> StoredTree:
    entries, contents = tree
    return store_tree(layout, entries, opener(contents), owners={}, epoch=EPOCH, **options)  # type: ignore[arg-type]


def unpacked(layout: Layout, digest: str) -> bytes:
    data = layout.blobs.read(digest)
    return zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True).read()


def members(layout: Layout, tree: StoredTree) -> dict[str, tuple[tarfile.TarInfo, bytes]]:
    """What a reader of archives sees when it lays the layers over each other."""
    found = {}
    for layer in tree.layers:
        archive = unpacked(layout, layer.blob.digest)
        assert f"sha256:{hashlib.sha256(archive).hexdigest()}" == layer.diff_id
        with tarfile.open(fileobj=io.BytesIO(archive)) as reader:
            for member in reader:
                body = reader.extractfile(member) if member.isfile() else None
                found[f"/{member.name}"] = (member, body.read() if body else b"")
    return found


@given(trees(), st.integers(1, 2))
@settings(max_examples=60, deadline=None)
def test_a_tree_comes_back_as_it_was(tree: Tree, jobs: int) -> None:
    entries, contents = tree
    with tempfile.TemporaryDirectory() as room:
        layout = Layout(Path(room))
        index = read_index(layout, stored(layout, tree, jobs=jobs).index.digest)
        assert tree_digest(index.entries.values()) == tree_digest(entries.values())
        found: dict[str, bytes] = {}
        for piece in pieces(layout, index, contents, jobs=jobs):
            assert piece.start == len(found.get(piece.path, b""))
            found[piece.path] = found.get(piece.path, b"") + bytes(piece.data)
        assert found == {path: data for path, data in contents.items() if data}
        for path, data in contents.items():
            assert open_path(layout, index, path).read() == data


@given(trees())
@settings(max_examples=40, deadline=None)
def test_another_program_reads_the_same_tree_from_the_layers(tree: Tree) -> None:
    entries, contents = tree
    kinds = {
        "file": tarfile.REGTYPE,
        "dir": tarfile.DIRTYPE,
        "symlink": tarfile.SYMTYPE,
        "fifo": tarfile.FIFOTYPE,
    }
    with tempfile.TemporaryDirectory() as room:
        layout = Layout(Path(room))
        found = members(layout, stored(layout, tree))
    assert set(found) == {path for path, entry in entries.items() if entry.kind != "socket"}
    for path, (member, body) in found.items():
        entry = entries[path]
        if member.islnk():
            assert entries[f"/{member.linkname}"].link == entry.link != ""
            continue
        assert member.type == kinds[entry.kind]
        assert (member.mode, member.uid, member.gid, member.mtime) == (
            entry.mode,
            entry.uid,
            entry.gid,
            entry.mtime,
        )
        assert member.linkname == entry.target
        assert body == contents.get(path, b"")
        attributes = {
            name.removeprefix("SCHILY.xattr."): value.encode("utf-8", "surrogateescape").hex()
            for name, value in member.pax_headers.items()
            if name.startswith("SCHILY.xattr.")
        }
        assert attributes == dict(entry.xattrs)


def test_gnu_tar_restores_owners_times_attributes_and_hard_links(layout: Layout, tmp_path: Path) -> None:
    capability = "0100000200200000000000000000000000000000"
    special = TreeEntry("/usr/bin/ping", "file", 0o4755, 7, 8, 12345, 4, hashlib.sha256(b"ping").hexdigest())
    special = replace(special, xattrs=(("security.capability", capability), ("user.note", b"a\0b\xff".hex())))
    long = "/" + "d" * 90 + "/" + "möhre" * 20
    entries, contents = tree_of(
        {"/usr/bin/a": noise(1, 200_000), long: b"long"}, [special, directory("/tmp", 0o1777, 99)]
    )
    tree = linked((entries, {**contents, "/usr/bin/ping": b"ping"}), "/usr/bin/a", "/usr/bin/b", "group")
    layers = stored(layout, tree).layers
    for layer in layers:
        (tmp_path / "layer.tar").write_bytes(unpacked(layout, layer.blob.digest))
        (tmp_path / "root").mkdir(exist_ok=True)
        subprocess.run(
            ["tar", "--xattrs", "--xattrs-include=*", "--numeric-owner", "-xpf", "../layer.tar"],
            cwd=tmp_path / "root",
            check=True,
        )
    root = tmp_path / "root"
    facts = (root / "usr/bin/ping").stat()
    assert (facts.st_uid, facts.st_gid, facts.st_mtime, facts.st_mode & 0o7777) == (7, 8, 12345, 0o4755)
    assert os.getxattr(root / "usr/bin/ping", "security.capability").hex() == capability
    assert os.getxattr(root / "usr/bin/ping", "user.note") == b"a\0b\xff"
    assert (root / "usr/bin/a").stat().st_ino == (root / "usr/bin/b").stat().st_ino
    assert (root / "usr/bin/b").read_bytes() == noise(1, 200_000)
    assert (root / long[1:]).read_bytes() == b"long"
    assert ((root / "tmp").stat().st_mode & 0o7777, (root / "tmp").stat().st_mtime) == (0o1777, 99)


def test_frames_are_cut_where_the_design_says(layout: Layout) -> None:
    files = {f"/s{number:03}": noise(number, 10_000) for number in range(60)}
    files |= {
        "/just-small": noise(1, pack.LARGE - 1),
        "/large": noise(2, pack.LARGE),
        "/huge": noise(3, 5 * MIB),
    }
    (layer, _) = stored(layout, tree_of(files)).layers
    assert layer.places["/large"].offset == layer.places["/huge"].offset == tar.RECORD
    assert layer.places["/just-small"].offset > tar.RECORD or layer.places["/s000"].offset > tar.RECORD
    raw = [frame.raw for frame in layer.frames]
    huge = layer.places["/huge"].frame
    assert raw[huge : huge + 3] == [2 * MIB + 512, 2 * MIB, MIB]
    assert raw[layer.places["/large"].frame] == pack.LARGE + 512
    shared = raw[:huge]
    assert all(size <= pack.SHARED for size in shared)
    assert all(size > pack.SHARED // 2 for size in shared[:-1])
    assert raw[-1] == 1024


def test_a_known_tree_is_neither_read_nor_written(layout: Layout) -> None:
    tree = tree_of({"/a": b"a", "/b/c": noise(1, 300_000)})
    first = stored(layout, tree)
    before = {path.name: path.stat().st_ino for path in layout.blobs.all()}
    again = store_tree(layout, tree[0], nothing, owners={}, epoch=EPOCH)
    assert again == first
    assert {path.name: path.stat().st_ino for path in layout.blobs.all()} == before


def test_a_layer_that_was_lost_is_made_again(layout: Layout) -> None:
    tree = tree_of({"/a": b"a"})
    first = stored(layout, tree)
    layout.blobs.path(first.layers[0].blob.digest).unlink()
    assert stored(layout, tree) == first
    assert layout.blobs.has(first.layers[0].blob.digest)


def test_what_is_known_is_forgotten_when_it_is_damaged(layout: Layout) -> None:
    tree = tree_of({"/a": b"a"})
    first = stored(layout, tree)
    for path in layout.known.iterdir():
        path.write_bytes(path.read_bytes()[:-3])
    assert stored(layout, tree) == first


def test_two_stores_hold_the_same_bytes_whatever_the_jobs(tmp_path: Path) -> None:
    tree = tree_of({f"/f{number}": noise(number, number * 9000) for number in range(40)})
    one, two = (stored(Layout(tmp_path / str(jobs)), tree, jobs=jobs) for jobs in (1, 3))
    assert one == two


def test_a_changed_package_changes_its_own_layer_only(layout: Layout) -> None:
    files = {f"/usr/p{number}/f": noise(number, 50_000) for number in range(6)}
    owners = {path: path.split("/")[2] for path in files}
    one = tree_of(files)
    two = tree_of({**files, "/usr/p3/f": b"new"}, [directory("/usr/p3", mtime=EPOCH + 9)])
    layers = []
    for entries, contents in (one, two):
        tree = store_tree(layout, entries, opener(contents), owners=owners, epoch=EPOCH)
        layers.append({layer.blob.digest for layer in tree.layers})
    assert len(layers[0]) == 7
    assert len(layers[0] - layers[1]) == 2  # the package's own, and the directories'


@pytest.mark.parametrize(
    "data", [b"", b"shor", b"other bytes", noise(9, 200_000)], ids=["gone", "cut", "other", "longer"]
)
@pytest.mark.parametrize("size", [11, 200_000, 5 * MIB], ids=["small", "large", "in several frames"])
def test_a_file_that_changed_meanwhile_is_told_and_nothing_is_kept(
    layout: Layout, data: bytes, size: int
) -> None:
    entries, _ = tree_of({"/etc/x": noise(3, size)})
    with pytest.raises(IntegrityError, match="file '/etc/x' is not what the tree's list says"):
        stored(layout, (entries, {"/etc/x": data}))
    # The layer of directories may have been finished beside it; nothing names it.
    assert not [path for path in layout.blobs.all() if path.stat().st_size > 1000]


def test_an_error_in_one_layer_ends_those_above_it_too(layout: Layout) -> None:
    frames = 60
    entries, contents = tree_of({"/usr/a": b"a", "/var/b": bytes(frames * pack.CUT)})
    pressed = []

    def press(items: Sequence[pack.Item], raw: bytes) -> bytes:
        pressed.append(items)
        time.sleep(0.2)  # enough for the error to come first, however busy the host is
        return pack.compress(raw)

    with pytest.raises(IntegrityError, match="file '/usr/a' is not what"):
        store_tree(
            layout,
            entries,
            opener({**contents, "/usr/a": b""}),
            owners={"/usr/a": "a"},
            press=press,
        )
    assert len(pressed) < frames
    assert list(layout.blobs.directory.glob(".draft-*")) == []


def test_devices_are_stored_as_tar_reads_them(layout: Layout) -> None:
    devices = [
        TreeEntry("/dev/null", "char", 0o666, 0, 0, 0, target="1:3"),
        TreeEntry("/dev/nvme9n1", "block", 0o660, 0, 6, 0, target="259:300"),
    ]
    tree = stored(layout, tree_of({}, devices))
    found = {
        name: (m.type, m.devmajor, m.devminor, m.mode, m.gid)
        for name, (m, _) in members(layout, tree).items()
        if m.isdev()
    }
    assert found == {
        "/dev/null": (tarfile.CHRTYPE, 1, 3, 0o666, 0),
        "/dev/nvme9n1": (tarfile.BLKTYPE, 259, 300, 0o660, 6),
    }
    index = read_index(layout, tree.index.digest)
    assert [index.entries[device.path] for device in devices] == devices


def test_a_kind_that_is_not_known_is_refused_by_name(layout: Layout) -> None:
    tree = tree_of({}, [TreeEntry("/run/door", "door", 0o600, 0, 0, 0)])
    with pytest.raises(UsageError, match="'/run/door' is a door, which cannot be stored"):
        stored(layout, tree)


@pytest.mark.parametrize("path", ["/etc/.wh.passwd", "/etc/.wh..wh..opq", "/.wh.x"])
def test_a_name_that_would_remove_another_is_refused_by_name(layout: Layout, path: str) -> None:
    with layout.used(), pytest.raises(UsageError, match=re.escape(f"{path!r} cannot be stored")):
        stored(layout, tree_of({path: b"", "/etc/a.wh.": b""}))
    assert list(layout.blobs.all()) == []


def test_a_path_that_is_no_file_cannot_be_opened(layout: Layout) -> None:
    index = read_index(layout, stored(layout, tree_of({"/a/b": b""})).index.digest)
    assert open_path(layout, index, "/a/b").read() == b""
    for path in ("/a", "/nowhere", "a/b"):
        with pytest.raises(UsageError, match="the tree has no file"):
            open_path(layout, index, path)


@pytest.mark.parametrize("at", [10, -2000, -1])
def test_a_flipped_bit_in_a_layer_is_never_handed_out(layout: Layout, at: int) -> None:
    tree = stored(layout, tree_of({"/a": noise(1, 200_000), "/b": noise(2, 100)}))
    index = read_index(layout, tree.index.digest)
    path = layout.blobs.path(tree.layers[0].blob.digest)
    data = bytearray(path.read_bytes())
    data[at if at < 0 else len(data) // 2 + at] ^= 4
    path.write_bytes(data)
    for name, body in (("/a", noise(1, 200_000)), ("/b", noise(2, 100))):
        try:
            assert open_path(layout, index, name).read() == body
        except IntegrityError as error:
            assert "damaged" in error.message or "SHA-256" in error.message  # noqa: PT017 - either may be


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_a_damaged_index_is_refused_as_such(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as room:
        layout = Layout(Path(room))
        text = layout.blobs.read(stored(layout, tree_of({"/a": b"aa", "/b": noise(1, 9000)})).index.digest)
    plain = bytearray(zstandard.ZstdDecompressor().decompress(text))
    for _ in range(data.draw(st.integers(1, 4))):
        plain[data.draw(st.integers(0, len(plain) - 1))] = data.draw(st.sampled_from(b'0-9"[]{},:n\n\xff'))
    try:
        decode(zstandard.ZstdCompressor().compress(bytes(plain)))
    except ValueError:
        return


def test_layers_stay_within_the_budget_and_keep_their_packages() -> None:
    files = {f"/usr/p{number}/{part}": bytes(number * 100) for number in range(200) for part in "ab"}
    entries, _ = tree_of(files)
    owners = {path: path.split("/")[2] for path in files}
    layers = partition(entries, homes(entries, owners, epoch=EPOCH))
    assert len(layers) <= 20
    assert list(layers)[-1] == "directories"
    assert sorted(path for paths in layers.values() for path in paths) == sorted(entries)
    where = {path: name for name, paths in layers.items() for path in paths}
    assert all(where[f"/usr/p{number}/a"] == where[f"/usr/p{number}/b"] for number in range(200))
    fewer = {path: entry for path, entry in entries.items() if not path.startswith("/usr/p7/")}
    left = partition(fewer, homes(fewer, owners, epoch=EPOCH))
    assert {path: name for name, paths in left.items() for path in paths} == {
        path: name for path, name in where.items() if path in fewer
    }


def test_names_of_one_file_stay_together() -> None:
    entries, _ = linked(tree_of({"/usr/a": b"x", "/usr/z/b": b"y"}), "/usr/a", "/usr/z/c", "g")
    layers = partition(entries, homes(entries, {"/usr/a": "one", "/usr/z/c": "two", "/usr/z/b": "two"}))
    assert [paths for paths in layers.values() if "/usr/a" in paths] == [("/usr/a", "/usr/z/c")]


@pytest.mark.parametrize(
    ("path", "mtime", "home"),
    [
        ("/usr/bin/app", EPOCH - 1, "app"),
        ("/usr/bin/app", EPOCH, "<built>"),
        ("/etc/app.conf", EPOCH - 1, ""),
        ("/usr/local/bin/own", EPOCH - 1, ""),
        ("/usr/lib/__pycache__/app.cpython-313.pyc", EPOCH, "<derived>"),
        ("/usr/lib/modules/6.1/modules.dep.bin", EPOCH, "<derived>"),
        ("/usr/lib/modules/own/modules.dep.bin", EPOCH, "<built>"),
        ("/var/lib/dpkg/info/app1.2:amd64.postinst", EPOCH - 1, "app1.2"),
        ("/var/lib/dpkg/info/app1.2:amd64.postinst", EPOCH, "<built>"),
        ("/var/lib/dpkg/info/app.list", EPOCH, "app"),
        ("/var/lib/dpkg/info/format", EPOCH - 1, ""),
        ("/var/lib/dpkg/status", EPOCH - 1, ""),
        ("/srv/__pycache__/own.cpython-313.pyc", EPOCH, "<built>"),
    ],
)
def test_only_what_everybody_has_is_a_packages(path: str, mtime: int, home: str) -> None:
    owners = dict.fromkeys(
        ["/usr/bin/app", "/etc/app.conf", "/usr/lib/app.py", "/usr/lib/modules/6.1/modules.order"], "app"
    )
    entries, _ = tree_of({path: b"x"})
    entries[path] = replace(entries[path], mtime=mtime)
    assert homes(entries, owners, epoch=EPOCH) == {path: home}


def test_owners_are_dpkgs_also_through_merged_directories() -> None:
    entries, contents = tree_of(
        {
            "/usr/bin/sh": b"",
            "/usr/lib/x": b"",
            "/var/lib/dpkg/info/dash.list": b"/.\n/bin\n/bin/sh\n",
            "/var/lib/dpkg/info/libx:amd64.list": b"/usr/lib/x\n",
        },
        [TreeEntry("/bin", "symlink", 0o777, 0, 0, 0, target="usr/bin")],
    )
    owners = dpkg_owners(entries, opener(contents))
    assert (owners["/usr/bin/sh"], owners["/usr/lib/x"]) == ("dash", "libx")


X = "/usr/lib/x"
ODD_LISTS: dict[str, tuple[TreeEntry, dict[str, str]]] = {
    "a directory": (TreeEntry(f"{LISTS}/a.list", "dir", 0o755, 0, 0, 0), {}),
    "a link": (TreeEntry(f"{LISTS}/a.list", "symlink", 0o777, 0, 0, 0, target=X), {}),
    "far too large": (TreeEntry(f"{LISTS}/a.list", "file", 0o644, 0, 0, 0, 1 << 30, "0" * 64), {}),
    "of a package whose name is no text": (
        TreeEntry(f"{LISTS}/\udcff.list", "file", 0o644, 0, 0, 0, 15, "0" * 64),
        {X: "\udcff"},
    ),
}


@pytest.mark.parametrize("name", ODD_LISTS)
def test_lists_of_packages_may_be_anything(name: str) -> None:
    entries, contents = tree_of({X: b"x"})
    listed, owners = ODD_LISTS[name]
    entries[listed.path] = listed
    contents[listed.path] = f"/gone\n{X}\n".encode()
    assert dpkg_owners(entries, opener(contents)) == owners
    assert partition(entries, homes(entries, owners))
