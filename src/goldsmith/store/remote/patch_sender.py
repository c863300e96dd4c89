"""Make patches: what is said about an image so that a pull need not fetch what it can make of the version before.

They are made once, before an image is sent, and kept beside it as a manifest that says something about it.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain

from goldsmith.errors import GoldsmithError, IntegrityError
from goldsmith.model import oci
from goldsmith.model.oci import Descriptor
from goldsmith.store import pack
from goldsmith.store.layout import Layout
from goldsmith.store.record import Recorded, parts_of
from goldsmith.store.remote import delta, patches
from goldsmith.store.remote.choice import MARGIN, choose
from goldsmith.store.remote.local import referrers_of
from goldsmith.store.remote.patches import Patch, Stream, short
from goldsmith.store.remote.recompress import Contents, LayerPacker
from goldsmith.store.tree import TreeIndex, read_index

SMALLEST = 4 << 10
"""Bytes of a file from which one is looked for that had nearly its name."""


@dataclass(frozen=True, slots=True)
class Made:
    """A patch with its frames."""

    patch: Patch
    frames: tuple[bytes, ...]


@dataclass(frozen=True)
class Maker:
    """Makes patches from one tree to another."""

    layout: Layout
    old: TreeIndex
    new: TreeIndex
    kept: dict[tuple[str, int], bytes] = field(default_factory=dict)
    made: dict[str, Made | None] = field(default_factory=dict)
    """Patches by content; None where there is none."""

    @cached_property
    def before(self) -> Contents:
        """What there was."""
        return Contents(self.layout, [self.old])

    @cached_property
    def after(self) -> Contents:
        """What there is."""
        return Contents(self.layout, [self.new])

    @cached_property
    def _paths(self) -> Mapping[str, str]:
        """The path of each new content."""
        return {self.new.entries[path].sha256: path for path in self.new.places}

    @cached_property
    def _alike(self) -> Mapping[str, str]:
        """Paths of larger files by what is left of them without digits: the version is often part of the name."""
        return {
            re.sub(r"\d+", "#", path): path
            for path in self.old.places
            if self.old.entries[path].size >= SMALLEST
        }

    def patches(self) -> Iterator[Made]:
        """The patches that save bytes, in the order of what they make."""
        known = {frame for layer in self.old.layers for frame in layer.frames}
        packers = [
            (LayerPacker(self.new, number, self.before), wanted)
            for number, layer in enumerate(self.new.layers)
            if (wanted := [frame for frame, packed in enumerate(layer.frames) if packed not in known])
        ]
        new = {file for packer, wanted in packers for frame in wanted for file in packer.files(frame)}
        # The largest first: the memory that they take is in one piece only while there is little else.
        for file in sorted(new, key=lambda file: (-file.size, file.path)):
            if file.sha256 not in self.before:
                self.cost(file.sha256)
        done = set[str]()
        for packer, wanted in packers:
            _, contents = choose(packer, wanted, self.cost)
            for sha256 in (file.sha256 for frame in wanted for file in packer.files(frame)):
                found = self.made.get(sha256)
                if sha256 in contents and sha256 not in done and found is not None:
                    done.add(sha256)
                    yield found

    def cost(self, sha256: str) -> int | None:
        """Bytes of a content's patch."""
        if sha256 not in self.made:
            self.made[sha256] = self.make(sha256)
        found = self.made[sha256]
        return found.patch.size if found else None

    def make(self, sha256: str) -> Made | None:
        """A content's patch; of a small one without a base, so that the rest of its frame can be made, all of it."""
        path = self._paths[sha256]
        size = self.new.entries[path].size
        base = next(
            filter(None, (self._base(path), self._base(self._alike.get(re.sub(r"\d+", "#", path), "")))), ""
        )
        if size > patches.LARGEST or (not base and size >= pack.LARGE):
            return None
        new = self.after.content(sha256, size, self.kept)
        old = self.before.named(short(base)) if base else None
        found = (
            patch_of(short(sha256), new, short(base), self.before.content(*old, self.kept)) if old else None
        )
        if size < pack.LARGE:
            plain = delta.pack_block(new.read(0, size), b"")
            if found is None or len(plain) < found.patch.size:
                found = made(short(sha256), "", (plain,))
        return found

    def _base(self, path: str) -> str:
        """The old content at a path; empty for none that can be used."""
        if path not in self.old.places or self.old.entries[path].size > patches.LARGEST:
            return ""
        return self.old.entries[path].sha256


