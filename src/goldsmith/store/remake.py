"""Objects that only say what others are, made again from those: an image's index, its disk's manifest, the list of its tree.

What comes out counts only if it has the digest that was lost; so what is searched for may be guessed.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice, product
from pathlib import Path

import zstandard

from goldsmith.errors import GoldsmithError
from goldsmith.model import diskmap, oci
from goldsmith.model.oci import Descriptor
from goldsmith.model.packed import LEVELS
from goldsmith.model.tree import TreeEntry, tree_digest
from goldsmith.store import notes
from goldsmith.store.check import reach
from goldsmith.store.diskmap import areas
from goldsmith.store.images import StoredImage
from goldsmith.store.kept import hidden, only
from goldsmith.store.layers import StoredLayer, recall
from goldsmith.store.layout import OURS, Layout
from goldsmith.store.listing import read_layer
from goldsmith.store.record import disk_manifest, image_index, is_disk, parts_of
from goldsmith.store.tree import TreeIndex, decode, encode

LARGEST_MANIFEST = 1 << 20
LARGEST_LIST = 64 << 20
TRIES = 100_000
"""How many ways of putting parts together are tried."""


def remake_index(layout: Layout, image: StoredImage) -> None:
    """The index of an image, from its two manifests and what ``index.json`` says of it."""
    told = dict(image.entry.annotations)
    annotations = {name: value for name, value in told.items() if name not in OURS}
    if layout.blobs.has(image.index.digest, image.index.size) or notes.DISK not in told:
        return
    disks, containers = [], []
    for item, value in manifests(layout):
        said = value.get("annotations") or {}
        if value.get("artifactType") == oci.DISK and isinstance(said, Mapping):
            disks += [item] if said.get(notes.DISK) == told[notes.DISK] else []
        elif not value.get("artifactType"):
            containers.append(item)
    for container, disk in islice(product(containers, disks), TRIES):
        data = image_index(container, disk, told.get(notes.ARCHITECTURE, ""), annotations)
        if keep(layout, image.index, data):
            return


def remake_list(layout: Layout, image: StoredImage) -> None:
    """The list of a tree, from its layers."""
    wanted = lost_list(layout, image)
    if wanted is not None and layout.blobs.has(wanted.digest, wanted.size):
        return
    for container in layout.children(image.index.digest):
        if not is_disk(layout, container):
            _, *blobs = layout.children(container.digest)
            layers = [known(layout, blob, top=blob is blobs[-1]) for blob in blobs]
            entries, lives = tree_of(layers)
            if tree_digest(entries.values()) == image.entry.note(notes.TREE):
                shown = [only(layer, live) for layer, live in zip(layers, lives, strict=True)]
                for level in LEVELS:
                    data = encode(entries.values(), shown, level=level)
                    if wanted is None:  # its disk's manifest is lost too, and made of what there is
                        layout.blobs.put(data, oci.TREE_INDEX)
                    elif keep(layout, wanted, data):
                        break
            return


def lost_list(layout: Layout, image: StoredImage) -> Descriptor | None:
    """The list of an image's tree, if the disk's manifest is there, which names it."""
    with suppress(GoldsmithError):
        return parts_of(layout, image.index, image.own).tree_index
    return None


def remake_disk(layout: Layout, image: StoredImage) -> None:
    """The manifest of a disk, from the objects that it may have named."""
    children = layout.children(image.index.digest)
    lost = next(item for item in children if item.artifact_type == oci.DISK)
    container = next(item for item in children if item.artifact_type != oci.DISK)
    if layout.blobs.has(lost.digest, lost.size):
        return
    layers = [blob.digest for blob in layout.children(container.digest)[1:]]
    there = list(unnamed(layout))
    lists = [
        (Descriptor(oci.TREE_INDEX, digest, size), index)
        for digest, size in there
        if (index := as_list(layout, digest)) and [layer.blob.digest for layer in index.layers] == layers
    ]
    for tree, index in lists:
        for digest, size in there:
            found = as_map(layout, digest, index)
            if found is not None and found.disk_digest == image.entry.note(notes.DISK):
                disk_map = Descriptor(oci.DISK_MAP, digest, size)
                lengths = [sum(length for _, length in area) for area in areas(found)]
                choices = literals_of(layout, there, lengths)
                for literals in islice(product(*choices), TRIES):
                    data = disk_manifest(tree, disk_map, literals, dict(image.entry.annotations))
                    if keep(layout, lost, data):
                        return


def remake_evidence(layout: Layout, image: StoredImage) -> None:
    """Manifests of documents about an image, each from the document."""
    listed = [item for item in layout.entries() if item.note(notes.SUBJECT) == image.index.digest]
    empty = Descriptor(oci.EMPTY, oci.digest_of(oci.EMPTY_JSON), len(oci.EMPTY_JSON))
    for lost in listed:
        if lost.artifact_type and not layout.blobs.has(lost.digest, lost.size):
            for path in small(layout, LARGEST_MANIFEST):
                blob = Descriptor(lost.artifact_type, f"sha256:{path.name}", path.stat().st_size)
                data = oci.manifest(
                    empty,
                    [blob],
                    artifact_type=lost.artifact_type,
                    subject=replace(image.index, annotations=()),
                )
                if keep(layout, lost, data):
                    break


def keep(layout: Layout, lost: Descriptor, data: bytes) -> bool:
    """Store bytes if they are the ones that were lost."""
    if len(data) != lost.size or oci.digest_of(data) != lost.digest:
        return False
    layout.blobs.put(data, lost.media_type)
    return True


def manifests(layout: Layout) -> Iterator[tuple[Descriptor, Mapping[str, object]]]:
    """All objects that are manifests, whether something names them or not."""
    for path in small(layout, LARGEST_MANIFEST):
        data = path.read_bytes()
        if data.startswith(b"{"):
            with suppress(ValueError, RecursionError):
                value = json.loads(data)
                if value.get("mediaType") == oci.MANIFEST:
                    yield Descriptor(oci.MANIFEST, f"sha256:{path.name}", len(data)), value


def small(layout: Layout, limit: int) -> Iterator[Path]:
    """Objects of a size, in the order of their names."""
    named = (path for path in layout.blobs.all() if oci.DIGEST.fullmatch(f"sha256:{path.name}"))
    yield from sorted(path for path in named if path.stat().st_size <= limit)


def unnamed(layout: Layout) -> Iterator[tuple[str, int]]:
    """Digest and size of objects that may be lists, maps or literals: they are compressed, and no layers."""
    kinds = {digest: item.media_type for digest, item in reach(layout).needed.items()}
    for path in small(layout, LARGEST_LIST):
        digest = f"sha256:{path.name}"
        if kinds.get(digest) != oci.LAYER:
            with path.open("rb") as stream:
                if stream.read(4) == zstandard.FRAME_HEADER:
                    yield digest, path.stat().st_size


def as_list(layout: Layout, digest: str) -> TreeIndex | None:
    """An object as the list of a tree, if it is one."""
    with suppress(ValueError, GoldsmithError):
        return decode(layout.blobs.read(digest))
    return None


def as_map(layout: Layout, digest: str, index: TreeIndex) -> diskmap.DiskMap | None:
    """An object as a map of a tree's disk, if it is one."""
    with suppress(ValueError, GoldsmithError):
        return diskmap.decode(layout.blobs.read(digest), index.entries)
    return None


