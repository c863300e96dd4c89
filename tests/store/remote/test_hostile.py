"""Servers that mean no good: each is refused with a clear error, soon, and nothing of it stays."""

import hashlib
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
from tests.store.remote.images import BASE, CHANGED, Maker, files_of
from tests.store.remote.twisted import Answer, Handler, Twist, twisted

from goldsmith.cli.moving import check_disk
from goldsmith.disk import stored
from goldsmith.errors import GoldsmithError, IntegrityError, NetworkError, NoSpace, UsageError
from goldsmith.model import oci
from goldsmith.model.oci import Descriptor
from goldsmith.store import notes
from goldsmith.store.check import Hurt, check
from goldsmith.store.evidence import evidence, keep_evidence
from goldsmith.store.home import Home
from goldsmith.store.images import find, layout_of
from goldsmith.store.layout import Layout

SOON = 20
"""Seconds within which everything is refused, on a busy machine."""


@pytest.fixture
def move() -> Move:
    """Without patience."""
    return mover(QUICK)


def untouched(home: Home) -> bool:
    """Whether a store has no names, and of objects at most whole ones that nothing needs."""
    layout = layout_of(home)
    kinds = {problem.kind for problem in check(layout, read=True)}
    return not layout.refs() and kinds <= {Hurt.UNUSED, Hurt.STRAY}


