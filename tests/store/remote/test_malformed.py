"""Images that are not what they say: each is refused with a clear error, soon, and nothing of it stays."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import zstandard
from tests.store.recording import recorded_image
from tests.store.remote.conftest import QUICK, Move, mover
from tests.store.remote.images import Maker, files_of
from tests.store.remote.lies import SOON, untouched
from tests.store.remote.twisted import twisted

from goldsmith.cli.moving import check_disk
from goldsmith.disk import stored
from goldsmith.errors import GoldsmithError, IntegrityError, NoSpace
from goldsmith.model import oci
from goldsmith.model.oci import Descriptor
from goldsmith.store import notes
from goldsmith.store.home import Home
from goldsmith.store.images import find
from goldsmith.store.layout import Layout


@pytest.fixture
def move() -> Move:
    """Without patience."""
    return mover(QUICK)


def put(layout: Layout, value: object, media_type: str) -> Descriptor:
    if isinstance(value, dict):
        value = {"mediaType": media_type, **value}
    return layout.blobs.put(json.dumps(value).encode(), media_type)


def named(layout: Layout, value: object, media_type: str = oci.INDEX) -> None:
    layout.tag("bad:1.0.0", put(layout, value, media_type))


def many_manifests(layout: Layout) -> None:
    empty = layout.blobs.put(oci.EMPTY_JSON, oci.EMPTY)
    manifests = [
        put(layout, {"config": empty.as_json(), "layers": [], "annotations": {"n": str(n)}}, oci.MANIFEST)
        for n in range(600)
    ]
    named(layout, {"manifests": [item.as_json() for item in manifests]})


def deep(layout: Layout) -> None:
    item = put(layout, {"manifests": []}, oci.INDEX)
    for _ in range(10):
        item = put(layout, {"manifests": [item.as_json()]}, oci.INDEX)
    layout.tag("bad:1.0.0", item)


def docker(layout: Layout) -> None:
    named(layout, {"config": {}, "layers": []}, "application/vnd.docker.distribution.manifest.v2+json")


def another_kind(layout: Layout) -> None:
    named(layout, {"manifests": []}, oci.MANIFEST)


def path_as_digest(layout: Layout) -> None:
    blob = {"mediaType": "x", "digest": "sha256:../../../../etc/passwd", "size": 3}
    named(layout, {"config": blob, "layers": []}, oci.MANIFEST)


def two_sizes(layout: Layout) -> None:
    empty = layout.blobs.put(oci.EMPTY_JSON, oci.EMPTY)
    named(layout, {"config": empty.as_json(), "layers": [replace(empty, size=7).as_json()]}, oci.MANIFEST)


def too_large(layout: Layout) -> None:
    empty = layout.blobs.put(oci.EMPTY_JSON, oci.EMPTY)
    blob = {"mediaType": oci.LAYER, "digest": f"sha256:{'0' * 64}", "size": 1 << 60}
    named(layout, {"config": empty.as_json(), "layers": [blob]}, oci.MANIFEST)


def large_manifest(layout: Layout) -> None:
    child = {"mediaType": oci.MANIFEST, "digest": f"sha256:{'0' * 64}", "size": 1 << 30}
    named(layout, {"manifests": [child]})


def nothing_at_all(layout: Layout) -> None:
    layout.tag("bad:1.0.0", layout.blobs.put(b"{}", oci.MANIFEST))


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (many_manifests, IntegrityError, "more than 500 manifests"),
        (deep, IntegrityError, "one below the other"),
        (docker, IntegrityError, "media type 'application/vnd.docker"),
        (another_kind, IntegrityError, "not of the kind that is announced"),
        (path_as_digest, IntegrityError, "has the digest 'sha256:../../"),
        (two_sizes, IntegrityError, "is announced with 2 and with 7 bytes"),
        (too_large, NoSpace, "MB more in"),
        (large_manifest, IntegrityError, "too many for a manifest"),
        (nothing_at_all, IntegrityError, "names no config"),
    ],
)
@pytest.mark.parametrize("way", ["web", "registry", "directory"])
def test_a_malformed_image_is_refused(
    make: Callable[[Layout], None],
    error: type[GoldsmithError],
    says: str,
    way: str,
    there: Home,
    move: Move,
    tmp_path: Path,
) -> None:
    layout = Layout(tmp_path / "bad")
    with layout.used():
        make(layout)
    start = time.monotonic()
    with twisted(layout) as server:
        place = {"web": server.address, "registry": server.host, "directory": str(layout.directory)}[way]
        with pytest.raises(error, match=says):
            move(there, f"{place}/bad:1.0.0", "bad:1.0.0")
    assert time.monotonic() - start < SOON
    assert untouched(there)


def altered(
    maker: Maker, change: Callable[[dict[str, object], dict[str, object], list[bytes]], None]
) -> Layout:
    """An image whose manifests are changed and made anew around the change."""
    image = maker.make("web", "1.0.0", files_of(1))
    layout = maker.layout
    parts = recorded_image(layout, "web:1.0.0")
    index, disk = dict(layout.read(image.index.digest)), dict(layout.read(parts.disk.digest))
    lists = [layout.blobs.read(parts.tree_index.digest), layout.blobs.read(parts.disk_map.digest)]
    change(index, disk, lists)
    kinds = (oci.TREE_INDEX, oci.DISK_MAP)
    blobs = [layout.blobs.put(data, kind).as_json() for data, kind in zip(lists, kinds, strict=True)]
    disk["layers"] = [*blobs, *disk["layers"][2:]]  # type: ignore[index] # a list
    item = put(layout, disk, oci.MANIFEST)
    index["manifests"] = [index["manifests"][0], {**item.as_json(), "artifactType": oci.DISK}]  # type: ignore[index] # a list
    layout.tag("bad:1.0.0", put(layout, index, oci.INDEX))
    return layout


def annotate(name: str, value: str, *, both: bool = False) -> Callable[..., None]:
    def change(index: dict[str, dict[str, str]], disk: dict[str, dict[str, str]], lists: list[bytes]) -> None:  # noqa: ARG001 - one of several
        index["annotations"] = {**index["annotations"], name: value}
        if both:
            disk["annotations"] = {**disk["annotations"], name: value}

    return change


def bomb(index: object, disk: object, lists: list[bytes]) -> None:  # noqa: ARG001 - one of several
    lists[0] = zstandard.ZstdCompressor(level=1).compress(bytes(500 << 20))


def other_map(index: object, disk: object, lists: list[bytes]) -> None:  # noqa: ARG001 - one of several
    text = zstandard.ZstdDecompressor().decompress(lists[1]).replace(b"[2,-1]", b"[1,-1]\n[1]")
    lists[1] = zstandard.ZstdCompressor().compress(text)


def no_index(index: object, disk: object, lists: list[bytes]) -> None:  # noqa: ARG001 - one of several
    lists[0] = b"no zstd"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (annotate(notes.DISK, f"sha256:{'1' * 64}"), "the disk's digest of the image"),
        (annotate(notes.DISK, f"sha256:{'1' * 64}", both=True), "the disk's digest in the disk's manifest"),
        (annotate(notes.DISK, "sha256:../../x", both=True), "do not belong together"),
        (annotate(notes.TREE, f"sha256:{'1' * 64}"), "the tree's digest of the image"),
        (annotate(notes.DIGEST, f"sha256:{'1' * 64}"), "the identity"),
        (annotate(notes.VERSION, "9.9.9"), "the identity"),
        (annotate(notes.DISK_SIZE, "7"), "the disk's size"),
        (annotate(notes.TREE_SIZE, "9" * 5000), "the tree's size"),
        (annotate(notes.TREE_ENTRIES, "7"), "the tree's paths"),
        (annotate(notes.LABELS, "[" * 100_000), "the identity"),
        (annotate(notes.LABELS, '{"team": ["web"]}'), "the identity"),
        (bomb, "would become"),
        (other_map, "the disk rebuilt at"),
        (no_index, "is no zstd frame"),
    ],
    ids=[
        "disk of the index",
        "disk",
        "a path for a disk",
        "tree",
        "identity",
        "version",
        "size",
        "a size of many digits",
        "paths",
        "deep labels",
        "labels that are no texts",
        "bomb",
        "map",
        "no index",
    ],
)
def test_an_image_whose_parts_do_not_belong_together_is_refused(
    change: Callable[..., None], says: str, maker: Maker, there: Home, move: Move
) -> None:
    layout = altered(maker, change)
    with twisted(layout) as server, pytest.raises(IntegrityError, match=says):
        move(there, f"{server.address}/bad:1.0.0", "bad:1.0.0", check_disk=partial(check_disk, there))
    assert untouched(there)
    assert list((there / "cache/disks").glob("*.raw")) == []


def test_a_disk_is_rebuilt_though_one_of_its_digest_is_there(maker: Maker, there: Home, move: Move) -> None:
    """Who has the disk already must not take a map on trust that would give another."""
    layout = altered(maker, other_map)
    image = find(maker.home, "web:1.0.0")
    disk = stored.raw_disk(maker.home, image)
    kept = stored.place(there, str(image.facts["disk_digest"]))
    kept.parent.mkdir(parents=True)
    temporary = kept.with_suffix(".new")
    temporary.write_bytes(disk.read_bytes())
    stored.keep(temporary, kept)
    with twisted(layout) as server, pytest.raises(IntegrityError, match="the disk rebuilt at"):
        move(there, f"{server.address}/bad:1.0.0", "bad:1.0.0", check_disk=partial(check_disk, there))
    assert untouched(there)
