"""Frames of a new layer made from files that are here already: what an update changed in them is a time or an owner.

A tree index says of everything where in which frame it lies, so a frame whose files are all known can be packed again
as whoever made the layer packed it. Whether the result is that frame its digest tells; where it is not, for this
program's compressor may be another version, the frame is fetched.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Protocol

from goldsmith.errors import GoldsmithError
from goldsmith.model.tree import TreeEntry
from goldsmith.store import pack, tar
from goldsmith.store.layers import Packed, packed
from goldsmith.store.layout import Layout
from goldsmith.store.remote.delta import Content
from goldsmith.store.remote.frames import starts
from goldsmith.store.remote.patches import short
from goldsmith.store.tree import TreeIndex, read_frame

KEPT = 4 << 20
"""Bytes of unpacked frames that are kept in memory, a layer; one frame is in any case."""


class Known(Protocol):
    """Contents that can be read."""

    def __contains__(self, sha256: str) -> bool:
        """Whether a content is there."""

    def named(self, digits: str) -> tuple[str, int] | None:
        """As ``Contents.named``."""

    def content(self, sha256: str, size: int, kept: dict[tuple[str, int], bytes]) -> Content:
        """As ``Contents.content``."""

    def read(self, sha256: str, start: int, length: int, kept: dict[tuple[str, int], bytes]) -> bytes:
        """As ``Contents.read``."""


@dataclass(frozen=True, slots=True)
class Part:
    """What lies in a frame of an entry."""

    offset: int
    """Where its header ends; 0 if that is in another frame."""
    entry: TreeEntry
    start: int = 0
    """Bytes of the file in frames before this one."""

    @property
    def length(self) -> int:
        """Bytes of the file in this frame."""
        entry = self.entry
        if entry.kind != "file" or entry.link not in {"", entry.path}:
            return 0
        return min(entry.size - self.start, pack.CUT) if entry.size >= pack.LARGE else entry.size


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

    @cached_property
    def _short(self) -> Mapping[str, str]:
        return {short(sha256): sha256 for sha256 in self._homes}

    def __contains__(self, sha256: str) -> bool:
        return sha256 in self._homes

    def named(self, digits: str) -> tuple[str, int] | None:
        """The content that a list of patches names by its first digits, and its size; None if it is not here."""
        sha256 = self._short.get(digits)
        if sha256 is None:
            return None
        number, path = self._homes[sha256]
        return sha256, self.indexes[number].entries[path].size

    def content(self, sha256: str, size: int, kept: dict[tuple[str, int], bytes]) -> Content:
        """All of a content, to be read as ``read`` does."""
        return Content(
            lambda start, length: self.read(sha256, start, max(0, min(length, size - start)), kept), size
        )

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
        result = bytearray()
        while len(result) < length and frame < len(layer.frames):
            if at < layer.frames[frame].raw:
                key = (layer.blob.digest, frame)
                if key not in kept:
                    begin = self._starts[number][of_layer][frame]
                    kept[key] = read_frame(self.layout.blobs, layer, frame, begin)
                    while len(kept) > 1 and sum(map(len, kept.values())) > KEPT:
                        kept.pop(next(iter(kept)))
                result += kept[key][at : at + length - len(result)]
            at = max(0, at - layer.frames[frame].raw)
            frame += 1
        return bytes(result)


@dataclass(frozen=True)
class LayerPacker:
    """Packs frames of one layer of a new image again; for one thread."""

    index: TreeIndex
    number: int
    """The layer's."""
    contents: Known
    kept: dict[tuple[str, int], bytes] = field(default_factory=dict)

    @cached_property
    def _items(self) -> Mapping[int, Sequence[Part]]:
        """What lies in each frame, in order."""
        found: dict[int, list[Part]] = {}
        last = len(self.index.layers[self.number].frames)
        for path, (number, place) in {**self.index.places, **self.index.spots}.items():
            if number != self.number:
                continue
            entry = self.index.entries[path]
            found.setdefault(place.frame, []).append(Part(place.offset, entry))
            if path in self.index.places and entry.size >= pack.LARGE and entry.link in {"", path}:
                for frame, start in enumerate(range(pack.CUT, entry.size, pack.CUT), place.frame + 1):
                    if frame >= last:
                        break
                    found.setdefault(frame, []).append(Part(0, entry, start))
        return {frame: sorted(parts, key=lambda part: part.offset) for frame, parts in found.items()}

    def files(self, frame: int) -> Iterator[TreeEntry]:
        """The files of which a frame has bytes."""
        return (part.entry for part in self._items.get(frame, ()) if part.length)

    @cached_property
    def _above(self) -> Mapping[int, Sequence[bytes]]:
        """The headers of directories that stand before all else, by frame."""
        inside = [part.entry for parts in self._items.values() for part in parts]
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
        data = pack.compress_as(raw, {wanted.digest})
        return data if packed(len(raw), data) == wanted else None

    def _raw(self, frame: int) -> Iterator[bytes]:
        yield from self._above.get(frame, ())
        items = self._items.get(frame, ())
        if not items and frame == len(self.index.layers[self.number].frames) - 1:
            yield tar.END
        for part in items:
            entry, length = part.entry, part.length
            if entry.link not in {"", entry.path}:
                yield tar.header(replace(entry, xattrs=()), link_to=entry.link)
                continue
            if not part.start:
                yield tar.header(entry)
            if not length:
                continue
            if entry.sha256 not in self.contents:
                raise KeyError(entry.sha256)
            yield self.contents.read(entry.sha256, part.start, length, self.kept)
            if part.start + length == entry.size:
                yield bytes(-entry.size % tar.RECORD)
