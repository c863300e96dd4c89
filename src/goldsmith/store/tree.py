"""A tree in the store: its layers, and the index that says of every path what it is and where its bytes lie.

The index is JSON, a line each, compressed by zstd: first ``{"goldsmith": "tree 1", "layers": [...]}``, each layer with
``digest``, ``size``, ``diff_id``, ``frames`` (``layers.Packed``) and ``gone``, the paths of lower layers that it hides; then a row for each path, sorted, as
``model.tree.rows`` has it, with layer, frame and offset in the frame behind it: where a file's bytes begin, and of all
else that is archived where its header ends. The other names of a hard link share the bytes of the first.
"""

import hashlib
import io
import json
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from typing import BinaryIO

import zstandard

from goldsmith.effects.parallel import in_order
from goldsmith.errors import IntegrityError, UsageError
from goldsmith.model.oci import LAYER, TREE_INDEX, WHITEOUT, Descriptor, descriptor
from goldsmith.model.packed import LEVELS, unpacked
from goldsmith.model.tree import COLUMNS, TreeEntry, normal, of_row, rows
from goldsmith.store.blobs import Blobs, wrong
from goldsmith.store.kept import hidden, keep_layers, whiteout
from goldsmith.store.layers import Content, Packed, Place, StoredLayer, content_of, store_layer
from goldsmith.store.layout import Layout
from goldsmith.store.pack import LARGEST_FRAME, Item, Opener, Press, press_now
from goldsmith.store.partition import homes, partition

INDEX_LIMIT = 1 << 30
"""Bytes of an index uncompressed, at most; more is a bomb."""
LARGEST_HEAD = 32 << 20
"""Bytes of an index's first line, at most."""
MARK = "tree 1"
AT_ONCE = 2
"""Layers that are packed at once: one thread digests and writes a layer, and its file is synced in the end."""


@dataclass(frozen=True, slots=True)
class StoredTree:
    """A tree that is in the store."""

    layers: tuple[StoredLayer, ...]
    """Lowest first."""
    index: Descriptor
    """The list of everything in it."""
    entries: int
    """How many paths it has."""
    size: int
    """Bytes of all files; hard links count once."""


@dataclass(frozen=True, slots=True)
class IndexedLayer:
    """A layer as the index knows it."""

    blob: Descriptor
    """The compressed archive."""
    diff_id: str
    """Digest of the archive uncompressed."""
    frames: tuple[Packed, ...]
    """In their order."""
    gone: tuple[str, ...] = ()
    """Paths of lower layers that it hides."""


@dataclass(frozen=True, slots=True)
class TreeIndex:
    """An index that was read."""

    layers: tuple[IndexedLayer, ...]
    """As in the image."""
    entries: Mapping[str, TreeEntry]
    """By path, sorted."""
    places: Mapping[str, tuple[int, Place]]
    """By path: the layer's number, and the place in it; of each file that has bytes, hard links too."""
    spots: Mapping[str, tuple[int, Place]] = field(default_factory=dict)
    """By path: the same of everything else that is archived, of second names of files too."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Some bytes of a file."""

    path: str
    """The file."""
    start: int
    """Where in the file they lie."""
    data: memoryview
    """The bytes."""


def store_tree(
    layout: Layout,
    entries: Mapping[str, TreeEntry],
    open_file: Opener,
    *,
    owners: Mapping[str, str],
    epoch: int | None = None,
    before: Sequence[Descriptor] = (),
    jobs: int = 2,
    press: Press = press_now,
) -> StoredTree:
    """Store a tree's layers and index; layers that are known are neither read nor written.

    Args:
        layout: the store, which must be ``used``.
        entries: the tree by path.
        open_file: a path's bytes; called from several threads.
        owners: the package of each path that has one.
        epoch: the time that the build gave to what it touched.
        before: the layers of an image in the store that is likely to share files with it; as many as can be are kept.
        jobs: how many threads compress.
        press: compresses a frame.

    Raises:
        IntegrityError: a file is not what its entry says.
        UsageError: a path is of a kind that cannot be stored, or has a name that would remove others.
        NoSpace: the store's file system is full.
    """
    entries = normal(entries.values())
    refuse_whiteouts(entries)
    home = homes(entries, owners, epoch=epoch)
    kept = keep_layers(layout, before, entries, home, open_file, jobs=jobs)
    *groups, directories = partition(entries, home, kept.paths).values()
    contents = [content_of([entries[path] for path in paths], entries, home) for paths in groups]
    last = [entries[path] for path in directories] + [whiteout(path) for path in kept.gone(entries)]
    contents.append(content_of(last, entries, {}))
    unwanted = threading.Event()
    pressing = unless(unwanted, press)

    def store(content: Content) -> StoredLayer:
        return store_layer(layout, content, open_file, jobs=jobs, press=pressing)

    new = in_order(store, contents, jobs=min(jobs, AT_ONCE), unwanted=unwanted)
    layers = (*kept.layers, *new)
    index = layout.blobs.put(encode(entries.values(), layers), TREE_INDEX)
    return StoredTree(layers, index, len(entries), size_of(entries))


