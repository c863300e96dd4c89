"""A new version keeps layers of the one before: what every other program sees is the tree, and nothing private is left behind."""

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from tests.store.layered import Hasty, histories, lay
from tests.store.trees import EPOCH, Tree, linked, noise, opener, tree_of

from goldsmith.model.oci import Descriptor
from goldsmith.model.tree import TreeEntry, normal, tree_digest
from goldsmith.store import tar
from goldsmith.store.kept import BUDGET
from goldsmith.store.layers import recall
from goldsmith.store.layout import Layout
from goldsmith.store.listing import read_layer
from goldsmith.store.partition import homes, is_program
from goldsmith.store.tree import StoredTree, open_path, read_index, store_tree


def owners_of(entries: Mapping[str, TreeEntry]) -> dict[str, str]:
    """Programs, by the directory they are in if that is one of ``packages``, and a setting."""
    mine = [path for path in entries if path.startswith("/usr/") or path == "/etc/a"]
    found = {path: path.split("/")[2] for path in mine if not path.startswith("/usr/local/")}
    return {path: name if name.startswith("p") else "base" for path, name in found.items()}


def stored(layout: Layout, tree: Tree, before: Sequence[Descriptor] = ()) -> StoredTree:
    entries, contents = tree
    owners = owners_of(entries)
    return store_tree(layout, entries, opener(contents), owners=owners, epoch=EPOCH, before=before)


def blobs(tree: StoredTree) -> list[Descriptor]:
    return [layer.blob for layer in tree.layers]


def seen(layout: Layout, tree: StoredTree) -> dict[str, TreeEntry]:
    """What a container tool makes of it."""
    return lay(layout, [layer.blob.digest for layer in tree.layers])


def archived(entries: Mapping[str, TreeEntry]) -> dict[str, TreeEntry]:
    return {path: entry for path, entry in normal(entries.values()).items() if entry.kind != "socket"}


@given(histories())
@settings(max_examples=60, deadline=None)
def test_every_version_is_seen_as_it_is_and_leaves_nothing_private_behind(trees: list[Tree]) -> None:
    with tempfile.TemporaryDirectory() as room:
        layout = Layout(Path(room), Hasty())
        before: list[Descriptor] = []
        public: set[tuple[str, str]] = set()
        for entries, contents in trees:
            tree = stored(layout, (entries, contents), before)
            assert len(tree.layers) <= BUDGET
            assert seen(layout, tree) == archived(entries)
            index = read_index(layout, tree.index.digest)
            assert tree_digest(index.entries.values()) == tree_digest(entries.values())
            for path, data in contents.items():
                assert open_path(layout, index, path).read() == data
            home = homes(entries, owners_of(entries), epoch=EPOCH)
            public |= {(path, entries[path].sha256) for path in home if is_program(home[path])}
            mine = {(path, entry.sha256) for path, entry in entries.items()}
            for layer in tree.layers[:-1]:
                held = read_layer(layout, layer.blob).content.entries
                assert {(path, entry.sha256) for path, entry in held.items()} - mine <= public
            before = blobs(tree)


@given(histories())
@settings(max_examples=15, deadline=None)
def test_a_layer_read_from_its_bytes_is_known_as_if_it_had_been_packed_here(trees: list[Tree]) -> None:
    with tempfile.TemporaryDirectory() as room, tempfile.TemporaryDirectory() as other:
        layout = Layout(Path(room), Hasty())
        before: list[Descriptor] = []
        for tree in trees:
            made = stored(layout, tree, before)
            for layer in made.layers[:-1]:
                known, read = recall(layout, layer.blob.digest[7:]), read_layer(layout, layer.blob)
                assert known is not None
                above = tuple(replace(entry, mtime=0) for entry in known.content.above)
                content = replace(known.content, above=above, owners={})
                assert replace(known, content=content) == read
            shutil.copytree(layout.directory, other, dirs_exist_ok=True)
            shutil.rmtree(Path(other) / "known")
            assert blobs(stored(Layout(Path(other), Hasty()), tree, before)) == blobs(made)
            before = blobs(made)


def packages(count: int, changed: Mapping[int, int], extra: Mapping[str, bytes] | None = None) -> Tree:
    """A tree of packages of different sizes, some in another version."""
    files = {
        f"/usr/p{number}/{part}": noise(
            number * 1000 + part + 100 * changed.get(number, 0), 2000 + 531 * number
        )
        for number in range(count)
        for part in range(4)
    }
    return tree_of({**files, **(extra or {})})


def size(layout: Layout) -> int:
    return sum(path.stat().st_size for path in layout.blobs.all())


def test_twelve_versions_cost_little_more_than_one(layout: Layout) -> None:
    versions = dict.fromkeys(range(60), 0)
    before: list[Descriptor] = []
    first, content = 0, 0
    for version in range(12):
        for number in range(version * 5, version * 5 + 3):
            versions[number % 60] = version
        tree = packages(60, versions, {"/etc/version": b"%d" % version})
        made = stored(layout, tree, before)
        assert seen(layout, made) == archived(tree[0])
        assert len(made.layers) <= BUDGET
        first = first or size(layout)
        if version:
            content += sum(4 * (2000 + 531 * (number % 60)) for number in range(version * 5, version * 5 + 3))
        before = blobs(made)
        assert sum(layer.blob.size for layer in made.layers) < 1.35 * first
    assert size(layout) < first + 2.5 * content


def test_a_package_that_changes_costs_itself(layout: Layout) -> None:
    one = stored(layout, packages(60, {}))
    first = size(layout)
    two = stored(layout, packages(60, {7: 1, 33: 1}), blobs(one))
    assert size(layout) - first < 4 * (2 * 2000 + 531 * 40) + 20_000
    assert set(blobs(one)) < set(blobs(two)) | {one.layers[-1].blob}


