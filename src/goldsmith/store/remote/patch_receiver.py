"""Use patches: contents are made from what is here, and frames packed from them; what does not come out right is fetched.

A list comes from outside and decides nothing: a patch is used only for a content that the image's tree has, makes as many bytes
as that says, or is dropped, and what it makes must have the content's SHA-256.
"""

import hashlib
import os
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from threading import Lock

from goldsmith.effects.client import Client
from goldsmith.effects.drafts import Draft, drafting
from goldsmith.effects.part import Refused
from goldsmith.errors import GoldsmithError
from goldsmith.model.oci import Descriptor, digest_of
from goldsmith.store.layout import Layout
from goldsmith.store.remote import delta, patches
from goldsmith.store.remote.choice import choose
from goldsmith.store.remote.manifests import Family
from goldsmith.store.remote.meter import Meter
from goldsmith.store.remote.patches import BLOCK, Patch, short
from goldsmith.store.remote.recompress import Known, LayerPacker
from goldsmith.store.remote.source import Source
from goldsmith.store.remote.trying import trying

GAP = 4 << 10
"""Bytes between two wanted patches that are rather fetched too than asked about in two requests."""
LONGEST = 4 << 20
"""Bytes of one request, at most, if it is not for one patch."""
RATIO = 16
"""Bytes of a content unpacked for each of its own, at most; honest ones have 3 to 6."""
LISTS = 4
"""Lists that are looked at, of one image."""


@dataclass(frozen=True, slots=True)
class PatchList:
    """Patches that a source has."""

    data: Descriptor
    """Where their bytes are."""
    patches: Mapping[str, Patch]
    """By the content that each makes."""


def is_patches(said: Family) -> bool:
    """Whether what is said about an image is how it is made from another."""
    return said.root.artifact_type == patches.TYPE


def read_lists(source: Source, client: Client, meter: Meter, said: Iterable[Family]) -> Sequence[PatchList]:
    """The lists of patches that can be had and are some."""
    found: list[PatchList] = []
    for family in [one for one in said if is_patches(one)][:LISTS]:
        by_type = {blob.media_type: blob for blob in family.blobs}
        listed, data = by_type.get(patches.LIST), by_type.get(patches.DATA)
        if listed is None or data is None or listed.size > patches.LARGEST_LIST:
            continue
        with suppress(GoldsmithError, Refused, ValueError):
            text = fetched(source, client, meter, listed, 0, listed.size)
            if digest_of(text) == listed.digest:
                found.append(PatchList(data, patches.decode(text, data.size)))
    return found


def fetched(source: Source, client: Client, meter: Meter, item: Descriptor, start: int, end: int) -> bytes:
    """A part of an object, into memory.

    Raises:
        GoldsmithError, Refused: it cannot be had.
    """

    def read() -> bytes:
        result = bytearray()
        for piece in source.pieces(item, start, end):
            meter.move(len(piece))
            result += piece
        return bytes(result)

    return trying(client, f"cannot fetch a part of object {item.digest}", read)


@dataclass(frozen=True, slots=True)
class Objects:
    """Objects of the store as contents."""

    layout: Layout
    items: Mapping[str, Descriptor]
    """By the digits by which a list names them."""

    def __contains__(self, sha256: str) -> bool:
        return short(sha256) in self.items

    def named(self, digits: str) -> tuple[str, int] | None:
        """As ``Contents.named``."""
        item = self.items.get(digits)
        return (item.digest.removeprefix("sha256:"), item.size) if item else None

    def content(self, sha256: str, size: int, kept: dict[tuple[str, int], bytes]) -> delta.Content:
        """As ``Contents.content``."""
        return delta.Content(lambda start, length: self.read(sha256, start, length, kept), size)

    def read(self, sha256: str, start: int, length: int, kept: dict[tuple[str, int], bytes]) -> bytes:  # noqa: ARG002 - files are kept by the kernel
        """As ``Contents.read``."""
        with self.layout.blobs.open(f"sha256:{sha256}") as stream:
            stream.seek(start)
            return stream.read(length)