def endless(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
    while True:
        handler.wfile.write(bytes(1 << 16))


def endless_headers(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(100_000):
        handler.wfile.write(b"X-%d: y\r\n" % number)


def dripping(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    for _ in range(100):
        handler.wfile.write(b"x")
        time.sleep(0.1)


def dripping_headers(handler: Handler) -> None:
    for byte in b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 100:
        handler.wfile.write(bytes([byte]))
        time.sleep(0.1)


def silent(handler: Handler) -> None:  # noqa: ARG001 - one of several
    time.sleep(4)


def no_http(handler: Handler) -> None:
    handler.wfile.write(b"220 mail ready\r\n")


def at(pattern: str, *actions: Callable[[Handler], None], change: Twist | None = None) -> Twist:
    """Twist the answers of paths that contain a text."""

    def twist(answer: Answer) -> None:
        if pattern in answer.path:
            answer.before += actions
            if change:
                change(answer)

    return twist


def body(data: bytes) -> Twist:
    def change(answer: Answer) -> None:
        answer.body, answer.headers["Content-Length"] = data, str(len(data))

    return change


def flip(answer: Answer) -> None:
    answer.body = answer.body[:-1] + bytes([answer.body[-1] ^ 1])


def cut(answer: Answer) -> None:
    answer.body = answer.body[:-1]
    answer.headers["Content-Length"] = str(len(answer.body))


def break_off(answer: Answer) -> None:
    answer.body = answer.body[:-1]


def redirect(target: str) -> Twist:
    def change(answer: Answer) -> None:
        answer.status, answer.headers["Location"] = 302, target

    return change


def status(number: int) -> Twist:
    def change(answer: Answer) -> None:
        answer.status = number

    return change


@pytest.mark.parametrize(
    ("twist", "error", "says"),
    [
        (at("index.json", endless), NetworkError, "sends more than"),
        (at("index.json", dripping), NetworkError, "less than 10000 bytes per second"),
        (at("index.json", dripping_headers), NetworkError, "the connection broke|too early"),
        (at("index.json", endless_headers), NetworkError, "connection broke"),
        (at("index.json", silent), NetworkError, "fell silent|too early|broke"),
        (at("index.json", no_http), NetworkError, "connection broke"),
        (at("index.json", change=body(b"<html>")), IntegrityError, "is no JSON"),
        (at("index.json", change=body(b"[" * 100_000)), IntegrityError, "is no JSON"),
        (at("index.json", change=body(b"[" * 3_000_000)), IntegrityError, "more than 1500000 values"),
        (at("index.json", change=body(b"[]")), IntegrityError, "is no JSON object"),
        (at("index.json", change=body(b'{"manifests": 3}')), IntegrityError, "is no index"),
        (at("index.json", change=status(500)), NetworkError, r"status 500 \(2 tries\)"),
        (at("index.json", change=status(401)), NetworkError, "asks who we are"),
        (
            at("index.json", change=redirect("file:///etc/passwd")),
            NetworkError,
            "redirects to 'file:///etc/passwd'",
        ),
        (at("index.json", change=redirect("/index.json")), NetworkError, "too often"),
        (at("blobs", endless), GoldsmithError, "sends more than|has the digest"),
        (at("blobs", dripping), NetworkError, "less than 10000 bytes per second"),
        (at("blobs", change=flip), IntegrityError, "has the digest"),
        (at("blobs", change=cut), GoldsmithError, "bytes too few|has the digest"),
        (at("blobs", change=break_off), NetworkError, "too early|bytes too few|fell silent"),
        (at("blobs", change=status(404)), NetworkError, "status 404"),
        (at("blobs", change=redirect("ftp://127.0.0.1/x")), NetworkError, "redirects to 'ftp://"),
    ],
    ids=lambda value: None if callable(value) or isinstance(value, type) else str(value)[:40],
)
def test_a_web_server_is_refused(
    twist: Twist, error: type[GoldsmithError], says: str, maker: Maker, there: Home, move: Move
) -> None:
    maker.make("web", "1.0.0", files_of(1))
    start = time.monotonic()
    with twisted(maker.layout, twist) as server, pytest.raises(error, match=says):
        move(there, f"{server.address}/web:1.0.0", "web:1.0.0")
    assert time.monotonic() - start < SOON
    assert untouched(there)


def only_large(change: Twist) -> Twist:
    """Twist parts of layers only."""

    def twist(answer: Answer) -> None:
        if answer.range:
            change(answer)

    return twist


def wrong_place(answer: Answer) -> None:
    answer.headers["Content-Range"] = "bytes 0-0/1"


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        (flip, IntegrityError, "not what the image's index says"),
        (cut, NetworkError, "bytes too few"),
        (wrong_place, NetworkError, "sends another part"),
        (status(416), NetworkError, "fewer bytes than are announced"),
        (status(503), NetworkError, "status 503"),
    ],
    ids=["other bytes", "too few", "another place", "no such part", "overloaded"],
)
def test_parts_of_layers_are_verified(
    change: Twist, error: type[GoldsmithError], says: str, maker: Maker, there: Home, move: Move
) -> None:
    maker.make("web", "1.0.0", BASE)
    maker.make("web", "1.0.1", CHANGED)
    with twisted(maker.layout) as server:
        move(there, f"{server.address}/web:1.0.0", "web:1.0.0")
    with twisted(maker.layout, only_large(change)) as server, pytest.raises(error, match=says):
        move(there, f"{server.address}/web:1.0.1", "web:1.0.1")
    layout = layout_of(there)
    assert set(layout.refs()) == {"web:1.0.0", "web:1.0.0-b1"}
    assert {problem.kind for problem in check(layout, read=True)} <= {Hurt.UNUSED, Hurt.STRAY}
    with twisted(maker.layout) as server:
        move(there, f"{server.address}/web:1.0.1", "web:1.0.1", check_disk=partial(check_disk, there))


def without_ranges(answer: Answer) -> None:
    if answer.range:
        answer.before.append(partial(whole_object, answer.path))


def whole_object(path: str, handler: Handler) -> None:
    page = handler.site.page(path)
    assert page is not None
    assert isinstance(page.body, Path)
    data = page.body.read_bytes()
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(data) + data)


