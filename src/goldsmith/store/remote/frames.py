"""Layers out of frames: which the store has already, in whatever layer, and which parts of a layer must be fetched."""

import io
import json
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import zstandard

from goldsmith.errors import GoldsmithError
from goldsmith.model.oci import Descriptor
from goldsmith.store.layers import Packed
from goldsmith.store.layout import Layout
from goldsmith.store.record import parts_of
from goldsmith.store.tree import LARGEST_HEAD, IndexedLayer, TreeIndex, indexed_layer, read_index

GAP = 8 << 10
"""Bytes between two wanted frames that are rather fetched too than asked about in two requests."""
LONGEST = 16 << 20
"""Bytes of one request, at most."""
CONTENTS = 2
"""Images whose files are looked at."""
SAME = 4
"""Images of the same name whose frames are looked at, the newest ones."""
OTHERS = 2
"""Images of other names."""


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a frame lies in the store."""

    blob: str
    """The layer's digest."""
    start: int
    """Bytes before it."""


def heads(data: bytes) -> tuple[IndexedLayer, ...]:
    """The layers that a tree index lists in its first line; the rest is not unpacked.

    Raises:
        ValueError: it is none.
    """
    with zstandard.ZstdDecompressor().stream_reader(data) as unpacked, io.BufferedReader(unpacked) as lines:
        try:
            first = lines.readline(LARGEST_HEAD)
        except zstandard.ZstdError as error:
            raise ValueError(f"it cannot be unpacked ({error})") from error
    try:
        return tuple(indexed_layer(item) for item in json.loads(first)["layers"])
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


def starts(layer: IndexedLayer) -> list[int]:
    """Where each frame begins in its layer."""
    result, at = [], 0
    for frame in layer.frames:
        result.append(at)
        at += frame.size
    return result


def known_frames(layout: Layout, name: str) -> dict[Packed, Spot]:
    """The frames of images that are likely to share some with a new image of this name."""
    found: dict[Packed, Spot] = {}
    for index in relatives(layout, name):
        try:
            tree_index = parts_of(layout, index, name).tree_index
            layers = heads(layout.blobs.read(tree_index.digest))
        except (GoldsmithError, ValueError):
            continue  # no image of ours, or damaged: nothing to be had from it
        for layer in layers:
            if layout.blobs.has(layer.blob.digest, layer.blob.size):
                for frame, start in zip(layer.frames, starts(layer), strict=True):
                    found.setdefault(frame, Spot(layer.blob.digest, start))
    return found


def relatives(layout: Layout, name: str) -> list[Descriptor]:
    """The newest images of a name, and a few others, each once."""
    refs = list(reversed(layout.refs().items()))
    same = {item.digest: item for ref, item in refs if ref.startswith(f"{name}:")}
    others = {item.digest: item for ref, item in refs if item.digest not in same}
    return [*list(same.values())[:SAME], *list(others.values())[:OTHERS]]


def ranges(layer: IndexedLayer, wanted: Collection[int]) -> Iterator[Sequence[int]]:
    """Runs of frames that are fetched by one request each; small gaps are filled."""
    begin, run = starts(layer), list[int]()
    for number in sorted(wanted):
        if run:
            gap = begin[number] - begin[run[-1]] - layer.frames[run[-1]].size
            if gap > GAP or begin[number] + layer.frames[number].size - begin[run[0]] > LONGEST:
                yield run
                run = []
            else:
                run += range(run[-1] + 1, number)
        run.append(number)
    if run:
        yield run


def known_trees(layout: Layout, name: str) -> list[TreeIndex]:
    """The trees of images that are likely to share files with a new image of this name."""
    found: list[TreeIndex] = []
    for index in relatives(layout, name)[:CONTENTS]:
        with suppress(GoldsmithError):
            found.append(read_index(layout, parts_of(layout, index, name).tree_index.digest))
    return found