@dataclass(frozen=True)
class Room:
    """Contents that were made, in a file that nobody keeps; for one thread."""

    here: Known
    """What is in the store."""
    draft: Draft
    places: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Where each content begins in the file, and its bytes."""
    kept: dict[tuple[str, int], bytes] = field(default_factory=dict)

    def __contains__(self, sha256: str) -> bool:
        return sha256 in self.places or sha256 in self.here

    def named(self, digits: str) -> tuple[str, int] | None:
        """As ``Contents.named``."""
        return self.here.named(digits)

    def content(self, sha256: str, size: int, kept: dict[tuple[str, int], bytes]) -> delta.Content:
        """As ``Contents.content``."""
        return self.here.content(sha256, size, kept)

    def read(self, sha256: str, start: int, length: int, kept: dict[tuple[str, int], bytes]) -> bytes:
        """As ``Contents.read``."""
        if sha256 not in self.places:
            return self.here.read(sha256, start, length, kept)
        at, size = self.places[sha256]
        return self._back(at + start, min(length, size - start))

    def make(self, sha256: str, size: int, patch: Patch, data: bytes) -> None:
        """Make a content; it is not there if that is not what the patch makes.

        Raises:
            ValueError: it cannot be made.
            GoldsmithError, OSError: the old content cannot be read, or the file system is full.
        """
        blocks = self._blocks(size, patch, data)
        if patch.stream is not None:
            start, _, _ = self._write(blocks, patch.stream.size)
            blocks = delta.pack_stream(lambda at, length: self._back(start + at, length), patch.stream)
        start, made, digest = self._write(blocks, size)
        if (made, digest) == (size, sha256):
            self.places[sha256] = (start, size)

    def _blocks(self, size: int, patch: Patch, data: bytes) -> Iterator[delta.Bytes]:
        base = self._base(patch)
        whole = patch.stream.size if patch.stream else size
        at = 0
        for number, length in enumerate(patch.frames):
            begin, end = patches.window(number * BLOCK, base.size)
            words = bytes(base.read(begin, end - begin))
            yield delta.unpack_block(data[at : at + length], words, min(BLOCK, whole - number * BLOCK))
            at += length

    def _base(self, patch: Patch) -> delta.Content:
        """What a patch's frames have as their dictionary."""
        if not patch.base:
            return delta.Content(lambda _start, _length: b"", 0)
        found = self.here.named(patch.base)
        if found is None:
            raise ValueError(f"content {patch.base} is not here")
        sha256, size = found
        base = self.here.content(sha256, size, self.kept)
        if patch.stream is None:
            return base
        old = delta.unpacked(base, patch.stream.base_before)
        if len(old) != patch.stream.base_size:
            raise ValueError(f"content {patch.base} has {len(old)} bytes unpacked")
        return delta.Content(lambda start, length: old[start : start + length], len(old))

    def _write(self, pieces: Iterable[delta.Bytes], limit: int) -> tuple[int, int, str]:
        """Append pieces, never more than ``limit`` bytes; where they begin, how many they are, and their SHA-256."""
        start, size, state = os.lseek(self.draft.descriptor, 0, os.SEEK_END), 0, hashlib.sha256()
        for piece in pieces:
            size += len(piece)
            if size > limit:
                raise ValueError(f"it makes more than {limit} bytes")
            state.update(piece)
            self.draft.write(memoryview(piece))
        return start, size, state.hexdigest()

    def _back(self, start: int, length: int) -> bytes:
        result = b""
        while len(result) < length and (
            more := os.pread(self.draft.descriptor, length - len(result), start + len(result))
        ):
            result += more
        return result