def test_the_same_tree_again_keeps_every_layer(layout: Layout) -> None:
    one = stored(layout, packages(20, {}))
    two = stored(layout, packages(20, {3: 1}), blobs(one))
    assert stored(layout, packages(20, {3: 1}), blobs(two)) == two


def test_a_setting_that_is_gone_is_in_no_layer(layout: Layout) -> None:
    secret = noise(77, 3000)
    one = stored(layout, packages(10, {}, {"/etc/a": secret, "/etc/b": b"b", "/usr/local/own": secret}))
    two = stored(layout, packages(10, {}, {"/etc/a": b"other", "/etc/b": b"b"}), blobs(one))
    for layer in two.layers:
        data = zstandard.ZstdDecompressor().stream_reader(
            layout.blobs.read(layer.blob.digest), read_across_frames=True
        )
        assert secret[:64] not in data.read()
    assert len(set(blobs(one)) & set(blobs(two))) >= 1


def test_a_layer_that_was_lost_comes_back_with_the_tree_it_was_made_of(layout: Layout) -> None:
    tree = packages(60, {})
    one = stored(layout, tree)
    for layer in one.layers:
        layout.blobs.path(layer.blob.digest).unlink()
    assert stored(layout, tree, blobs(one)) == one
    assert all(layout.blobs.has(blob.digest) for blob in blobs(one))


def test_a_file_that_was_a_directory_in_between_is_seen(layout: Layout) -> None:
    """The first layer has it still, but the second, which stays for what else is in it, has a directory there."""
    other = {f"/usr/q/{number}": noise(number, 9000) for number in range(3)}
    versions = [
        packages(9, {}, {"/usr/x": b"x"}),
        packages(9, {}, {"/usr/x/y": b"y", **other}),
        packages(9, {}, {"/usr/x": b"x", **other}),
    ]
    before: list[Descriptor] = []
    for tree in versions:
        made = stored(layout, tree, before)
        assert seen(layout, made) == archived(tree[0])
        assert not before or set(before) & set(blobs(made)[1:])
        before = blobs(made)


def test_names_of_a_file_that_loses_one_are_stored_again(layout: Layout) -> None:
    tree = linked(packages(10, {}), "/usr/p1/0", "/usr/p1/other", "group")
    one = stored(layout, tree)
    two = stored(layout, packages(10, {}), blobs(one))
    index = read_index(layout, two.index.digest)
    assert index.places["/usr/p1/0"][0] not in {
        number for number, layer in enumerate(two.layers) if layer.blob in blobs(one)
    }


def sound() -> bytes:
    data = b"text"
    return (
        tar.header(TreeEntry("/usr", "dir", 0o755, 0, 0, 0))
        + tar.header(TreeEntry("/usr/a", "file", 0o644, 0, 0, 7, len(data)))
        + tar.padded(data)
    )


def header(path: str, kind: str = "file", **others: object) -> bytes:
    return tar.header(TreeEntry(path, kind, 0o644, 0, 0, 7, **others))  # type: ignore[arg-type]


HOSTILE = {
    "a whiteout": header("/usr/.wh.a"),
    "a path twice": header("/usr/a"),
    "a way up": header("/usr/../etc"),
    "a file in a file": header("/usr/a/b"),
    "a directory that is not named": header("/etc/x"),
    "a link to nowhere": tar.header(TreeEntry("/usr/b", "file", 0o644, 0, 0, 7), link_to="/usr/c"),
    "a name with a slash": header("/usr//b"),
    "a file that does not fit": header("/usr/b", size=1 << 40),
    "another program's header": tar.header(TreeEntry("/usr/b", "file", 0o644, 0, 0, 7)).replace(
        b"ustar\x0000", b"ustar  \0"
    ),
    "text": b"t" * 512,
    "half a header": header("/usr/b")[:100],
    "an end in the middle": tar.END + header("/usr/b"),
    "a pax header that counts wrongly": bytearray(header("/usr/" + "ü" * 80)).replace(b"path=", b"path:"),
}


@pytest.mark.parametrize("name", ["nothing", *HOSTILE])
def test_a_layer_that_was_packed_otherwise_is_not_kept(layout: Layout, name: str) -> None:
    compress = zstandard.ZstdCompressor().compress
    data = compress(sound() + bytes(HOSTILE.get(name, b""))) + compress(tar.END)
    with layout.blobs.growing() as growing:
        growing.write(data)
    blob = Descriptor("layer", growing.digest, growing.size)
    if name == "nothing":
        assert set(read_layer(layout, blob).content.entries) == {"/usr/a"}
        return
    with pytest.raises(ValueError, match=r"."):
        read_layer(layout, blob)
    entries, contents = tree_of({"/usr/a": b"text"})
    tree = stored(layout, (entries, contents), [blob])
    assert blob.digest not in {layer.blob.digest for layer in tree.layers}


@pytest.mark.parametrize("harm", ["cut", "more", "bomb", "flipped"])
def test_a_damaged_layer_is_not_read(layout: Layout, harm: str) -> None:
    data = bytearray(
        zstandard.ZstdCompressor().compress(sound()) + zstandard.ZstdCompressor().compress(tar.END)
    )
    whole = bytes(data)
    with layout.blobs.growing() as growing:
        growing.write(whole)
    blob = Descriptor("layer", growing.digest, growing.size)
    if harm == "cut":
        del data[-5:]
    elif harm == "more":
        data += b"x"
    elif harm == "bomb":
        data[:] = zstandard.ZstdCompressor().compress(bytes(64 << 20))
    else:
        data[20] ^= 4
    layout.blobs.path(blob.digest).write_bytes(data)
    with pytest.raises(ValueError, match=r"."):
        read_layer(layout, blob)
