"""Patches: an update moves what has changed within files; whatever is wrong with patches, the image comes as without them."""

import json
import os
import shutil
import struct
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest
import zstandard
from tests.store.doors import Failing, Killed
from tests.store.recording import recorded_image
from tests.store.remote.conftest import QUICK, Move, mover
from tests.store.remote.images import BASE, KIB, MIB, Maker
from tests.store.remote.lies import SOON, break_off, cut, endless, flip, silent, status
from tests.store.remote.test_killed import hurt, take
from tests.store.remote.twisted import Answer, Twist, twisted
from tests.store.trees import newc, noise

from goldsmith.cli.moving import check_disk
from goldsmith.errors import GoldsmithError
from goldsmith.model import oci
from goldsmith.model.oci import Descriptor
from goldsmith.store.check import check
from goldsmith.store.gc import collect
from goldsmith.store.home import Home
from goldsmith.store.images import delete_image, find, layout_of
from goldsmith.store.layout import Layout
from goldsmith.store.record import parts_of
from goldsmith.store.remote import delta, patches
from goldsmith.store.remote.local import referrers_of
from goldsmith.store.remote.patch_sender import in_memory, publish
from goldsmith.store.remote.patches import Patch, Stream, short
from goldsmith.store.tree import read_index


def initrd(number: int) -> bytes:
    """An initial RAM disk as initramfs-tools makes it: modules in a plain archive, and one stream of zstd -9."""
    words = b"".join(struct.pack("<I", n * n % 1009) for n in range(60_000))
    data = newc({"a": noise(number, 900), "b": words, "c": noise(60, 200 * KIB)})
    packer = zstandard.ZstdCompressor(level=9, write_checksum=True, threads=1).compressobj()
    return newc({"kernel": noise(61, 100 * KIB)}) + packer.compress(data) + packer.flush()


def edited(data: bytes) -> bytes:
    """The same with some bytes more and some others."""
    return data[:5000] + b"inserted" + data[5000:100_000] + noise(70, 300) + data[100_300:]


OLD = {**BASE, "/boot/initrd.img": initrd(71), "/usr/lib/libx.so.1.2": noise(73, 200 * KIB)}
NEW = {
    **{path: data for path, data in OLD.items() if path != "/usr/lib/libx.so.1.2"},
    "/usr/lib/large": edited(OLD["/usr/lib/large"]),
    "/usr/lib/middle": edited(OLD["/usr/lib/middle"]),
    "/usr/lib/libx.so.1.3": edited(OLD["/usr/lib/libx.so.1.2"]),
    "/usr/share/doc/299": edited(OLD["/usr/share/doc/299"]),
    "/usr/share/doc/new": b"all of it is new\n" * 9,
    "/boot/initrd.img": initrd(72),
}
"""A large file, one in frames of its own, one of a new name, two small ones and an initial RAM disk are others."""
CHANGED = (
    "/usr/lib/large",
    "/usr/lib/middle",
    "/usr/lib/libx.so.1.3",
    "/usr/share/doc/299",
    "/boot/initrd.img",
)


WITHOUT = 4_000_000
"""Bytes that an update moves at least without them."""
SMALL = {"/usr/a": noise(1, 9000), "/usr/b": noise(2, 150_000), "/boot/initrd.img": initrd(71)}


@pytest.fixture
def move() -> Move:
    """Without patience."""
    return mover(QUICK)


@dataclass(frozen=True)
class Pair:
    """Two versions in one store, the older of which is in another one too."""

    maker: Maker
    there: Home
    move: Move

    def pull(self, host: str, *, home: Home | None = None) -> int:
        """Bytes that the newer version moved; it is checked in all ways."""
        home = home or self.there
        moved = self.move(home, f"{host}/web:2.0.0", "web:2.0.0", check_disk=partial(check_disk, home))
        assert find(home, "web:2.0.0").facts == find(self.maker.home, "web:2.0.0").facts
        assert check(layout_of(home), read=True) == []
        return moved.moved

    def published(self) -> tuple[Descriptor, Descriptor]:
        """The list and the data."""
        layout = self.maker.layout
        (item,) = referrers_of(layout, find(self.maker.home, "web:2.0.0").index.digest)
        _, listed, data, *_ = layout.children(item.digest)
        return listed, data


@pytest.fixture
def pair(maker: Maker, there: Home, move: Move) -> Pair:
    maker.make("web", "1.0.0", OLD)
    maker.make("web", "2.0.0", NEW)
    with twisted(maker.layout) as server:
        move(there, f"{server.address}/web:1.0.0", "web:1.0.0")
    return Pair(maker, there, move)