@dataclass(frozen=True)
class Patcher:
    """Makes objects and frames of one image by patches; for several threads."""

    layout: Layout
    source: Source
    client: Client
    meter: Meter
    lists: Sequence[PatchList]
    objects: Objects
    """Lists and literals of images that are likely to be alike."""
    turn: Lock = field(default_factory=Lock)
    """Held while a content is made, for the memory that it takes."""

    def frames(self, packer: LayerPacker, wanted: Collection[int]) -> Generator[tuple[int, bytes]]:
        """Those of the wanted frames of a layer that can be made with fewer bytes than they have, and their bytes.

        Args:
            packer: of the layer.
            wanted: frames that are not here.
        """
        sizes = {file.sha256: file.size for frame in wanted for file in packer.files(frame)}
        here = packer.contents
        found = {sha256: one for sha256, size in sizes.items() if (one := self._patch(sha256, size, here))}
        costs = {sha256: patch.size for sha256, (_, patch) in found.items()}
        frames, contents = choose(packer, wanted, costs.get)
        room = sum(frame.raw for frame in packer.index.layers[packer.number].frames)
        if not frames or sum(sizes[sha256] for sha256 in contents) > room:
            return
        blobs = self.layout.blobs
        with suppress(GoldsmithError, OSError), drafting(blobs.directory, door=blobs.door) as draft:
            made = Room(here, draft)
            self._make(made, sizes, {sha256: found[sha256] for sha256 in contents})
            again = replace(packer, contents=made, kept={})
            for frame in sorted(frames):
                data = again.pack(frame)
                if data is not None:
                    yield frame, data

    def object(self, item: Descriptor) -> bool:
        """Make an object, and store it, if that takes fewer bytes than it has; tells whether it is there."""
        sha256 = item.digest.removeprefix("sha256:")
        found = self._patch(sha256, item.size, self.objects)
        if found is None or found[1].size >= item.size:
            return False
        blobs = self.layout.blobs
        with suppress(GoldsmithError, OSError), drafting(blobs.directory, door=blobs.door) as draft:
            made = Room(self.objects, draft)
            self._make(made, {sha256: item.size}, {sha256: found})
            if sha256 in made.places:
                blobs.take([made.read(sha256, 0, item.size, {})], item)
                self.meter.reuse(item.size)
                return True
        return False

    def _patch(self, sha256: str, size: int, here: Known) -> tuple[PatchList, Patch] | None:
        """A patch that may make a content."""
        for listed in self.lists:
            patch = listed.patches.get(short(sha256))
            if patch is None or size > patches.LARGEST:
                continue
            stream = patch.stream
            whole = stream.size if stream else size
            fits = len(patch.frames) == -(-whole // BLOCK) and (
                stream is None or stream.before <= whole <= RATIO * size
            )
            if fits and (not patch.base or here.named(patch.base)):
                return listed, patch
        return None

    def _make(
        self, room: Room, sizes: Mapping[str, int], found: Mapping[str, tuple[PatchList, Patch]]
    ) -> None:
        for listed in self.lists:
            mine = {sha256: patch for sha256, (owner, patch) in found.items() if owner is listed}
            for run in runs(mine):
                start, last = mine[run[0]].start, mine[run[-1]]
                with suppress(GoldsmithError, Refused):
                    data = fetched(
                        self.source, self.client, self.meter, listed.data, start, last.start + last.size
                    )
                    for sha256 in run:
                        patch = mine[sha256]
                        begin = patch.start - start
                        with suppress(ValueError), self.turn:
                            room.make(sha256, sizes[sha256], patch, data[begin : begin + patch.size])


def runs(wanted: Mapping[str, Patch]) -> Iterator[Sequence[str]]:
    """Contents whose patches are fetched by one request each."""
    run, begin, end = list[str](), 0, 0
    for sha256, patch in sorted(wanted.items(), key=lambda item: item[1].start):
        if run and (patch.start - end > GAP or patch.start + patch.size - begin > LONGEST):
            yield run
            run = []
        begin = begin if run else patch.start
        run.append(sha256)
        end = patch.start + patch.size
    if run:
        yield run
