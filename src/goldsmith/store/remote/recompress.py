"""Frames of a new layer made from files that are here already: what an update changed in them is a time or an owner.

A tree index says of everything where in which frame it lies, so a frame whose files are all known can be packed again
as whoever made the layer packed it. Whether the result is that frame its digest tells; where it is not, for this
program's compressor may be another version, the frame is fetched.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from goldsmith.errors import GoldsmithError
from goldsmith.model.tree import TreeEntry
from goldsmith.store import pack, tar
from goldsmith.store.layers import Packed, packed
from goldsmith.store.layout import Layout
from goldsmith.store.remote.frames import starts
from goldsmith.store.tree import TreeIndex, read_frame

KEPT = 8
"""Unpacked frames that are kept in memory, a layer."""


@dataclass(frozen=True)
class Contents:
    """The contents that a store has, and where."""

    layout: Layout
    indexes: Sequence[TreeIndex]

    @cached_property
    def _homes(self) -> Mapping[str, tuple[int, str]]:
        return {
            index.entries[path].sha256: (number, path)
            for number, index in enumerate(self.indexes)
            for path in index.places
        }

    @cached_property
    def _starts(self) -> Sequence[Sequence[Sequence[int]]]:
        return [[starts(layer) for layer in index.layers] for index in self.indexes]

    def __contains__(self, sha256: str) -> bool:
        return sha256 in self._homes

    def read(self, sha256: str, start: int, length: int, kept: dict[tuple[str, int], bytes]) -> bytes:
        """Some bytes of a content.

        Args:
            sha256: the content.
            start: the first byte.
            length: how many.
            kept: frames that were unpacked before; the oldest are forgotten.

        Raises:
            GoldsmithError: the layer that should have it is damaged or gone.
        """
        number, path = self._homes[sha256]
        index = self.indexes[number]
        of_layer, place = index.places[path]
        layer = index.layers[of_layer]
        frame, at = place.frame, place.offset + start
        result = b""
        while len(result) < length and frame < len(layer.frames):
            if at < layer.frames[frame].raw:
                key = (layer.blob.digest, frame)
                if key not in kept:
                    begin = self._starts[number][of_layer][frame]
                    kept[key] = read_frame(self.layout.blobs, layer, frame, begin)
                    while len(kept) > KEPT:
                        kept.pop(next(iter(kept)))
                result += kept[key][at : at + length - len(result)]
            at = max(0, at - layer.frames[frame].raw)
            frame += 1
        return result


@dataclass(frozen=True)
class LayerPacker:
    """Packs frames of one layer of a new image again; for one thread."""

    index: TreeIndex
    number: int
    """The layer's."""
    contents: Contents
    kept: dict[tuple[str, int], bytes] = field(default_factory=dict)

    @cached_property
    def _items(self) -> Mapping[int, Sequence[tuple[int, TreeEntry]]]:
        """What lies in each frame: where its header ends, and the entry; in order."""
        found: dict[int, list[tuple[int, TreeEntry]]] = {}
        for path, (number, place) in {**self.index.places, **self.index.spots}.items():
            if number == self.number:
                found.setdefault(place.frame, []).append((place.offset, self.index.entries[path]))
        return {frame: sorted(items, key=lambda item: item[0]) for frame, items in found.items()}

    @cached_property
    def _above(self) -> Mapping[int, Sequence[bytes]]:
        """The headers of directories that stand before all else, by frame."""
        inside = [entry for items in self._items.values() for _, entry in items]
        paths = {entry.path for entry in inside}
        headers = [
            tar.header(replace(entry, mtime=0))
            for entry in pack.parents(inside, self.index.entries)
            if entry.path not in paths
        ]
        frames = self.index.layers[self.number].frames
        result: dict[int, list[bytes]] = {}
        frame, room = 0, 0
        for header in headers:
            if frame < len(frames) and room + len(header) > frames[frame].raw:
                frame, room = frame + 1, 0
            result.setdefault(frame, []).append(header)
            room += len(header)
        return result

    def pack(self, frame: int) -> bytes | None:
        """A frame's bytes; None if they cannot be made from what is here."""
        try:
            raw = b"".join(self._raw(frame))
        except (GoldsmithError, OSError, KeyError, ValueError):
            return None
        wanted: Packed = self.index.layers[self.number].frames[frame]
        if len(raw) != wanted.raw:
            return None
        data = pack.compress(raw)
        return data if packed(len(raw), data) == wanted else None

    def _raw(self, frame: int) -> Iterator[bytes]:
        yield from self._above.get(frame, ())
        items = self._items.get(frame, ())
        if not items and frame == len(self.index.layers[self.number].frames) - 1:
            yield tar.END
        for _, entry in items:
            if entry.link not in {"", entry.path}:
                yield tar.header(replace(entry, xattrs=()), link_to=entry.link)
                continue
            yield tar.header(entry)
            if entry.kind != "file" or not entry.size:
                continue
            if entry.sha256 not in self.contents:
                raise KeyError(entry.sha256)
            length = min(entry.size, pack.CUT) if entry.size >= pack.LARGE else entry.size
            yield self.contents.read(entry.sha256, 0, length, self.kept)
            if length == entry.size:
                yield bytes(-length % tar.RECORD)