def patch_of(name: str, new: delta.Content, base_name: str, old: delta.Content) -> Made:
    """The patch from one content to another."""
    found = delta.streams(new, old)
    if found is None:
        return made(name, base_name, tuple(delta.pack_blocks(new, old)))
    stream, one, other = found
    return made(name, base_name, tuple(delta.pack_blocks(in_memory(one), in_memory(other))), stream)


def in_memory(data: delta.Bytes) -> delta.Content:
    """A content whose bytes are here."""
    return delta.Content(lambda start, size: data[start : start + size], len(data))


def made(name: str, base_name: str, frames: tuple[bytes, ...], stream: Stream | None = None) -> Made:
    """A patch of these frames."""
    return Made(Patch(name, base_name, tuple(map(len, frames)), stream), frames)


def publish(layout: Layout, image: Descriptor, name: str) -> bool:
    """Keep patches beside an image of the store, if it has none and there is a version before it; tells whether there are some.

    Nothing depends on them: where they cannot be made there are none.

    Args:
        layout: the store, which must be ``used``.
        image: the object that stands for the image.
        name: the image's name.
    """
    with suppress(GoldsmithError, OSError):
        there = referrers_of(layout, image.digest)
        there = tuple(x for x in there if layout.read(x.digest).get("artifactType") == patches.TYPE)
        if there and all(sound(layout, item) for item in there):
            return True
        old = before(layout, image, name)
        if old is not None:
            return keep(layout, image, old, name)
    return False


def sound(layout: Layout, item: Descriptor) -> bool:
    """Whether patches are as they should be; what is damaged of them is removed, as it can be made anew."""
    damaged = []
    for blob in layout.children(item.digest):
        if blob.media_type in {patches.LIST, patches.DATA}:
            try:
                layout.blobs.read(blob.digest)
            except IntegrityError:
                damaged.append(blob)
    for blob in damaged:
        with suppress(OSError):
            layout.door.remove(layout.blobs.path(blob.digest))
    return not damaged


def before(layout: Layout, image: Descriptor, name: str) -> Descriptor | None:
    """The image of a name that was recorded last before another."""
    last = None
    for reference, item in layout.refs(name).items():
        if not reference.startswith(f"{name}:"):
            continue
        if item.digest == image.digest:
            return last
        last = item
    return last


def lists(layout: Layout, old: Recorded, new: Recorded) -> Iterator[Made]:
    """Patches of objects that are no layers, each from the old one in its place."""
    there = {item.digest for item in old.lists}
    for before, after in zip(old.lists, new.lists, strict=False):
        if after.digest in there or max(before.size, after.size) > patches.LARGEST:
            continue
        one, other = (in_memory(layout.blobs.read(item.digest)) for item in (after, before))
        found = patch_of(short(after.digest), one, short(before.digest), other)
        if found.patch.size + MARGIN < after.size:
            yield found


def keep(layout: Layout, image: Descriptor, old: Descriptor, name: str) -> bool:
    """Make patches from one image to another, and keep them."""
    parts = [parts_of(layout, item, name) for item in (old, image)]
    indexes = [read_index(layout, part.tree_index.digest) for part in parts]
    found: list[Patch] = []
    with layout.blobs.growing() as blob:
        of_files = Maker(layout, indexes[0], indexes[1]).patches()
        for one in chain(of_files, lists(layout, parts[0], parts[1])):
            found.append(one.patch)
            for frame in one.frames:
                blob.write(frame)
    if not found:
        return False
    listed = layout.blobs.put(patches.encode(found), patches.LIST)
    data = Descriptor(patches.DATA, blob.digest, blob.size)
    empty = layout.blobs.put(oci.EMPTY_JSON, oci.EMPTY)
    subject = replace(image, annotations=())
    manifest = oci.manifest(empty, [listed, data], artifact_type=patches.TYPE, subject=subject)
    item = layout.blobs.put(manifest, oci.MANIFEST)
    layout.blobs.settle()
    layout.attach(replace(item, artifact_type=patches.TYPE), image.digest)
    return True