def make_patches(pair: Pair) -> None:
    layout = pair.maker.layout
    with layout.used():
        assert publish(layout, find(pair.maker.home, "web:2.0.0").index, "web")


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


def at_data(pair: Pair, change: Twist) -> Twist:
    """Twist what is sent of the patches' data."""
    _, data = pair.published()

    def twist(answer: Answer) -> None:
        if data.digest.partition(":")[2] in answer.path:
            change(answer)

    return twist


def at_list(pair: Pair, change: Twist) -> Twist:
    """Twist the list that is sent."""
    listed, _ = pair.published()

    def twist(answer: Answer) -> None:
        if listed.digest.partition(":")[2] in answer.path:
            change(answer)

    return twist


def whole_only(answer: Answer) -> None:
    """As a server without ranges, where patches are asked for."""
    answer.status = 200
    answer.headers.pop("Content-Range", None)


def instead(action: Callable[..., None]) -> Twist:
    return lambda answer: answer.before.append(action)


@pytest.mark.parametrize(
    ("where", "change"),
    [
        pytest.param(at_data, flip, id="a patch is damaged"),
        pytest.param(at_data, cut, id="the data is cut"),
        pytest.param(at_data, break_off, id="the connection breaks"),
        pytest.param(at_data, status(404), id="the data is gone"),
        pytest.param(at_data, status(500), id="the server fails"),
        pytest.param(at_data, whole_only, id="there are no ranges of it"),
        pytest.param(at_data, instead(endless), id="the data has no end"),
        pytest.param(at_data, instead(silent), id="the data does not come"),
        pytest.param(at_list, flip, id="the list is damaged"),
        pytest.param(at_list, cut, id="the list is cut"),
        pytest.param(at_list, instead(endless), id="the list has no end"),
    ],
)
def test_what_a_server_does_to_patches_hurts_nothing(
    pair: Pair, where: Callable[[Pair, Twist], Twist], change: Twist
) -> None:
    make_patches(pair)
    start = time.monotonic()
    with twisted(pair.maker.layout, where(pair, change)) as server:
        assert pair.pull(server.address) > 50 * KIB
    assert time.monotonic() - start < SOON


ZEROS = zstandard.ZstdCompressor(level=3).compress(bytes(1 << 30))
"""A gibibyte in 32 KiB."""


def contents(pair: Pair) -> dict[str, tuple[str, str, int]]:
    """By path, of what is changed, and of the list of it: how the new and the old content are named, and how long the new one is."""
    layout = pair.maker.layout
    images = [find(pair.maker.home, f"web:{number}.0.0").index for number in (1, 2)]
    one, other = [parts_of(layout, image, "").tree_index for image in images]
    old, new = (read_index(layout, item.digest).entries for item in (one, other))
    return {
        "the list of the tree": (short(other.digest), short(one.digest), other.size),
        **{
            path: (short(new[path].sha256), short(old[path.replace("1.3", "1.2")].sha256), new[path].size)
            for path in CHANGED
        },
    }