def test_a_server_without_ranges_serves_too(maker: Maker, there: Home, move: Move) -> None:
    maker.make("web", "1.0.0", BASE)
    maker.make("web", "1.0.1", CHANGED)
    with twisted(maker.layout, without_ranges) as server:
        for version in ("1.0.0", "1.0.1"):
            move(
                there,
                f"{server.address}/web:{version}",
                f"web:{version}",
                check_disk=partial(check_disk, there),
            )
    assert check(layout_of(there), read=True) == []


# -- images that are not what they say


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


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: redirect("file:///etc/passwd"), "redirects to 'file:///etc/passwd'"),
        (lambda: body(b"x" * (5 << 20)), "sends more than"),
        (lambda: body(b'{"config":1,"layers":2}'), "not of the kind"),
    ],
    ids=["a redirect to a file", "a huge manifest", "no manifest"],
)
def test_a_registry_is_refused(
    make: Callable[[], Twist], says: str, maker: Maker, there: Home, move: Move
) -> None:
    maker.make("web", "1.0.0", files_of(1))
    with (
        twisted(maker.layout, at("/manifests/", change=make())) as server,
        pytest.raises(GoldsmithError, match=says),
    ):
        move(there, f"{server.host}/web:1.0.0", "web:1.0.0")
    assert untouched(there)


def test_a_registry_gives_what_a_digest_names_or_nothing(maker: Maker, there: Home, move: Move) -> None:
    maker.make("web", "1.0.0", files_of(1))
    other = maker.make("web", "1.0.1", files_of(2))
    data = maker.layout.blobs.read(other.index.digest)
    wanted = find(maker.home, "web:1.0.0").index.digest
    with (
        twisted(maker.layout, at(f"/manifests/{wanted}", change=body(data))) as server,
        pytest.raises(IntegrityError, match="has the digest"),
    ):
        move(there, f"{server.host}/web@{wanted}", f"web@{wanted}")
    assert hashlib.sha256(data).hexdigest() in other.index.digest


@pytest.mark.parametrize("location", ["file:///tmp/x", "gopher://127.0.0.1/", ""])
def test_an_upload_goes_nowhere_else(location: str, maker: Maker, move: Move) -> None:
    maker.make("web", "1.0.0", files_of(1))

    def twist(answer: Answer) -> None:
        if "/uploads/" in answer.path:
            answer.status, answer.headers["Location"] = 202, location
        elif answer.path != "/v2/":
            answer.status = 404

    with twisted(maker.layout, twist) as server, pytest.raises(NetworkError, match="which is not followed"):
        move(maker.home, "web:1.0.0", f"{server.host}/x/web:1.0.0")
    assert not [line for line in server.asked if line[0] == "PUT"]


def test_a_web_server_takes_nothing(maker: Maker, move: Move) -> None:
    maker.make("web", "1.0.0", files_of(1))
    with pytest.raises(UsageError, match="only gives"):
        move(maker.home, "web:1.0.0", "http://127.0.0.1:9/x/web:1.0.0")


def test_what_a_server_says_about_other_images_is_not_kept(maker: Maker, there: Home, move: Move) -> None:
    """Else whoever serves one image could put evidence beside another."""
    maker.make("web", "1.0.0", files_of(1))
    other = Maker(there, maker.room).make("db", "1.0.0", files_of(2))
    layout = maker.layout
    with layout.used():
        said = keep_evidence(layout, other.index, "text/plain", b"all is well")
    entry = {**said.as_json(), "annotations": {notes.SUBJECT: find(maker.home, "web").index.digest}}

    def add(answer: Answer) -> None:
        listed = json.loads(answer.body)
        listed["manifests"].append(entry)
        body(json.dumps(listed).encode())(answer)

    for path in ("index.json", "/referrers/"):
        with twisted(layout, at(path, change=add)) as server:
            place = server.address if path == "index.json" else server.host
            assert move(there, f"{place}/web:1.0.0", "web:1.0.0").referrers == 0
    assert list(evidence(layout_of(there), other.index, "text/plain")) == []
