"""Servers that mean no good: each is refused with a clear error, soon, and nothing of it stays."""

import hashlib
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from tests.store.remote.conftest import QUICK, Move, mover
from tests.store.remote.images import BASE, CHANGED, Maker, files_of
from tests.store.remote.lies import (
    SOON,
    at,
    body,
    break_off,
    cut,
    dripping,
    dripping_headers,
    endless,
    endless_headers,
    flip,
    no_http,
    redirect,
    silent,
    status,
    untouched,
)
from tests.store.remote.twisted import Answer, Handler, Twist, twisted

from goldsmith.cli.moving import check_disk
from goldsmith.errors import GoldsmithError, IntegrityError, NetworkError, UsageError
from goldsmith.store import notes
from goldsmith.store.check import Hurt, check
from goldsmith.store.evidence import evidence, keep_evidence
from goldsmith.store.home import Home
from goldsmith.store.images import find, layout_of


@pytest.fixture
def move() -> Move:
    """Without patience."""
    return mover(QUICK)


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
