"""Pulls, pushes and copies that fail or are killed anywhere: nothing acknowledged is lost, and the next try goes on."""

import errno
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from tests.store.doors import Failing, Killed
from tests.store.recording import recorded_image
from tests.store.remote.conftest import QUICK, Move, mover
from tests.store.remote.images import BASE, KIB, Maker, files_of
from tests.store.remote.twisted import Answer, twisted

from goldsmith.cli.moving import check_disk
from goldsmith.effects.access import no_progress
from goldsmith.effects.client import Client
from goldsmith.effects.drafts import PREFIX
from goldsmith.errors import GoldsmithError, NetworkError
from goldsmith.model.oci import Descriptor
from goldsmith.store.check import Hurt, check
from goldsmith.store.gc import collect
from goldsmith.store.home import Home
from goldsmith.store.images import find, layout_of
from goldsmith.store.layout import Layout
from goldsmith.store.remote.local import LocalImage
from goldsmith.store.remote.pull import bring

PROGRAM = Path(sys.executable).with_name("goldsmith")


def hurt(layout: Layout) -> list[object]:
    return [problem for problem in check(layout, read=True) if problem.kind not in {Hurt.STRAY, Hurt.UNUSED}]


def take(source: Layout, target: Layout, reference: str) -> None:
    """What a pull does with a store, in this thread alone, so that a door can count."""
    client = Client(limits=QUICK)
    with target.used():
        brought = bring(
            target, LocalImage(source, reference), client, name="web", jobs=1, progress=no_progress
        )
        target.tag(reference, brought.family.root.item)


@pytest.mark.parametrize("kill", [False, True], ids=["an effect fails", "the process is killed"])
def test_nothing_is_lost_wherever_a_pull_ends(tmp_path: Path, maker: Maker, kill: bool) -> None:
    maker.make("web", "1.0.0", files_of(1))
    maker.make("web", "2.0.0", files_of(2))
    tried = 0
    for at in range(1, 400):
        room = tmp_path / f"{at}"
        take(maker.layout, Layout(room), "web:1.0.0")
        first = recorded_image(Layout(room), "web:1.0.0")
        door = Failing(at=at, kill=kill)
        try:
            take(maker.layout, Layout(room, door), "web:2.0.0")
        except (OSError, GoldsmithError, Killed):
            tried += 1
        else:
            break
        layout = Layout(room)
        assert recorded_image(layout, "web:1.0.0") == first
        assert hurt(layout) == []
        assert "web:2.0.0" not in layout.refs() or recorded_image(layout, "web:2.0.0")
        take(maker.layout, layout, "web:2.0.0")
        assert set(layout.refs()) == {"web:1.0.0", "web:2.0.0"}
        assert hurt(layout) == []
        collect(layout)
        assert check(layout, read=True) == []
    assert tried > 30
    assert door.done < at


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EACCES, errno.EROFS])
def test_every_kind_of_failure_leaves_the_store_whole(tmp_path: Path, maker: Maker, number: int) -> None:
    maker.make("web", "1.0.0", files_of(1))
    layout = Layout(tmp_path / "store")
    for at in range(1, 60, 5):
        with suppress(OSError, GoldsmithError):
            take(maker.layout, Layout(layout.directory, Failing(at=at, number=number)), "web:1.0.0")
        assert hurt(layout) == []
    take(maker.layout, layout, "web:1.0.0")
    collect(layout)
    assert check(layout, read=True) == []


def test_a_pull_goes_on_where_it_was_interrupted(maker: Maker, there: Home) -> None:
    """Of a layer half of whose bytes came, only the other half is asked for."""
    move = mover(QUICK)
    maker.make("web", "1.0.0", BASE)
    layers = {blob.digest: blob.size for blob in _layers(maker.layout)}
    largest = max(layers, key=lambda digest: layers[digest])

    def half(answer: Answer) -> None:
        if largest.removeprefix("sha256:") in answer.path:
            answer.before.append(lambda handler: _break_off(handler, answer.body))

    with twisted(maker.layout, half) as server, pytest.raises(NetworkError):
        move(there, f"{server.address}/web:1.0.0", "web:1.0.0")
    drafts = list(layout_of(there).blobs.directory.glob(f"{PREFIX}*"))
    assert drafts
    assert layout_of(there).refs() == {}
    with twisted(maker.layout) as server:
        moved = move(there, f"{server.address}/web:1.0.0", "web:1.0.0", check_disk=partial(check_disk, there))
    assert moved.moved < layers[largest] * 0.7
    assert check(layout_of(there), read=True) == []


