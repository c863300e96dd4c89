"""Patches: how new contents are made from old ones; what is said of them, and where their bytes lie.

They are a manifest that says something about an image: of the artifact type ``application/vnd.goldsmith.patches.v1``, the image's
index as its subject, and two layers, the list and the data. The list is JSON, compressed by zstd::

    {"goldsmith": "patches 1", "items": [[NEW, BASE, [BYTES, ...], STREAM or null], ...]}

- ``NEW`` and ``BASE`` are the first 16 hexadecimal digits of the SHA-256 of two contents; ``BASE`` is empty where the data is all.
- A patch is zstd frames, ``BYTES`` long each, which lie one after the other in the data, patch after patch. Each makes
  ``BLOCK`` bytes of the result, the last what is left, with a part of the base as its dictionary (``window``).
- ``STREAM`` is there if what is patched is not the contents themselves but what becomes of them when the zstd frame at their end
  is unpacked: ``[BEFORE, SIZE, BEFORE_OF_BASE, SIZE_OF_BASE, LEVEL, PLAIN]``.

Nothing of it is trusted: the digest of what comes out decides.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import zstandard

from goldsmith.model.packed import unpacked

TYPE = "application/vnd.goldsmith.patches.v1"
LIST = "application/vnd.goldsmith.patches.list.v1+json+zstd"
DATA = "application/vnd.goldsmith.patches.data.v1"
MARK = "patches 1"
BLOCK = 2 << 20
"""Bytes that a frame of a patch makes."""
REACH = 1 << 20
"""Bytes of the base before and after a block's own place that its frame may use."""
LARGEST = 48 << 20
"""Bytes of a content, and of it unpacked, that is patched, at most: both ends have it in memory."""
LARGEST_LIST = 4 << 20
"""Bytes of a list, at most."""
UNPACKED = 16 << 20
"""Bytes of a list unpacked, at most."""
MANY = 200_000
"""Patches of a list, at most."""
SHORT = 16
"""Digits by which a content is named."""
LEVELS = range(1, 13)
"""By which a stream may be packed again; higher ones are slow."""


@dataclass(frozen=True, slots=True)
class Stream:
    """A zstd frame at the end of a content, which is patched unpacked."""

    before: int
    """Bytes of the content before the frame."""
    size: int
    """Bytes of the content with the frame unpacked."""
    base_before: int
    base_size: int
    level: int
    """By which packing it again gives the same frame."""
    plain: bool
    """Whether in one go, with its size in its head; else as the ``zstd`` program does it in a pipe."""


@dataclass(frozen=True, slots=True)
class Patch:
    """How a content is made."""

    new: str
    """The content's first digits."""
    base: str
    """The old content's; empty for none."""
    frames: tuple[int, ...]
    """Bytes of each frame."""
    stream: Stream | None = None
    start: int = 0
    """Where its first frame begins in the data."""

    @property
    def size(self) -> int:
        """Bytes of all frames."""
        return sum(self.frames)


def short(digest: str) -> str:
    """By what a list names a content or an object."""
    return digest.removeprefix("sha256:")[:SHORT]


def window(start: int, size: int) -> tuple[int, int]:
    """The part of a base of ``size`` bytes that the frame for the block at ``start`` may use."""
    begin = max(0, min(start - REACH, size))
    return begin, max(begin, min(size, start + BLOCK + REACH))


def encode(patches: Sequence[Patch]) -> bytes:
    """The bytes of a list."""
    items = [
        [
            patch.new,
            patch.base,
            patch.frames,
            patch.stream
            and [
                patch.stream.before,
                patch.stream.size,
                patch.stream.base_before,
                patch.stream.base_size,
                patch.stream.level,
                int(patch.stream.plain),
            ],
        ]
        for patch in patches
    ]
    text = json.dumps({"goldsmith": MARK, "items": items}, separators=(",", ":"))
    return zstandard.ZstdCompressor(level=9, write_checksum=True).compress(text.encode())


def decode(data: bytes, size: int) -> Mapping[str, Patch]:
    """A list from its bytes, by the new content.

    Args:
        data: the bytes.
        size: bytes of the patches' data.

    Raises:
        ValueError: it is none, or does not fit to the data.
    """
    try:
        facts = json.loads(unpacked(data, limit=UNPACKED))
        if facts["goldsmith"] != MARK or len(facts["items"]) > MANY:
            raise ValueError(
                f"it begins with {facts['goldsmith']!r:.40} and has {len(facts['items'])} patches"
            )
        found: dict[str, Patch] = {}
        start = 0
        for new, base, frames, stream in facts["items"]:
            patch = Patch(
                text(new), text(base), tuple(map(number, frames)), stream and stream_of(*stream), start
            )
            found[patch.new] = patch
            start += patch.size
    except (KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error
    if start != size:
        raise ValueError(f"its patches have {start} bytes; there are {size}")
    return found


def stream_of(
    before: object, size: object, base_before: object, base_size: object, level: object, plain: object
) -> Stream:
    """A stream from a list.

    Raises:
        ValueError: it is none.
    """
    found = Stream(
        number(before),
        number(size),
        number(base_before),
        number(base_size),
        number(level),
        bool(number(plain)),
    )
    if found.level not in LEVELS or found.size > LARGEST or found.base_size > LARGEST:
        raise ValueError(f"it has a stream of level {found.level} and {found.size} bytes")
    return found


def number(value: object) -> int:
    """A number that is none below zero, and no truth value.

    Raises:
        ValueError: it is none.
    """
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r:.40} is no number of bytes")
    return value


def text(value: object) -> str:
    """A text.

    Raises:
        ValueError: it is none.
    """
    if type(value) is not str:
        raise ValueError(f"{value!r:.40} is no text")
    return value
