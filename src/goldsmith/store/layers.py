"""Layers in the store: written once, and known again by the digest of what is in them."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import zstandard

from goldsmith.effects.drafts import drafting
from goldsmith.model.oci import LAYER, Descriptor
from goldsmith.model.packed import unpacked
from goldsmith.model.tree import COLUMNS, TreeEntry, normal, of_row, rows, tree_digest
from goldsmith.store import pack
from goldsmith.store.layout import Layout
from goldsmith.store.pack import Head, Opener, Press

FORMAT = f"goldsmith layer 2 {pack.LARGE} {pack.SHARED} {pack.APART} {pack.CUT} {sorted(pack.WAY.items())}\n"
"""Part of every key: another way of packing makes other layers of the same entries."""
KNOWN_LIMIT = 1 << 30


class Packed(NamedTuple):
    """A frame of a layer as it lies there; in JSON a list of three."""

    raw: int
    """Bytes of archive in it."""
    size: int
    """Its own bytes."""
    digest: str
    """As ``pack.known_as`` has it."""


def packed(raw: int, data: bytes) -> Packed:
    """What is known of a frame, from its bytes."""
    return Packed(raw, len(data), pack.known_as(data))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file's bytes begin in a layer."""

    frame: int
    """The frame's number."""
    offset: int
    """Bytes before it in the frame, uncompressed."""


@dataclass(frozen=True, slots=True)
class Content:
    """What decides a layer's bytes."""

    entries: Mapping[str, TreeEntry]
    """All that it holds, by path; link groups are named by their first path."""
    above: tuple[TreeEntry, ...] = ()
    """Directories that it names because something lies below them; their times do not count."""
    owners: Mapping[str, str] = field(default_factory=dict)
    """Who each path belongs to, by which it is ordered; those of nobody may be left out."""

    @property
    def key(self) -> str:
        """A digest of it, in hexadecimal."""
        text = FORMAT + tree_digest(self.entries.values())
        text += tree_digest(replace(entry, mtime=0) for entry in self.above)
        owned = sorted((path, self.owners.get(path, "")) for path in self.entries)
        text += hashlib.sha256(json.dumps(owned).encode()).hexdigest()
        return hashlib.sha256(text.encode()).hexdigest()


NOTHING = Content({})
"""Nothing known of it."""


@dataclass(frozen=True, slots=True)
class StoredLayer:
    """A layer that is in the store."""

    blob: Descriptor
    """The compressed archive."""
    diff_id: str
    """Digest of the archive uncompressed, which the image's configuration lists."""
    frames: tuple[Packed, ...]
    """In their order."""
    places: Mapping[str, Place]
    """By path, of every file that has bytes; of a link group the first path only."""
    spots: Mapping[str, Place] = field(default_factory=dict)
    """By path, of everything else: where its header ends."""
    heads: Mapping[str, Head] = field(default_factory=dict)
    """By path, of every file that is not all zeros."""
    content: Content = NOTHING
    """What is in it."""


def content_of(
    entries: Sequence[TreeEntry], tree: Mapping[str, TreeEntry], owners: Mapping[str, str]
) -> Content:
    """What a layer is made of.

    Args:
        entries: what it is to hold; files of one link group are all there.
        tree: the whole tree, for the directories above.
        owners: who each path belongs to.
    """
    inside = normal(entries)
    above = tuple(entry for entry in pack.parents(entries, tree) if entry.path not in inside)
    return Content(inside, above, {path: owners[path] for path in inside if owners.get(path)})


def store_layer(
    layout: Layout, content: Content, open_file: Opener, *, jobs: int, press: Press = pack.press_now
) -> StoredLayer:
    """Store a layer, if it is not known already.

    Args:
        layout: the store, which must be ``used``.
        content: what is in the layer.
        open_file: a path's bytes.
        jobs: how many threads compress.
        press: compresses a frame.

    Raises:
        IntegrityError: a file is not what its entry says.
        NoSpace: the store's file system is full.
    """
    known = recall(layout, content.key)
    return known if known is not None else pack_layer(layout, content, open_file, jobs=jobs, press=press)


