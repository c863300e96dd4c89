"""Whatever is wrong with patches, the image comes as without them."""

import json
import time
from collections.abc import Callable, Sequence

import pytest
import zstandard
from tests.store.remote.conftest import QUICK, Move, mover
from tests.store.remote.images import KIB
from tests.store.remote.lies import SOON, break_off, cut, endless, flip, silent, status
from tests.store.remote.pairs import CHANGED, WITHOUT, Pair, make_patches
from tests.store.remote.twisted import Answer, Twist, twisted
from tests.store.trees import noise

from goldsmith.model import oci
from goldsmith.store.images import find
from goldsmith.store.record import parts_of
from goldsmith.store.remote import delta, patches
from goldsmith.store.remote.patches import Patch, Stream, short
from goldsmith.store.tree import read_index


@pytest.fixture
def move() -> Move:
    """Without patience."""
    return mover(QUICK)


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
