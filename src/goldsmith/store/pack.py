"""A layer's bytes: a tar archive cut into zstd frames, made on all cores.

- Parents first (with the time 0, so that a layer depends on its own files only), then all that is small, owner by owner,
  as an update changes it, in shared frames of up to 256 KiB, which end with an owner if they have 64 KiB; then files of
  128 KiB and more, each beginning a frame of its own, which
  is cut every 2 MiB; then hard links; then the archive's end.
- Every file is compared with its SHA-256 while it is read.
"""

import hashlib
import threading
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

import zstandard

from goldsmith.effects.parallel import in_order
from goldsmith.errors import IntegrityError
from goldsmith.model.disk import BLOCK
from goldsmith.model.tree import TreeEntry
from goldsmith.store import tar

LARGE = 128 << 10
"""From so many bytes a file has frames of its own."""
SHARED = 256 << 10
"""Bytes of archive in a shared frame, at most."""
APART = 64 << 10
"""Bytes of archive from which a shared frame ends where its owner's files end."""
CUT = 2 << 20
"""Bytes of a large file in one frame."""
LARGEST_FRAME = 2 * CUT
"""Bytes of a frame that is read, at most."""
WAY = {
    "window_log": 21,
    "chain_log": 17,
    "hash_log": 18,
    "search_log": 4,
    "min_match": 4,
    "target_length": 4,
    "strategy": zstandard.STRATEGY_LAZY,
}
"""How frames are compressed: smaller than by level 7, at what level 6 costs (ADR 28)."""
FORMER = 3
"""The level by which they were compressed before that; layers of that time are made again by it."""
ZERO = bytes(BLOCK)
Opener = Callable[[str], BinaryIO]
"""Opens a path's bytes."""
Press = Callable[[Sequence["Item"], bytes], bytes]
"""Compresses a frame: what it holds, and its bytes; it may have them ready, as ``compress`` would give them."""


class _Packer(threading.local):
    """A compressor for each thread: making one takes a twentieth of what it then does."""

    def __init__(self) -> None:
        parameters = zstandard.ZstdCompressionParameters(write_content_size=True, **WAY)
        self.compress = zstandard.ZstdCompressor(compression_params=parameters).compress
        self.formerly = zstandard.ZstdCompressor(level=FORMER).compress


_packer = _Packer()


@dataclass(frozen=True, slots=True)
class Item:
    """An entry, or a piece of a large file's bytes, as it lies in the archive."""

    entry: TreeEntry
    """What it is."""
    header: bytes
    """Before its bytes; empty from a file's second piece on."""
    start: int = 0
    """Where in the file the piece begins."""
    length: int = 0
    """Bytes of the file in this piece."""


@dataclass(frozen=True, slots=True)
class Head:
    """By what the first block of a file that is not all zeros is known on a disk."""

    block: int
    """Its number in the file."""
    digest: str
    """SHA-256 of its 4096 bytes, filled up with zeros, in hexadecimal."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of a layer."""

    items: tuple[Item, ...]
    """What it holds, in order."""
    raw: bytes
    """Before compression."""
    packed: bytes
    """After it."""
    offsets: tuple[int, ...]
    """Where the bytes of each item begin in ``raw``."""
    heads: tuple[Head | None, ...]
    """Of each item; None for zeros only."""


def archive(
    entries: Sequence[TreeEntry], parents: Iterable[TreeEntry], owners: Mapping[str, str]
) -> Iterator[tuple[Item, ...]]:
    """The archive of a layer, as the items of its frames.

    Args:
        entries: what the layer holds; files of one link group are all there.
        parents: directories above them that the layer must name.
        owners: who each path belongs to; all names of a file to the same.
    """
    small: list[Item] = []
    large: list[TreeEntry] = []
    links: list[Item] = []
    first: dict[str, str] = {}
    small += [Item(entry, tar.header(replace(entry, mtime=0))) for entry in sorted(parents, key=_path)]
    for entry in sorted(entries, key=lambda entry: (owners.get(entry.path, ""), entry.path)):
        before = first.setdefault(entry.link, entry.path) if entry.link else entry.path
        if before != entry.path:
            links.append(Item(entry, tar.header(replace(entry, xattrs=()), link_to=before)))
        elif entry.kind == "file" and entry.size >= LARGE:
            large.append(entry)
        else:
            small.append(Item(entry, tar.header(entry), 0, entry.size if entry.kind == "file" else 0))
    yield from _shared(small, owners)
    for entry in large:
        for start in range(0, entry.size, CUT):
            length = min(CUT, entry.size - start)
            yield (Item(entry, b"" if start else tar.header(entry), start, length),)
    yield from _shared(links, {})


def _path(entry: TreeEntry) -> str:
    return entry.path


