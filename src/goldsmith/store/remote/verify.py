"""An image that came from outside: do its parts belong together? Its disk is rebuilt and compared elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass

import zstandard

from goldsmith.errors import IntegrityError
from goldsmith.model import oci
from goldsmith.model.diskmap import DiskMap
from goldsmith.model.oci import Descriptor
from goldsmith.model.tree import tree_digest
from goldsmith.store import notes
from goldsmith.store.blobs import wrong
from goldsmith.store.diskmap import read_map
from goldsmith.store.layout import Layout
from goldsmith.store.record import ImageFacts, Recorded, identity_of, parts_of
from goldsmith.store.remote.manifests import Family
from goldsmith.store.tree import TreeIndex, read_index, size_of

BOMB = 64
"""Bytes of a list for each of its bytes compressed, at most; honest ones have 3 to 10."""
ALLOWED = 1 << 20
"""Bytes that are allowed however well they are compressed."""


@dataclass(frozen=True, slots=True)
class Verified:
    """An image with a disk whose parts belong together."""

    parts: Recorded
    index: TreeIndex
    disk_map: DiskMap


def is_disk(found: Family) -> bool:
    """Whether an image says that it has a disk."""
    return any(manifest.artifact_type == oci.DISK for manifest in found.manifests)


def verify(layout: Layout, found: Family, name: str) -> Verified | None:
    """Compare what an image's parts say of each other; None for a container image without a disk.

    Args:
        layout: the store that has all its objects.
        found: the image.
        name: for messages.

    Raises:
        IntegrityError: they do not belong together, or one is no part of an image.
    """
    if not is_disk(found):
        return None
    parts = parts_of(layout, found.root.item, name)
    for blob in (parts.tree_index, parts.disk_map):
        refuse_bomb(layout, blob)
    index = read_index(layout, parts.tree_index.digest)
    disk_map = read_map(layout, parts.disk_map.digest, index)
    told = _notes(layout, parts.index.digest)
    of_disk = _notes(layout, parts.disk.digest)
    tree = tree_digest(index.entries.values())
    size, paths = str(size_of(index.entries)), str(len(index.entries))
    config, *layers = layout.children(parts.container.digest)
    ids = _diff_ids(layout, config)
    for what, one, other in (
        ("the tree's digest in the disk map", disk_map.tree_digest, tree),
        ("the tree's digest in the disk's manifest", of_disk.get(notes.TREE), tree),
        ("the tree's digest of the image", told.get(notes.TREE, tree), tree),
        ("the disk's digest in the disk's manifest", of_disk.get(notes.DISK), disk_map.disk_digest),
        ("the disk's digest of the image", told.get(notes.DISK), disk_map.disk_digest),
        ("the disk's size of the image", told.get(notes.DISK_SIZE, str(disk_map.size)), str(disk_map.size)),
        ("the tree's size", told.get(notes.TREE_SIZE, size), size),
        ("the tree's paths", told.get(notes.TREE_ENTRIES, paths), paths),
        ("the layers", [x.blob.digest for x in index.layers], [layer.digest for layer in layers]),
        ("the layers' contents", [x.diff_id for x in index.layers], ids),
        ("the identity", told.get(notes.DIGEST, ""), _identity(told, tree, disk_map.disk_digest)),
    ):
        if one != other:
            raise IntegrityError(
                f"the parts of image {name} do not belong together: {what} is {one!s:.200} instead of {other!s:.200}",
                hint="whoever made it must make it again; it is not kept",
            )
    if not oci.DIGEST.fullmatch(disk_map.disk_digest):
        raise wrong(parts.disk_map.digest, f"it names the disk {disk_map.disk_digest!r:.80}")
    return Verified(parts, index, disk_map)


def refuse_bomb(layout: Layout, blob: Descriptor) -> None:
    """Refuse a list that would be far larger than what was sent.

    Raises:
        IntegrityError: it would be.
    """
    with layout.blobs.open(blob.digest) as stream:
        head = stream.read(64)
    try:
        size = zstandard.frame_content_size(head)
    except zstandard.ZstdError as error:
        raise wrong(blob.digest, f"it is no zstd frame ({error})") from error
    if size > ALLOWED + BOMB * blob.size:
        raise wrong(blob.digest, f"its {blob.size} bytes would become {size}")


def _notes(layout: Layout, digest: str) -> Mapping[str, str]:
    found = layout.read(digest).get("annotations") or {}
    return {str(name): str(value) for name, value in found.items()} if isinstance(found, Mapping) else {}


def _diff_ids(layout: Layout, config: Descriptor) -> object:
    root = layout.read(config.digest).get("rootfs")
    return root.get("diff_ids") if isinstance(root, Mapping) else None


def _identity(told: Mapping[str, str], tree: str, disk: str) -> str:
    """What an image's identity must be; empty for one that says none."""
    if notes.DIGEST not in told:
        return ""
    labels = notes.labels(told.get(notes.LABELS, "{}"))
    if labels is None:
        return "none, for its labels are no JSON object of texts"
    facts = ImageFacts(
        told.get(notes.TITLE, ""),
        told.get(notes.VERSION, ""),
        told.get(notes.ARCHITECTURE, ""),
        0,
        tree,
        disk,
        description=told.get(notes.DESCRIPTION, ""),
        labels=labels,
    )
    return identity_of(facts)