def size_of(entries: Mapping[str, TreeEntry]) -> int:
    """Bytes of all files of a tree whose link groups are named by their first paths; hard links count once."""
    return sum(entry.size for path, entry in entries.items() if entry.link in {"", path})


def refuse_whiteouts(paths: Collection[str]) -> None:
    """Refuse names by which layers say that something is gone: container tools would hide what has the rest of the name."""
    found = next((path for path in paths if f"/{WHITEOUT}" in path), None)
    if found is not None:
        raise UsageError(
            f"{found!r} cannot be stored: in the layers of a container, names that begin with {WHITEOUT} remove others",
            hint="remove or rename it in the tree",
        )


def unless(unwanted: threading.Event, press: Press) -> Press:
    """The same, until what is packed is unwanted; else Ctrl-C would wait for the end of a layer."""

    def pressing(items: Sequence[Item], raw: bytes) -> bytes:
        if unwanted.is_set():
            raise CancelledError
        return press(items, raw)

    return pressing


def encode(entries: Collection[TreeEntry], layers: Sequence[StoredLayer], *, level: int = LEVELS[0]) -> bytes:
    """The bytes of an index."""
    listed = [
        {
            "digest": layer.blob.digest,
            "size": layer.blob.size,
            "diff_id": layer.diff_id,
            "frames": layer.frames,
            **({"gone": gone} if (gone := hidden(layer.content.entries)) else {}),
        }
        for layer in layers
    ]
    places = {
        path: (number, place)
        for number, layer in enumerate(layers)
        for path, place in [*layer.places.items(), *layer.spots.items()]
    }
    lines = [json.dumps({"goldsmith": MARK, "layers": listed}, separators=(",", ":"))]
    for row in rows(entries):
        if str(row[0]) in places:
            number, place = places[str(row[0])]
            row += [number, place.frame, place.offset]
        lines.append(json.dumps(row, separators=(",", ":")))
    text = "\n".join([*lines, ""]).encode()
    return zstandard.ZstdCompressor(level=level, write_checksum=True).compress(text)


