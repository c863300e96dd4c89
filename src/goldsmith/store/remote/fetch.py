"""Objects from somewhere into the store: resumed, verified, and layers out of frames that are here already.

An unfinished object lies in ``blobs/sha256`` as ``.draft-HEX``. What is in it is verified before it is used: the part of
a layer frame by frame, everything else as a whole when it is complete. ``gc`` removes what nobody goes on with.
"""

import hashlib
import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, closing, suppress
from dataclasses import dataclass
from functools import partial

from goldsmith.effects.client import Client
from goldsmith.effects.drafts import Draft, resuming
from goldsmith.effects.part import CHUNK
from goldsmith.errors import IntegrityError
from goldsmith.model.oci import Descriptor
from goldsmith.store.layers import Packed, packed
from goldsmith.store.layout import Layout
from goldsmith.store.remote.frames import Spot, ranges, starts
from goldsmith.store.remote.meter import Meter
from goldsmith.store.remote.patch_receiver import Patcher
from goldsmith.store.remote.recompress import LayerPacker
from goldsmith.store.remote.source import Damaged, NoRanges, Source
from goldsmith.store.remote.trying import trying
from goldsmith.store.tree import IndexedLayer


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Brings objects of one image into a store, which must be ``used``."""

    layout: Layout
    source: Source
    client: Client
    meter: Meter
    """Is told of bytes that are here now."""
    damaged: frozenset[str] = frozenset()
    """Digests of objects that are here but not what their names say; they are replaced."""

    def blob(self, item: Descriptor) -> None:
        """An object as a whole; goes on where an earlier try stopped.

        Raises:
            NetworkError: it cannot be had.
            IntegrityError: it is not what its digest says.
            NoSpace: the store's file system is full.
        """
        with self._draft(item) as draft:
            if not self._has(item):
                self._whole(item, draft)
                draft.name = item.digest.removeprefix("sha256:")

    def small(self, item: Descriptor, patcher: Patcher | None) -> None:
        """An object that is no layer, as ``blob``; made by a patch if there is one."""
        if item.digest in self.damaged or patcher is None or not patcher.object(item):
            self.blob(item)

    def layer(
        self,
        layer: IndexedLayer,
        known: Mapping[Packed, Spot],
        packer: LayerPacker | None = None,
        patcher: Patcher | None = None,
    ) -> None:
        """A layer, of which only the frames are fetched that the store does not have and cannot make.

        Args:
            layer: as its tree index, verified, has it.
            known: where frames lie in the store.
            packer: makes frames from files that are in the store.
            patcher: makes those that ``packer`` cannot make, from files and patches.

        Raises:
            NetworkError, IntegrityError, NoSpace: as ``blob``.
        """
        item = layer.blob
        with self._draft(item) as draft:
            if self._has(item):
                return
            try:
                self._frames(layer, known, packer, patcher, draft)
            except NoRanges:
                os.ftruncate(draft.descriptor, 0)
                self._whole(item, draft)
            else:
                if _digest(draft)[0] != item.digest:
                    # The index is wrong about a frame, or two share the digits by which they are known.
                    os.ftruncate(draft.descriptor, 0)
                    self._whole(item, draft)
            draft.name = item.digest.removeprefix("sha256:")

    def _has(self, item: Descriptor) -> bool:
        """Whether another process has brought it while this one waited for its turn."""
        return item.digest not in self.damaged and self.layout.blobs.has(item.digest, item.size)

    def _draft(self, item: Descriptor) -> AbstractContextManager[Draft]:
        blobs = self.layout.blobs
        blobs.path(item.digest)  # refuses what is no digest
        return resuming(blobs.directory, item.digest.removeprefix("sha256:"), door=blobs.door)

    def _whole(self, item: Descriptor, draft: Draft) -> None:
        trying(self.client, f"cannot fetch object {item.digest}", lambda: self._append(item, draft))

    def _append(self, item: Descriptor, draft: Draft) -> None:
        digest, have = _digest(draft)
        if have > item.size or (have == item.size and digest != item.digest):
            os.ftruncate(draft.descriptor, 0)
            have = 0
        os.lseek(draft.descriptor, have, os.SEEK_SET)
        if have < item.size:
            try:
                self._receive(item, draft, have, item.size)
            except NoRanges:
                os.ftruncate(draft.descriptor, 0)
                os.lseek(draft.descriptor, 0, os.SEEK_SET)
                self._receive(item, draft, 0, item.size)
            digest, _ = _digest(draft)
        if digest != item.digest:
            os.ftruncate(draft.descriptor, 0)
            raise Damaged(f"what came has the digest {digest}")

    def _receive(self, item: Descriptor, draft: Draft, start: int, end: int) -> None:
        for piece in self.source.pieces(item, start, end):
            draft.write(piece)
            self.meter.move(len(piece))

    def _frames(
        self,
        layer: IndexedLayer,
        known: Mapping[Packed, Spot],
        packer: LayerPacker | None,
        patcher: Patcher | None,
        draft: Draft,
    ) -> None:
        begin = starts(layer)
        there = os.fstat(draft.descriptor).st_size
        if there != layer.blob.size:
            os.ftruncate(draft.descriptor, layer.blob.size)
        wanted = []
        for number, frame in enumerate(layer.frames):
            if begin[number] + frame.size <= there and _is(draft, begin[number], frame):
                self.meter.reuse(frame.size)
                continue
            data = self._copy(known[frame], frame) if frame in known else None
            if data is None and packer is not None:
                data = packer.pack(number)
            if data is None:
                wanted.append(number)
                continue
            self._put(data, begin[number], draft)
        if packer is not None and patcher is not None and wanted:
            with closing(patcher.frames(packer, wanted)) as made:
                for number, data in made:
                    self._put(data, begin[number], draft)
                    wanted.remove(number)
        for run in ranges(layer, wanted):
            what = f"cannot fetch a part of layer {layer.blob.digest}"
            trying(self.client, what, partial(self._range, layer, run, begin, draft))

    def _put(self, data: bytes, start: int, draft: Draft) -> None:
        os.lseek(draft.descriptor, start, os.SEEK_SET)
        draft.write(data)
        self.meter.reuse(len(data))

    def _copy(self, spot: Spot, frame: Packed) -> bytes | None:
        """A frame from another layer of the store, if it is there and what it should be."""
        with suppress(OSError, IntegrityError), self.layout.blobs.open(spot.blob) as stream:
            stream.seek(spot.start)
            data = stream.read(frame.size)
            if packed(frame.raw, data) == frame:
                return data
        return None

    def _range(self, layer: IndexedLayer, run: Sequence[int], begin: Sequence[int], draft: Draft) -> None:
        while run and _is(draft, begin[run[0]], layer.frames[run[0]]):
            run = run[1:]
        if not run:
            return
        start, end = begin[run[0]], begin[run[-1]] + layer.frames[run[-1]].size
        os.lseek(draft.descriptor, start, os.SEEK_SET)
        self._receive(layer.blob, draft, start, end)
        for number in run:
            if not _is(draft, begin[number], layer.frames[number]):
                raise Damaged(f"the part from byte {begin[number]} on is not what the image's index says")


def _is(draft: Draft, start: int, frame: Packed) -> bool:
    return packed(frame.raw, os.pread(draft.descriptor, frame.size, start)) == frame


def _digest(draft: Draft) -> tuple[str, int]:
    """The digest of what is in a draft, and how many bytes that are."""
    state, at = hashlib.sha256(), 0
    while data := os.pread(draft.descriptor, CHUNK, at):
        state.update(data)
        at += len(data)
    return f"sha256:{state.hexdigest()}", at