def pack_layer(
    layout: Layout, content: Content, open_file: Opener, *, jobs: int, press: Press
) -> StoredLayer:
    """As ``store_layer``, though a layer of this content may be known already, which was packed otherwise."""
    state = hashlib.sha256()
    frames: list[Packed] = []
    places: dict[str, Place] = {}
    spots: dict[str, Place] = {}
    heads: dict[str, Head] = {}
    held = list(content.entries.values())
    made = pack.frames(held, content.above, content.owners, open_file, jobs=jobs, press=press)
    with layout.blobs.growing() as blob:
        for frame in made:
            for item, offset, head in zip(frame.items, frame.offsets, frame.heads, strict=True):
                if item.length:
                    places.setdefault(item.entry.path, Place(len(frames), offset))
                elif item.entry.path in content.entries:
                    spots[item.entry.path] = Place(len(frames), offset)
                if head is not None:
                    heads.setdefault(item.entry.path, head)
            state.update(frame.raw)
            blob.write(frame.packed)
            frames.append(packed(len(frame.raw), frame.packed))
    stored = StoredLayer(
        Descriptor(LAYER, blob.digest, blob.size),
        f"sha256:{state.hexdigest()}",
        tuple(frames),
        places,
        spots,
        heads,
        content,
    )
    remember(layout, stored)
    note(layout, content.key, {"layer": blob.digest})
    return stored


def recall(layout: Layout, key: str) -> StoredLayer | None:
    """What is known about a layer, by the key of its content or its own digest in hexadecimal; if it is still in the store."""
    found = recollect(layout, key)
    return found if found is not None and layout.blobs.has(found.blob.digest, found.blob.size) else None


def recollect(layout: Layout, key: str) -> StoredLayer | None:
    """What is known about a layer, though it may be gone."""
    with suppress(OSError, ValueError, KeyError, TypeError, IndexError):
        facts = noted(layout, key)
        if "layer" in facts:
            facts = noted(layout, str(facts["layer"]).removeprefix("sha256:"))
        return layer_of(facts)
    return None


def noted(layout: Layout, name: str) -> Mapping[str, Any]:
    """A file below ``known``."""
    facts: Mapping[str, Any] = json.loads(unpacked((layout.known / name).read_bytes(), limit=KNOWN_LIMIT))
    return facts


def layer_of(facts: Mapping[str, Any]) -> StoredLayer:
    """A layer from what was kept of it."""
    held = [of_row(row) for row in facts["entries"]]
    owners = {row[0]: row[COLUMNS] for row in facts["entries"] if len(row) > COLUMNS}
    return StoredLayer(
        Descriptor(LAYER, facts["digest"], facts["size"]),
        facts["diff_id"],
        tuple(Packed(raw, size, digest) for raw, size, digest in facts["frames"]),
        {path: Place(frame, offset) for path, frame, offset in facts["places"]},
        {path: Place(frame, offset) for path, frame, offset in facts["spots"]},
        {path: Head(block, digest) for path, block, digest in facts["heads"]},
        Content({entry.path: entry for entry in held}, tuple(of_row(row) for row in facts["above"]), owners),
    )


def remember(layout: Layout, layer: StoredLayer) -> None:
    """Keep what is known about a layer under its digest."""
    content = layer.content
    owned = [
        [*row, *filter(None, [content.owners.get(str(row[0]))])] for row in rows(content.entries.values())
    ]
    note(
        layout,
        layer.blob.digest.removeprefix("sha256:"),
        {
            "digest": layer.blob.digest,
            "size": layer.blob.size,
            "diff_id": layer.diff_id,
            "frames": layer.frames,
            "places": [[path, place.frame, place.offset] for path, place in layer.places.items()],
            "spots": [[path, place.frame, place.offset] for path, place in layer.spots.items()],
            "heads": [[path, head.block, head.digest] for path, head in layer.heads.items()],
            "entries": owned,
            "above": rows(content.above),
        },
    )


def note(layout: Layout, name: str, facts: Mapping[str, object]) -> None:
    """Write a file below ``known``; it saves time only, so it is durable when it happens to be."""
    with drafting(layout.known, door=layout.door) as draft:
        draft.write(
            zstandard.ZstdCompressor(level=1, write_checksum=True).compress(json.dumps(facts).encode())
        )
        draft.name = name