def decode(data: bytes) -> TreeIndex:
    """An index from its bytes.

    Raises:
        ValueError: they are none.
    """
    try:
        text = unpacked(data, limit=INDEX_LIMIT)
        first, *lines = text.decode().splitlines()
        facts = json.loads(first)
        if facts["goldsmith"] != MARK:
            raise ValueError(f"it begins with {facts['goldsmith']!r:.40}, not with {MARK!r}")
        layers = tuple(indexed_layer(item) for item in facts["layers"])
        entries: dict[str, TreeEntry] = {}
        places: dict[str, tuple[int, Place]] = {}
        spots: dict[str, tuple[int, Place]] = {}
        for line in lines:
            entry = of_row(row := json.loads(line))
            entries[entry.path] = entry
            if len(row) > COLUMNS:
                number, frame, offset = numbers = row[COLUMNS:]
                if set(map(type, numbers)) != {int}:
                    raise ValueError(f"{entry.path!r} has a place that is no three numbers")
                has_bytes = entry.kind == "file" and entry.size and entry.link in {"", entry.path}
                (places if has_bytes else spots)[entry.path] = (number, Place(frame, offset))
                if not 0 <= frame < len(layers[number].frames) or offset < 0 or number < 0:
                    raise ValueError(f"{entry.path!r} lies in a frame that is not there")
            if entry.link and entry.link in places:
                places[entry.path] = places[entry.link]
    except (KeyError, TypeError, IndexError, RecursionError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error
    return TreeIndex(layers, entries, places, spots)


def indexed_layer(item: Mapping[str, object]) -> IndexedLayer:
    """A layer from an index's first line.

    Raises:
        ValueError: its facts do not fit together.
        TypeError, KeyError: they are no facts of a layer.
    """
    found = descriptor({"mediaType": LAYER, **item})
    frames = tuple(Packed(raw, size, digest) for raw, size, digest in item["frames"])  # type: ignore[attr-defined] # checked here
    for raw, size, digest in frames:
        if type(raw) is not int or type(size) is not int or type(digest) is not str:
            raise ValueError("a frame has other facts than two numbers and a text")
        if not (0 < raw <= LARGEST_FRAME and 0 < size <= LARGEST_FRAME):
            raise ValueError(f"a frame has {raw} bytes uncompressed and {size} compressed")
    if sum(frame.size for frame in frames) != found.size:
        raise ValueError(f"the frames of {found.digest} have other sizes than it has")
    gone = item.get("gone", [])
    if not isinstance(gone, list) or not set(map(type, gone)) <= {str}:
        raise ValueError("what a layer hides is no list of paths")
    return IndexedLayer(found, str(item["diff_id"]), frames, tuple(gone))


def read_index(layout: Layout, digest: str) -> TreeIndex:
    """An image's tree index, verified.

    Raises:
        IntegrityError: it is missing or damaged.
    """
    try:
        return decode(layout.blobs.read(digest))
    except ValueError as error:
        raise wrong(digest, f"it is no tree index ({error})") from error


def pieces(layout: Layout, index: TreeIndex, wanted: Collection[str], *, jobs: int = 2) -> Iterator[Piece]:
    """The bytes of files, in the order in which they lie in the layers; each frame is read and unpacked once.

    Args:
        layout: the store.
        index: the tree.
        wanted: paths of files; those without bytes give no piece.
        jobs: how many threads unpack.

    Raises:
        IntegrityError: a layer is missing, or its bytes are no frames as the index has them.
    """
    by_frame: dict[tuple[int, int], list[tuple[int, str]]] = {}
    for path in wanted:
        if path in index.places:
            number, place = index.places[path]
            by_frame.setdefault((number, place.frame), []).append((place.offset, path))
    jobs_to_do = sorted(_frames_of(index, by_frame))

    def unpack(job: tuple[int, int, int]) -> bytes:
        number, frame, at = job
        return read_frame(layout.blobs, index.layers[number], frame, at)

    open_end: tuple[str, int] | None = None
    for (number, frame, _), data in zip(jobs_to_do, in_order(unpack, jobs_to_do, jobs=jobs), strict=True):
        view = memoryview(data)
        if (number, frame) not in by_frame and open_end is not None:
            path, done = open_end
            yield Piece(path, done, view[: index.entries[path].size - done])
            open_end = (path, done + len(view))
        for offset, path in sorted(by_frame.get((number, frame), ())):
            size = index.entries[path].size
            yield Piece(path, 0, view[offset : offset + size])
            open_end = (path, len(view) - offset)


def _frames_of(
    index: TreeIndex, by_frame: Mapping[tuple[int, int], Sequence[tuple[int, str]]]
) -> Iterator[tuple[int, int, int]]:
    """Layer, frame and the frame's place in the layer, of every frame that has bytes of a wanted file."""
    needed = set(by_frame)
    for (number, frame), held in by_frame.items():
        offset, path = max(held)
        left = index.entries[path].size - (index.layers[number].frames[frame].raw - offset)
        following = frame + 1
        while left > 0 and following < len(index.layers[number].frames):
            needed.add((number, following))
            left -= index.layers[number].frames[following].raw
            following += 1
    for number in {number for number, _ in needed}:
        at = 0
        for frame, there in enumerate(index.layers[number].frames):
            if (number, frame) in needed:
                yield number, frame, at
            at += there.size


def read_frame(blobs: Blobs, layer: IndexedLayer, frame: int, at: int) -> bytes:
    """One frame of a layer, unpacked; ``at`` is where it begins in the layer."""
    raw, size, _ = layer.frames[frame]
    with blobs.open(layer.blob.digest) as stream:
        stream.seek(at)
        packed = stream.read(size)
    try:
        data = unpacked(packed, limit=raw)
    except ValueError as error:
        raise wrong(layer.blob.digest, f"its frame {frame} at byte {at}: {error}") from error
    if len(data) != raw:
        raise wrong(
            layer.blob.digest, f"its frame {frame} at byte {at} has {len(data)} bytes instead of {raw}"
        )
    return data


def open_path(layout: Layout, index: TreeIndex, path: str) -> BinaryIO:
    """A file's bytes, verified; for files that fit into memory.

    Raises:
        UsageError: the tree has no such file.
        IntegrityError: its bytes are not what the index says.
    """
    entry = index.entries.get(path)
    if entry is None or entry.kind != "file":
        raise UsageError(
            f"the tree has no file {path!r}",
            hint="paths begin with / and are those that goldsmith tree lists",
        )
    data = b"".join(piece.data for piece in pieces(layout, index, [path], jobs=1))
    found = hashlib.sha256(data).hexdigest()
    if found != entry.sha256:
        raise IntegrityError(
            f"file {path!r} in the store has the SHA-256 {found} instead of {entry.sha256}",
            hint="goldsmith store check --read tells which images it hurts",
        )
    return io.BytesIO(data)


def opener(layout: Layout, index: TreeIndex) -> Callable[[str], BinaryIO]:
    """``open_path`` for one tree."""
    return lambda path: open_path(layout, index, path)