def _layers(layout: Layout) -> list[Descriptor]:
    return list(layout.children(recorded_image(layout, "web:1.0.0").container.digest)[1:])


def _break_off(handler: object, data: bytes) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(data))  # type: ignore[attr-defined] # a Handler
    handler.wfile.write(data[: len(data) // 2])  # type: ignore[attr-defined] # as above


def test_what_is_left_of_a_draft_is_not_trusted(maker: Maker, there: Home, move: Move) -> None:
    """A power loss may leave anything in a draft."""
    maker.make("web", "1.0.0", BASE)
    room = layout_of(there).blobs.directory
    room.mkdir(parents=True)
    for number, blob in enumerate(_all_objects(maker.layout)):
        size = blob.stat().st_size
        left = (b"", bytes(size), bytes(size + 5), blob.read_bytes()[: size // 2] + bytes(size // 4), b"xx")
        (room / f"{PREFIX}{blob.name}").write_bytes(left[number % len(left)])
    with twisted(maker.layout) as server:
        move(there, f"{server.address}/web:1.0.0", "web:1.0.0", check_disk=partial(check_disk, there))
    collect(layout_of(there))
    assert check(layout_of(there), read=True) == []


def _all_objects(layout: Layout) -> list[Path]:
    return sorted(path for path in layout.blobs.all() if not path.name.startswith("."))


def test_two_pulls_at_once_fetch_each_object_once(maker: Maker, there: Home, move: Move) -> None:
    maker.make("web", "1.0.0", BASE)
    errors: list[BaseException] = []
    with twisted(maker.layout) as server:

        def pull() -> None:
            try:
                move(there, f"{server.address}/web:1.0.0", "web:1.0.0", check_disk=partial(check_disk, there))
            except BaseException as error:  # noqa: BLE001 - told below
                errors.append(error)

        threads = [threading.Thread(target=pull) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert errors == []
    assert check(layout_of(there), read=True) == []
    asked = [path for _, path, _ in server.asked if "/blobs/" in path]
    manifests = {item.digest for item in (find(there, "web").index,)}
    counted = {path: asked.count(path) for path in asked if f"sha256:{path[-64:]}" not in manifests}
    assert sum(number > 1 for number in counted.values()) <= 2  # the two manifests below the index


def test_gc_waits_for_a_pull(maker: Maker, there: Home, move: Move) -> None:
    maker.make("web", "1.0.0", BASE)
    collected = threading.Event()
    begun = threading.Event()

    def slow(answer: Answer) -> None:
        if "/blobs/" in answer.path:
            begun.set()
            time.sleep(0.1)
            assert not collected.is_set()

    def gc() -> None:
        begun.wait(10)
        collect(layout_of(there))
        collected.set()

    thread = threading.Thread(target=gc)
    thread.start()
    with twisted(maker.layout, slow) as server:
        move(there, f"{server.address}/web:1.0.0", "web:1.0.0")
    thread.join()
    assert collected.is_set()
    assert check(layout_of(there), read=True) == []


def command(home: Path, *words: str) -> list[str]:
    return ["env", f"GOLDSMITH_HOME={home}", str(PROGRAM), *words]


@pytest.mark.parametrize("seconds", [0.25, 0.4, 0.6])
def test_a_killed_process_is_followed_by_one_that_goes_on(seconds: float, maker: Maker, there: Home) -> None:
    maker.make("web", "1.0.0", BASE)

    def slow(answer: Answer) -> None:
        if "/blobs/" in answer.path:
            time.sleep(0.05)

    with twisted(maker.layout, slow) as server:
        words = command(there.path, "pull", f"{server.address}/web:1.0.0", "--jobs", "1")
        child = subprocess.Popen(words, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while not server.asked and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(seconds)
        child.kill()
        child.wait()
        assert hurt(layout_of(there)) == []
        subprocess.run(words, check=True, capture_output=True)
    assert check(layout_of(there), read=True) == []


CALLS = {
    "pull": ("openat", "write", "pwrite64", "lseek", "ftruncate", "fsync", "rename", "flock", "unlink", "mkdir", "connect", "sendto", "recvfrom", "read", "close", "newfstatat"),
    "push": ("openat", "connect", "sendto", "recvfrom", "read", "flock"),
}  # fmt: skip


def strace(words: list[str], call: str, number: int) -> int:
    """Run a command that is killed at its ``number``-th system call of a kind; its exit code."""
    inject = f"inject={call}:signal=KILL:when={number}"
    done = subprocess.run(
        ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", inject, *words],
        capture_output=True,
        check=False,
    )
    return done.returncode


def points(words: list[str], call: str, trace: Path) -> Iterator[int]:
    """Some 20 numbers among the calls of a kind that a command makes."""
    subprocess.run(
        ["strace", "-f", "-qq", "-o", str(trace), "-e", f"trace={call}", *words],
        capture_output=True,
        check=True,
    )
    count = len(re.findall(rf"\b{call}\(", trace.read_text()))
    return iter(sorted({max(1, round(number * count / 20)) for number in range(1, 21)}))


@pytest.mark.slow
@pytest.mark.parametrize("call", CALLS["pull"])
def test_killed_at_every_system_call_of_a_pull(
    call: str, maker: Maker, place: str, move: Move, tmp_path: Path
) -> None:
    for version in (1, 2):
        maker.make("web", f"{version}.0.0", files_of(version))
        move(maker.home, f"web:{version}.0.0", f"{place}/web:{version}.0.0")
    before = tmp_path / "before"
    move(Home(before), f"{place}/web:1.0.0", "web:1.0.0")

    def fresh(number: int) -> list[str]:
        home = tmp_path / f"home-{number}"
        subprocess.run(["cp", "-a", before, home], check=True)
        return command(home, "pull", f"{place}/web:2.0.0", "--jobs", "1")

    killed = 0
    for number in points(fresh(0), call, tmp_path / "trace"):
        words = fresh(number)
        killed += strace(words, call, number) != 0
        layout = layout_of(Home(tmp_path / f"home-{number}"))
        assert "web:1.0.0" in layout.refs()
        assert hurt(layout) == []
        subprocess.run(words, check=True, capture_output=True)
        assert {"web:1.0.0", "web:2.0.0"} <= set(layout.refs())
        collect(layout)
        assert check(layout, read=True) == []
        subprocess.run(["rm", "-rf", tmp_path / f"home-{number}"], check=True)
    assert killed


@pytest.mark.slow
@pytest.mark.parametrize("call", CALLS["push"])
def test_killed_at_every_system_call_of_a_push(
    call: str, maker: Maker, place: str, move: Move, tmp_path: Path
) -> None:
    maker.make("web", "1.0.0", files_of(1))
    maker.make("web", "2.0.0", {**files_of(2), "/usr/more": b"m" * 300 * KIB})
    move(maker.home, "web:1.0.0", f"{place}/0/web:1.0.0")
    killed = 0
    words = command(maker.home.path, "push", "web:2.0.0", f"{place}/0", "--jobs", "1")
    for number in points(words, call, tmp_path / "trace"):
        where = f"{place}/{number}"
        move(maker.home, "web:1.0.0", f"{where}/web:1.0.0")
        words = command(maker.home.path, "push", "web:2.0.0", where, "--jobs", "1")
        killed += strace(words, call, number) != 0
        for version in ("1.0.0", "2.0.0"):
            home = Home(tmp_path / f"pulled-{number}-{version}")
            if version == "2.0.0":
                subprocess.run(words, check=True, capture_output=True)
            move(home, f"{where}/web:{version}", f"web:{version}")
            assert check(layout_of(home), read=True) == []
    assert killed
    assert hurt(maker.layout) == []
