"""Patches: an update moves what has changed within files."""

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard
from tests.store.doors import Failing, Killed
from tests.store.recording import recorded_image
from tests.store.remote.conftest import QUICK, Move, mover
from tests.store.remote.images import BASE, KIB, MIB, Maker
from tests.store.remote.pairs import NEW, OLD, SMALL, WITHOUT, Pair, edited, initrd, make_patches
from tests.store.remote.test_killed import hurt, take
from tests.store.remote.twisted import twisted
from tests.store.trees import newc, noise

from goldsmith.errors import GoldsmithError
from goldsmith.store.check import check
from goldsmith.store.gc import collect
from goldsmith.store.home import Home
from goldsmith.store.images import delete_image, layout_of
from goldsmith.store.layout import Layout
from goldsmith.store.record import parts_of
from goldsmith.store.remote import delta
from goldsmith.store.remote.local import referrers_of
from goldsmith.store.remote.patch_sender import in_memory, publish


@pytest.fixture
def move() -> Move:
    """Without patience."""
    return mover(QUICK)


def test_an_update_moves_what_has_changed_within_files(pair: Pair, place: str, tmp_path: Path) -> None:
    with twisted(pair.maker.layout) as server:
        pair.move(other := Home(tmp_path / "other"), f"{server.address}/web:1.0.0", "web:1.0.0")
        without = pair.pull(server.address, home=other)
    assert without > WITHOUT
    for version in ("1.0.0", "2.0.0"):
        pushed = pair.move(pair.maker.home, f"web:{version}", f"{place}/web:{version}")
    assert pushed.referrers == 1
    assert pair.pull(place) < 100 * KIB
    assert referrers_of(layout_of(pair.there), pushed.root.digest) == ()
    assert check(pair.maker.layout, read=True) == []
    again = pair.move(pair.maker.home, "web:2.0.0", f"{place}/web:2.0.0")
    assert (again.moved, again.referrers) == (0, 1)


def test_a_directory_and_a_copy_of_a_registry_have_them_too(pair: Pair, place: str, tmp_path: Path) -> None:
    site = tmp_path / "site"
    for version in ("1.0.0", "2.0.0"):
        pair.move(pair.maker.home, f"web:{version}", f"{place}/web:{version}")
        pair.move(pair.maker.home, f"{place}/web:{version}", f"dir:{site}/web:{version}")
    assert pair.pull(f"dir:{site}") < 100 * KIB


def test_who_has_no_older_version_gets_all_and_asks_for_no_patch(pair: Pair, tmp_path: Path) -> None:
    make_patches(pair)
    with twisted(pair.maker.layout) as server:
        assert pair.pull(server.address, home=Home(tmp_path / "other")) > 3 * MIB
    asked = [path for _, path, _ in server.asked]
    assert not [path for path in asked for item in pair.published() if item.digest.partition(":")[2] in path]


def test_they_go_with_their_image(pair: Pair) -> None:
    make_patches(pair)
    layout, items = pair.maker.layout, pair.published()
    collect(layout)
    assert all(layout.blobs.has(item.digest) for item in items)
    delete_image(pair.maker.home, "web:2.0.0")
    collect(layout)
    assert not any(layout.blobs.has(item.digest) for item in items)
    assert check(layout, read=True) == []


@pytest.mark.parametrize(
    "damage",
    [Path.unlink, lambda path: path.write_bytes(bytes(path.stat().st_size))],
    ids=["lost", "damaged"],
)
@pytest.mark.parametrize("which", [0, 1], ids=["list", "data"])
def test_what_is_lost_of_them_is_made_again(
    pair: Pair, place: str, damage: Callable[[Path], object], which: int
) -> None:
    make_patches(pair)
    items = pair.published()
    damage(pair.maker.layout.blobs.path(items[which].digest))
    assert pair.move(pair.maker.home, "web:2.0.0", f"{place}/web:2.0.0").referrers == 1
    assert pair.published() == items
    assert check(pair.maker.layout, read=True) == []


@pytest.mark.parametrize("kill", [False, True], ids=["an effect fails", "the process is killed"])
def test_nothing_is_lost_wherever_a_pull_by_patches_ends(tmp_path: Path, maker: Maker, kill: bool) -> None:
    maker.make("web", "1.0.0", SMALL)
    newer = maker.make(
        "web", "2.0.0", {**SMALL, "/usr/b": edited(SMALL["/usr/b"]), "/boot/initrd.img": initrd(72)}
    )
    with maker.layout.used():
        assert publish(maker.layout, newer.index, "web")
    take(maker.layout, Layout(tmp_path / "ground"), "web:1.0.0")
    first = recorded_image(Layout(tmp_path / "ground"), "web:1.0.0")
    tried = 0
    for at in range(1, 400):
        room = shutil.copytree(tmp_path / "ground", tmp_path / f"{at}", copy_function=os.link)
        door = Failing(at=at, kill=kill)
        with suppress(OSError, GoldsmithError, Killed):
            take(maker.layout, Layout(room, door), "web:2.0.0")
        layout = Layout(room)
        assert recorded_image(layout, "web:1.0.0") == first
        assert hurt(layout) == []
        take(maker.layout, layout, "web:2.0.0")
        assert hurt(layout) == []
        if door.done < at:
            break
        tried += 1
    assert tried > 20
    collect(layout)
    assert check(layout, read=True) == []


def test_an_image_that_is_first_or_damaged_has_no_patches(maker: Maker) -> None:
    first = maker.make("web", "1.0.0", OLD)
    with maker.layout.used():
        assert not publish(maker.layout, first.index, "web")
        second = maker.make("web", "2.0.0", NEW)
        index = parts_of(maker.layout, first.index, "").tree_index
        path = maker.layout.blobs.path(index.digest)
        path.write_bytes(b"damaged")
        assert not publish(maker.layout, second.index, "web")
        assert not publish(maker.layout, replace(second.index, digest=f"sha256:{'0' * 64}"), "web")


@pytest.mark.parametrize(
    "name", ["an initial RAM disk", "a frame alone", "noise", "nothing", "an archive alone"]
)
def test_what_patches_make_is_what_they_were_made_of(name: str) -> None:
    frame = zstandard.ZstdCompressor(level=6, write_checksum=True)
    old, new = {
        "an initial RAM disk": (initrd(1), initrd(2)),
        "a frame alone": (
            frame.compress(BASE["/usr/lib/large"]),
            frame.compress(edited(BASE["/usr/lib/large"])),
        ),
        "noise": (noise(5, 3 * MIB), edited(noise(5, 3 * MIB))),
        "nothing": (b"", b"something"),
        "an archive alone": (newc({"a": noise(1, 9000)}), newc({"a": noise(2, 9000)})),
    }[name]
    contents = [in_memory(new), in_memory(old)]
    found = delta.streams(contents[0], contents[1])
    assert (found is None) == (name in {"noise", "nothing", "an archive alone"})
    if found is not None:
        stream, one, other = found
        assert b"".join(delta.pack_stream(in_memory(one).read, stream)) == new
        assert (bytes(delta.unpacked(contents[1], stream.base_before)), stream.base_size) == (
            bytes(other),
            len(other),
        )
