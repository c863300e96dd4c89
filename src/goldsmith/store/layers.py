"""Layers in the store: written once, and known again by the digest of what is in them."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import zstandard

from goldsmith.effects.drafts import drafting
from goldsmith.model.oci import LAYER, Descriptor
from goldsmith.model.packed import unpacked
from goldsmith.model.tree import TreeEntry, tree_digest
from goldsmith.store import pack
from goldsmith.store.layout import Layout
from goldsmith.store.pack import Head, Opener

FORMAT = f"goldsmith layer 2 {pack.LARGE} {pack.SHARED} {pack.APART} {pack.CUT} {pack.LEVEL}\n"
"""Part of every key: another way of packing makes other layers of the same entries."""
KNOWN_LIMIT = 1 << 30


class Packed(NamedTuple):
    """A frame of a layer as it lies there; in JSON a list of three."""

    raw: int
    """Bytes of archive in it."""
    size: int
    """Its own bytes."""
    digest: str
    """By what it is known in other layers: the first 16 hexadecimal digits of the SHA-256 of its own bytes."""


def packed(raw: int, data: bytes) -> Packed:
    """What is known of a frame, from its bytes."""
    return Packed(raw, len(data), hashlib.sha256(data).hexdigest()[:16])


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file's bytes begin in a layer."""

    frame: int
    """The frame's number."""
    offset: int
    """Bytes before it in the frame, uncompressed."""


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


def layer_key(entries: Sequence[TreeEntry], above: Sequence[TreeEntry], owners: Mapping[str, str]) -> str:
    """What decides a layer's bytes, as a digest in hexadecimal."""
    text = FORMAT + tree_digest(entries) + tree_digest(replace(entry, mtime=0) for entry in above)
    owned = sorted((entry.path, owners.get(entry.path, "")) for entry in entries)
    text += hashlib.sha256(json.dumps(owned).encode()).hexdigest()
    return hashlib.sha256(text.encode()).hexdigest()


def store_layer(
    layout: Layout,
    entries: Sequence[TreeEntry],
    tree: Mapping[str, TreeEntry],
    owners: Mapping[str, str],
    open_file: Opener,
    *,
    jobs: int,
) -> StoredLayer:
    """Store a layer, if it is not known already.

    Args:
        layout: the store, which must be ``used``.
        entries: what is in the layer.
        tree: the whole tree, for the directories above.
        owners: who each path belongs to, by which a layer is ordered.
        open_file: a path's bytes.
        jobs: how many threads compress.

    Raises:
        IntegrityError: a file is not what its entry says.
        NoSpace: the store's file system is full.
    """
    above = pack.parents(entries, tree)
    inside = {entry.path for entry in entries}
    above = tuple(entry for entry in above if entry.path not in inside)
    key = layer_key(entries, above, owners)
    known = recall(layout, key)
    if known is not None:
        return known
    state = hashlib.sha256()
    frames: list[Packed] = []
    places: dict[str, Place] = {}
    spots: dict[str, Place] = {}
    heads: dict[str, Head] = {}
    with layout.blobs.growing() as blob:
        for frame in pack.frames(entries, above, owners, open_file, jobs=jobs):
            for item, offset, head in zip(frame.items, frame.offsets, frame.heads, strict=True):
                if item.length:
                    places.setdefault(item.entry.path, Place(len(frames), offset))
                elif item.entry.path in inside:
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
    )
    remember(layout, key, stored)
    return stored


def recall(layout: Layout, key: str) -> StoredLayer | None:
    """What is known about a layer, if it is still in the store."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        data = (layout.known / key).read_bytes()
        facts = json.loads(unpacked(data, limit=KNOWN_LIMIT))
        blob = Descriptor(LAYER, facts["digest"], facts["size"])
        if layout.blobs.has(blob.digest, blob.size):
            return StoredLayer(
                blob,
                facts["diff_id"],
                tuple(Packed(raw, size, digest) for raw, size, digest in facts["frames"]),
                {path: Place(frame, offset) for path, frame, offset in facts["places"]},
                {path: Place(frame, offset) for path, frame, offset in facts["spots"]},
                {path: Head(block, digest) for path, block, digest in facts["heads"]},
            )
    return None


def remember(layout: Layout, key: str, layer: StoredLayer) -> None:
    """Keep what is known about a layer; it saves time only, so it is durable when it happens to be."""
    facts = {
        "digest": layer.blob.digest,
        "size": layer.blob.size,
        "diff_id": layer.diff_id,
        "frames": layer.frames,
        "places": [[path, place.frame, place.offset] for path, place in layer.places.items()],
        "spots": [[path, place.frame, place.offset] for path, place in layer.spots.items()],
        "heads": [[path, head.block, head.digest] for path, head in layer.heads.items()],
    }
    with drafting(layout.known, door=layout.door) as draft:
        draft.write(
            zstandard.ZstdCompressor(level=1, write_checksum=True).compress(json.dumps(facts).encode())
        )
        draft.name = key