def _shared(items: Sequence[Item], owners: Mapping[str, str]) -> Iterator[tuple[Item, ...]]:
    room: list[Item] = []
    filled = 0
    for item in items:
        length = len(item.header) + item.length + -item.length % tar.RECORD
        other = room and owners.get(item.entry.path) != owners.get(room[-1].entry.path)
        if room and (filled + length > SHARED or (other and filled >= APART)):
            yield tuple(room)
            room, filled = [], 0
        room.append(item)
        filled += length
    if room:
        yield tuple(room)


def frames(
    entries: Sequence[TreeEntry],
    parents: Iterable[TreeEntry],
    owners: Mapping[str, str],
    open_file: Opener,
    *,
    jobs: int,
    press: Press,
) -> Iterator[Frame]:
    """The frames of a layer in their order, the archive's end last.

    Raises:
        IntegrityError: a file is not what its entry says.
    """
    whole: dict[str, hashlib._Hash] = {}
    for frame in in_order(
        lambda items: pack(items, open_file, press), archive(entries, parents, owners), jobs=jobs
    ):
        item = frame.items[0]
        if item.entry.size >= LARGE and item.length:
            state = whole.setdefault(item.entry.path, hashlib.sha256())
            at = frame.offsets[0]
            state.update(memoryview(frame.raw)[at : at + item.length])
            if item.start + item.length == item.entry.size and state.hexdigest() != item.entry.sha256:
                raise changed(item.entry, state.hexdigest())
        yield frame
    yield Frame((), tar.END, press((), tar.END), (), ())


def pack(items: tuple[Item, ...], open_file: Opener, press: Press) -> Frame:
    """Read and compress the items of one frame; files that are whole in it are compared with their digests."""
    parts: list[bytes] = []
    offsets, heads = [], []
    end = 0
    for item in items:
        data = read(item, open_file) if item.length else b""
        offsets.append(end + len(item.header))
        heads.append(head(data, item.start // BLOCK))
        end += len(item.header) + len(data)
        last = item.start + item.length == item.entry.size
        padding = bytes(-end % tar.RECORD) if last else b""
        end += len(padding)
        parts += [item.header, data, padding]
    raw = b"".join(parts)  # bytes from a file are copied here only
    return Frame(items, raw, press(items, raw), tuple(offsets), tuple(heads))


def frame_key(items: Sequence[Item]) -> bytes:
    """What decides a frame's bytes, as a digest; known before a file is read."""
    state = hashlib.sha256()
    for item in items:
        state.update(item.header)
        state.update(f"{item.entry.sha256} {item.start} {item.length}\n".encode())
    return state.digest()


def read(item: Item, open_file: Opener) -> bytes:
    """The bytes of one item."""
    with open_file(item.entry.path) as stream:
        if item.start:
            stream.seek(item.start)
        data = stream.read(item.length)
        while len(data) < item.length and (more := stream.read(item.length - len(data))):
            data += more
        if len(data) < item.length:
            raise changed(item.entry, f"{item.start + len(data)} bytes only")
    if item.length == item.entry.size < LARGE and hashlib.sha256(data).hexdigest() != item.entry.sha256:
        raise changed(item.entry, hashlib.sha256(data).hexdigest())
    return data


def head(data: bytes, before: int) -> Head | None:
    """The first block of a piece that is not all zeros; ``before`` blocks of the file come before the piece."""
    for at in range(0, len(data), BLOCK):
        block = data[at : at + BLOCK].ljust(BLOCK, b"\0")
        if block != ZERO:
            return Head(before + at // BLOCK, hashlib.sha256(block).hexdigest())
    return None


def press_now(_items: Sequence[Item], raw: bytes) -> bytes:
    """A frame's bytes, as ``Press``: made now."""
    return compress(raw)


def compress(data: bytes | bytearray) -> bytes:
    """One zstd frame that names its size."""
    return _packer.compress(data)


def compress_as(data: bytes | bytearray, wanted: Container[str]) -> bytes:
    """One of the wanted frames, if any way gives one by which frames were ever compressed; else another."""
    frame = _packer.compress(data)
    return frame if known_as(frame) in wanted else _packer.formerly(data)


def known_as(frame: bytes) -> str:
    """By what a frame is known in other layers: the first 16 hexadecimal digits of the SHA-256 of its own bytes."""
    return hashlib.sha256(frame).hexdigest()[:16]


def changed(entry: TreeEntry, found: str) -> IntegrityError:
    """The error for a file that is not what its entry says."""
    return IntegrityError(
        f"file {entry.path!r} is not what the tree's list says: {found} instead of {entry.size} bytes"
        f" with the SHA-256 {entry.sha256}",
        hint="something has changed the tree while it was stored; build it again",
    )


def parents(entries: Sequence[TreeEntry], tree: Mapping[str, TreeEntry]) -> tuple[TreeEntry, ...]:
    """The directories above ``entries`` that a layer must name, the root left out; only what the tree lists."""
    found: set[str] = set()
    for entry in entries:
        above = entry.path.rpartition("/")[0]
        while above and above not in found:
            found.add(above)
            above = above.rpartition("/")[0]
    return tuple(tree[path] for path in sorted(found) if path in tree)
