"""What comes from outside, made up: every parser takes it or refuses it in words of its own."""

import hashlib
import json
import tempfile
from contextlib import suppress
from pathlib import Path

import zstandard
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.store.trees import EPOCH, noise, opener, tree_of

from goldsmith.effects.webserver import part
from goldsmith.errors import GoldsmithError, IntegrityError, UsageError
from goldsmith.model import oci
from goldsmith.model.oci import Descriptor
from goldsmith.store.layout import Layout
from goldsmith.store.remote.address import destination, parse, parse_place
from goldsmith.store.remote.credentials import from_config, from_netrc
from goldsmith.store.remote.frames import heads
from goldsmith.store.remote.manifests import check_manifest
from goldsmith.store.remote.registry import listed
from goldsmith.store.remote.site import StoreSite
from goldsmith.store.tree import decode, store_tree

words = st.lists(
    st.sampled_from(
        ["http://", "https://", "docker://", "oci:", "dir:", "/", "..", ".", ":", "@", "sha256:", "0" * 64, "web", "1.0.0",
         "127.0.0.1", "localhost", "[::1]", "5000", "h.example", "?", "#", "%2e", "\0", "\n", "é", "A", "-", "_"]
    )
    | st.text(max_size=5),
    max_size=9,
).map("".join)  # fmt: skip
descriptors = st.fixed_dictionaries(
    {},
    optional={
        "mediaType": st.sampled_from([oci.LAYER, oci.MANIFEST, oci.INDEX, "", 3]),
        "digest": st.sampled_from([f"sha256:{'0' * 64}", "sha256:../x", "", None, 7]),
        "size": st.sampled_from([0, 2, -1, 1 << 70, "2", None, True]),
        "annotations": st.sampled_from([{}, {"a": "b"}, {"a": 1}, [], "x"]),
    },
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | descriptors,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
documents = st.fixed_dictionaries(
    {},
    optional={
        "mediaType": st.sampled_from([oci.MANIFEST, oci.INDEX]) | anything,
        "config": descriptors | anything,
        "layers": st.lists(descriptors, max_size=3) | anything,
        "manifests": st.lists(descriptors, max_size=3) | anything,
        "subject": descriptors | anything,
        "annotations": anything,
    },
)


@given(words)
@settings(max_examples=400, deadline=None)
def test_addresses(text: str) -> None:
    for read in (parse, parse_place, lambda text: destination(text, "web", "1.0.0")):
        with suppress(UsageError):
            found = read(text)
            assert "\n" not in str(found)
            assert "\0" not in str(found)


@given(documents, st.sampled_from([oci.MANIFEST, oci.INDEX, "x"]))
@settings(max_examples=400, deadline=None)
def test_manifests(value: object, media_type: str) -> None:
    data = json.dumps(value).encode()
    item = Descriptor(media_type, f"sha256:{hashlib.sha256(data).hexdigest()}", len(data))
    with suppress(IntegrityError):
        manifest = check_manifest(item, data)
        named = (*manifest.below, *manifest.blobs, manifest.subject)
        assert all(one is None or oci.DIGEST.fullmatch(one.digest) for one in named)
    with suppress(IntegrityError):
        listed(data)


@given(anything | documents)
@settings(max_examples=200, deadline=None)
def test_files_of_credentials(value: object) -> None:
    with tempfile.TemporaryDirectory() as room:
        path = Path(room) / "config.json"
        path.write_text(json.dumps({"auths": value} if isinstance(value, dict) else value))
        for host in ("a", "", "h.example"):
            with suppress(GoldsmithError):
                from_config(path, host, {"PATH": "/nonexistent"})
        with suppress(GoldsmithError):
            from_netrc("h", {"NETRC": str(path)})


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_tree_indexes(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as room:
        layout = Layout(Path(room))
        entries, contents = tree_of({"/a": noise(1, 200_000), "/b/c": b"small", "/b/d": b""})
        tree = store_tree(layout, entries, opener(contents), owners={}, epoch=EPOCH)
        whole = bytearray(layout.blobs.read(tree.index.digest))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(whole) - 1))
        whole[at] = data.draw(st.integers(0, 255))
    for read in (heads, decode):
        with suppress(ValueError):
            read(bytes(whole))


@given(st.lists(anything, max_size=4), anything)
@settings(max_examples=200, deadline=None)
def test_first_lines_of_tree_indexes(frames: list[object], other: object) -> None:
    for layers in (
        [{"digest": f"sha256:{'0' * 64}", "size": 7, "diff_id": other, "frames": frames}],
        other,
        [other],
    ):
        text = json.dumps({"goldsmith": "tree 1", "layers": layers}).encode() + b"\n"
        data = zstandard.ZstdCompressor().compress(text)
        for read in (heads, decode):
            with suppress(ValueError):
                read(data)


@given(st.text(max_size=30) | words, st.integers(0, 100))
@example("/[", 0)  # no host in brackets
@settings(max_examples=300, deadline=None)
def test_ranges_and_paths(text: str, size: int) -> None:
    start, end, status = part(text if text.startswith("bytes") else f"bytes={text}", size)
    assert 0 <= start <= end <= size
    assert status in {200, 206, 416}
    with tempfile.TemporaryDirectory() as room:
        page = StoreSite(Layout(Path(room))).page(f"/{text}")
        assert page is None or not isinstance(page.body, Path) or page.body.parent.name == "sha256"