def literals_of(
    layout: Layout, there: Sequence[tuple[str, int]], lengths: Sequence[int]
) -> list[list[Descriptor]]:
    """For each area the objects that have as many bytes unpacked."""
    found: dict[int, list[Descriptor]] = {length: [] for length in lengths}
    for digest, size in there:
        with suppress(zstandard.ZstdError), layout.blobs.open(digest) as stream:
            reader = zstandard.ZstdDecompressor().stream_reader(stream)
            length, limit = 0, max(lengths) + 1
            while length < limit and (data := reader.read(1 << 20)):
                length += len(data)
            if length in found:
                found[length].append(Descriptor(oci.DISK_LITERALS, digest, size))
    return [found[length] for length in lengths]


def known(layout: Layout, blob: Descriptor, *, top: bool) -> StoredLayer:
    """What is in a layer; ``top`` if it is the one with all directories.

    Raises:
        ValueError, IntegrityError: it cannot be found out.
    """
    return recall(layout, blob.digest.removeprefix("sha256:")) or read_layer(layout, blob, top=top)


def tree_of(layers: Sequence[StoredLayer]) -> tuple[dict[str, TreeEntry], list[set[str]]]:
    """The tree that layers make, and the paths that each has of it; all directories are in the last one."""
    *below, top = [layer.content.entries for layer in layers]
    gone = set(hidden(top))
    entries = {path: entry for path, entry in top.items() if entry.kind == "dir"}
    lives = [set(entries)]
    for layer in reversed(below):
        there = {
            path
            for path in layer
            if path not in entries
            and path not in gone
            and ((above := path.rpartition("/")[0]) == "" or above in lives[-1])
        }
        entries |= {path: layer[path] for path in there}
        lives.insert(0, there)
    return dict(sorted(entries.items())), lives
