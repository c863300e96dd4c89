import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldsmith.errors import IntegrityError, UsageError
from goldsmith.model import oci
from goldsmith.model.oci import Descriptor
from goldsmith.store import notes
from goldsmith.store.check import Hurt, check
from goldsmith.store.gc import collect
from goldsmith.store.layout import Layout


def image(layout: Layout, name: str, *contents: bytes) -> Descriptor:
    """Store a small image under a name."""
    config = layout.blobs.put(b"{}", oci.EMPTY)
    layers = [layout.blobs.put(content, oci.LAYER) for content in contents]
    target = layout.blobs.put(oci.manifest(config, layers), oci.MANIFEST)
    layout.tag(name, target)
    return layers[0]


def place(layout: Layout, item: Descriptor) -> Path:
    return layout.blobs.path(item.digest)


def test_an_empty_store_has_no_refs_and_no_problems(layout: Layout) -> None:
    assert layout.refs() == {}
    assert check(layout, read=True) == []


def test_a_store_is_an_oci_image_layout(layout: Layout) -> None:
    image(layout, "web:1.0.0", b"one")
    assert json.loads((layout.directory / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
    index = json.loads((layout.directory / "index.json").read_bytes())
    assert index["schemaVersion"] == 2
    assert index["manifests"][0]["annotations"] == {"org.opencontainers.image.ref.name": "web:1.0.0"}
    assert check(layout, read=True) == []


def test_a_ref_is_replaced_and_forgotten(layout: Layout) -> None:
    image(layout, "web:1.0.0", b"one")
    image(layout, "db:1.0.0", b"two")
    image(layout, "web:1.0.0", b"three")
    assert list(layout.refs()) == ["web:1.0.0", "db:1.0.0"]
    layout.untag("web:1.0.0")
    assert list(layout.refs()) == ["db:1.0.0"]
    with pytest.raises(
        UsageError, match=r"there is no image 'web:1.0.0' in .*\n  hint: there are: none of that name"
    ):
        layout.untag("web:1.0.0")


def test_what_an_image_says_beside_a_name_is_repeated_but_for_what_only_the_store_says(
    layout: Layout,
) -> None:
    """One that says it speaks of something else would lose its objects to gc."""
    told = {notes.TITLE: "web", "com.example": "yes"}
    lies = dict.fromkeys((notes.SUBJECT, notes.BUILD, notes.LISTING, oci.REF_NAME), "lie")
    empty = layout.blobs.put(oci.EMPTY_JSON, oci.EMPTY)
    manifest = layout.blobs.put(oci.manifest(empty, []), oci.MANIFEST)
    layout.tag("web:1", layout.blobs.put(oci.index([manifest], annotations=told | lies), oci.INDEX))
    found = layout.refs()["web:1"]
    assert dict(found.annotations) == {**told, oci.REF_NAME: "web:1"}
    assert collect(layout).objects == ()
    many = {f"com.example.{number}": "x" * 100 for number in range(100)}
    layout.tag("web:2", layout.blobs.put(oci.index([manifest], annotations=told | many), oci.INDEX))
    assert dict(layout.refs()["web:2"].annotations) == {notes.TITLE: "web", oci.REF_NAME: "web:2"}


def test_entries_of_others_survive(layout: Layout) -> None:
    image(layout, "web:1.0.0", b"one")
    path = layout.directory / "index.json"
    value = json.loads(path.read_bytes())
    nameless = {"mediaType": oci.MANIFEST, "digest": "sha256:" + "0" * 64, "size": 7}
    path.write_text(json.dumps({**value, "manifests": [nameless, *value["manifests"]]}))
    image(layout, "web:2.0.0", b"two")
    assert layout.entries()[0].digest == nameless["digest"]
    assert list(layout.refs()) == ["web:1.0.0", "web:2.0.0"]


@pytest.mark.parametrize("name", ["web", "Web:1", "../web:1", "web:", ":1", "web:a b", "web:1\n"])
def test_what_cannot_be_a_name_is_refused(layout: Layout, name: str) -> None:
    with pytest.raises(UsageError, match="cannot name an image"):
        layout.tag(name, Descriptor(oci.MANIFEST, "sha256:" + "0" * 64, 1))


@pytest.mark.parametrize(
    ("pieces", "message"),
    [
        pytest.param([b"gol"], "it has 3 bytes instead of 4", id="shorter than announced"),
        pytest.param(
            [b"go", b"ld", b"en"], "it has more than the 4 bytes announced", id="longer than announced"
        ),
        pytest.param([b"gild"], "its bytes have the digest sha256:", id="other bytes"),
    ],
)
def test_what_comes_from_outside_is_verified(layout: Layout, pieces: list[bytes], message: str) -> None:
    expected = Layout(layout.directory / "other").blobs.put(b"gold", oci.LAYER)
    with pytest.raises(IntegrityError, match=message):
        layout.blobs.take(pieces, expected)
    assert list(layout.blobs.all()) == []
    layout.blobs.take([b"go", b"ld"], expected)
    assert layout.blobs.read(expected.digest) == b"gold"


@pytest.mark.parametrize(
    "digest", ["", "sha256:", "sha256:../../etc/passwd", "md5:" + "0" * 64, "sha256:" + "A" * 64]
)
def test_a_digest_from_outside_leads_nowhere_else(layout: Layout, digest: str) -> None:
    with pytest.raises(IntegrityError, match="is no digest"):
        layout.blobs.path(digest)


@pytest.mark.parametrize(
    "text",
    [b"", b"[]", b"{", b'{"manifests": 7}', b'{"manifests": [{"mediaType": "x"}]}', b"[" * 100_000, b"\xff"],
    ids=["nothing", "a list", "cut off", "a number", "half a descriptor", "depth", "no text"],
)
def test_a_damaged_index_is_told(layout: Layout, text: bytes) -> None:
    layout.directory.mkdir()
    (layout.directory / "index.json").write_bytes(text)
    with pytest.raises(IntegrityError, match=r"index\.json is damaged"):
        layout.refs()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["config", "layers", "manifests", "subject", "mediaType", "digest", "size", "annotations"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(json_values)
def test_any_json_is_a_manifest_or_refused(value: object) -> None:
    try:
        found = oci.children(value)
    except ValueError:
        return
    assert all(oci.DIGEST.fullmatch(item.digest) for item in found)


def flip(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def grow(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


@pytest.mark.parametrize(
    ("harm", "read", "kind"),
    [
        pytest.param(Path.unlink, False, Hurt.MISSING, id="a lost object"),
        pytest.param(cut, False, Hurt.TRUNCATED, id="a cut object"),
        pytest.param(grow, False, Hurt.DAMAGED, id="a grown object"),
        pytest.param(flip, True, Hurt.DAMAGED, id="a flipped bit, when read"),
        pytest.param(flip, False, None, id="a flipped bit, when only looked at"),
    ],
)
def test_check_names_the_object_and_the_images(
    layout: Layout, harm: Callable[[Path], None], read: bool, kind: Hurt | None
) -> None:
    shared = image(layout, "web:1.0.0", b"shared", b"own")
    image(layout, "web:2.0.0", b"shared")
    image(layout, "db:1.0.0", b"other")
    harm(place(layout, shared))
    found = [(problem.kind, problem.name, problem.images) for problem in check(layout, read=read)]
    assert found == ([(kind, shared.digest, ("web:1.0.0", "web:2.0.0"))] if kind else [])


@pytest.mark.parametrize("harm", [Path.unlink, cut, grow, flip])
def test_check_finds_hurt_manifests_without_reading_all(layout: Layout, harm: Callable[[Path], None]) -> None:
    layer = image(layout, "web:1.0.0", b"one")
    target = layout.refs()["web:1.0.0"]
    harm(place(layout, target))
    found = check(layout)
    assert [problem.name for problem in found if problem.images == ("web:1.0.0",)] == [target.digest]
    assert layer.digest in {problem.name for problem in found if problem.kind == Hurt.UNUSED}


def test_two_objects_that_changed_places_are_both_found(layout: Layout) -> None:
    one = image(layout, "web:1.0.0", b"one", b"two")
    two = layout.blobs.put(b"two", oci.LAYER)
    place(layout, one).write_bytes(b"two")
    place(layout, two).write_bytes(b"one")
    assert {p.name for p in check(layout, read=True) if p.kind == Hurt.DAMAGED} == {one.digest, two.digest}


def test_strays_and_unused_objects_are_told_apart(layout: Layout) -> None:
    image(layout, "web:1.0.0", b"one")
    unused = layout.blobs.put(b"nobody's", oci.LAYER)
    (layout.blobs.directory / "notes.txt").write_text("x")
    (layout.blobs.directory / ("a" * 64)).mkdir()
    (layout.blobs.directory / ".draft-1-2").write_text("x")
    found = {problem.name: problem.kind for problem in check(layout, read=True)}
    assert found == {
        unused.digest: Hurt.UNUSED,
        "blobs/sha256/notes.txt": Hurt.STRAY,
        "blobs/sha256/" + "a" * 64: Hurt.STRAY,
        "blobs/sha256/.draft-1-2": Hurt.STRAY,
    }


def test_writers_at_once_lose_no_ref(layout: Layout) -> None:
    def write(worker: int) -> None:
        for number in range(8):
            image(layout, f"w{worker}:{number}", b"shared", f"{worker} {number}".encode())

    threads = [threading.Thread(target=write, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(layout.refs()) == {f"w{worker}:{number}" for worker in range(4) for number in range(8)}
    assert check(layout, read=True) == []