def frames_of(size: int) -> int:
    return -(-size // patches.BLOCK)


Forged = tuple[bytes, bytes]


def forge(items: Sequence[tuple[str, str, Sequence[bytes], Stream | None]]) -> Forged:
    """A list and its data."""
    told = [Patch(new, base, tuple(map(len, frames)), stream) for new, base, frames, stream in items]
    return patches.encode(told), b"".join(frame for _, _, frames, _ in items for frame in frames)


def another_content(pair: Pair) -> Forged:
    return forge(
        [
            (
                new,
                base,
                [delta.pack_block(noise(90, min(patches.BLOCK, size)), b"")][: frames_of(size)]
                * frames_of(size),
                None,
            )
            for new, base, size in contents(pair).values()
        ]
    )


def bombs(pair: Pair) -> Forged:
    return forge([(new, "", [ZEROS] * frames_of(size), None) for new, _, size in contents(pair).values()])


def bombs_that_are_streams(pair: Pair) -> Forged:
    items = []
    for new, base, size in contents(pair).values():
        stream = Stream(0, whole := min(patches.LARGEST, size * 16), 0, 10, 12, plain=False)
        frame = delta.pack_block(bytes(patches.BLOCK), b"")
        items.append((new, base, [frame] * frames_of(whole), stream))
    return forge(items)


def streams_of_another_shape(pair: Pair) -> Forged:
    """The old contents are no streams; before, sizes and levels are all that may be."""
    items = []
    for number, (new, base, size) in enumerate(contents(pair).values()):
        stream = Stream(number * 10, size, 1 << 40, patches.LARGEST, 1 + number, plain=bool(number % 2))
        items.append((new, base, [b"x"] * frames_of(size), stream))
    return forge(items)


def too_many_frames(pair: Pair) -> Forged:
    return forge([(new, base, [b""] * 1000, None) for new, base, _ in contents(pair).values()])


def no_zstd(pair: Pair) -> Forged:
    return forge(
        [(new, base, [b"nothing"] * frames_of(size), None) for new, base, size in contents(pair).values()]
    )


def bases_that_nobody_has(pair: Pair) -> Forged:
    return forge(
        [(new, "0" * 16, [b"x"] * frames_of(size), None) for new, _, size in contents(pair).values()]
    )


def wide_windows(pair: Pair) -> Forged:
    parameters = zstandard.ZstdCompressionParameters(window_log=30, write_content_size=True)
    packer = zstandard.ZstdCompressor(compression_params=parameters)
    frames = {
        size: packer.compress(noise(91, min(size, patches.BLOCK))) for _, _, size in contents(pair).values()
    }
    return forge(
        [(new, "", [frames[size]] * frames_of(size), None) for new, _, size in contents(pair).values()]
    )


def said(text: str) -> Callable[[Pair], Forged]:
    """A list that is any JSON, with ten bytes of data."""
    return lambda _: (zstandard.ZstdCompressor().compress(text.encode()), bytes(10))


def listed(items: object) -> Callable[[Pair], Forged]:
    return said(json.dumps({"goldsmith": patches.MARK, "items": items}))


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param(another_content, id="patches make something else"),
        pytest.param(bombs, id="patches are bombs"),
        pytest.param(bombs_that_are_streams, id="streams are bombs"),
        pytest.param(streams_of_another_shape, id="streams are of another shape"),
        pytest.param(too_many_frames, id="patches have too many frames"),
        pytest.param(no_zstd, id="patches are no zstd"),
        pytest.param(bases_that_nobody_has, id="nobody has what they begin with"),
        pytest.param(wide_windows, id="frames want much memory"),
        pytest.param(said("[" * 100_000), id="the list is deep"),
        pytest.param(said('{"goldsmith": "patches 2", "items": []}'), id="the list is of another version"),
        pytest.param(said("3"), id="the list is a number"),
        pytest.param(listed([["a", "b", [9], None]]), id="the data is longer than the list says"),
        pytest.param(listed([["a", "b", [11], None]]), id="the data is shorter than the list says"),
        pytest.param(listed([["a", "b", [-1, 11], None]]), id="a length is below zero"),
        pytest.param(listed([["a", "b", [True, 9], None]]), id="a length is no number"),
        pytest.param(listed([["a", "b", [10], [0, 1 << 60, 0, 1, 9, 0]]]), id="a stream is too long"),
        pytest.param(listed([["a", "b", [10], [0, 1, 0, 1, 22, 0]]]), id="a stream is slow to pack"),
        pytest.param(listed([["a", "b", [10], 7]]), id="a stream is a number"),
        pytest.param(listed([[None] * 4]), id="all is nothing"),
        pytest.param(listed({"a": 1}), id="patches are no list"),
        pytest.param(lambda _: (b"no zstd", bytes(10)), id="the list is no zstd"),
        pytest.param(lambda _: (ZEROS, bytes(10)), id="the list is a bomb"),
    ],
)
def test_patches_that_mean_no_good_hurt_nothing(pair: Pair, forged: Callable[[Pair], Forged]) -> None:
    layout = pair.maker.layout
    subject = find(pair.maker.home, "web:2.0.0").index
    told, data = forged(pair)
    with layout.used():
        empty = layout.blobs.put(oci.EMPTY_JSON, oci.EMPTY)
        layers = [layout.blobs.put(told, patches.LIST), layout.blobs.put(data, patches.DATA)]
        manifest = oci.manifest(empty, layers, artifact_type=patches.TYPE, subject=subject)
        layout.attach(layout.blobs.put(manifest, oci.MANIFEST), subject.digest)
    start = time.monotonic()
    with twisted(layout) as server:
        assert pair.pull(server.address) > WITHOUT
    assert time.monotonic() - start < SOON


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
