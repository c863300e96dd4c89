"""Record an image: tree, disk map, manifests and, last of all, its name; and find all of it again.

``name:version`` is an OCI index of two manifests: the container image first, for every container tool; then the disk,
without a platform, with the tree index, the disk map and the literals as its layers.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from goldsmith.errors import GoldsmithError, IntegrityError, UsageError
from goldsmith.model import oci
from goldsmith.model.canonical import canonical, digest
from goldsmith.model.diskmap import Run
from goldsmith.model.oci import Descriptor
from goldsmith.model.tree import TreeEntry
from goldsmith.store import notes
from goldsmith.store.diskmap import StoredMap, store_map
from goldsmith.store.layout import Layout
from goldsmith.store.pack import Opener
from goldsmith.store.tree import StoredTree, store_tree

IDENTITIES = (notes.TREE, notes.DISK, notes.DISK_SHA256, notes.DISK_SIZE)
"""The annotations that say which tree and which disk it is."""


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What is known about an image before it is recorded."""

    name: str
    """Its name."""
    version: str
    """Its version."""
    architecture: str
    """As Debian names it, which for amd64 and arm64 is as Go does."""
    epoch: int
    """The time that the build gave to what it touched, in seconds since 1970."""
    tree_digest: str
    """The tree's identity."""
    disk_digest: str
    """The disk's identity."""
    disk_sha256: str = ""
    """Of the plain raw disk, in hexadecimal, where it was computed."""
    digest: str = ""
    """The image's identity: of its name, version, tree and disk, however they are packed."""
    description: str = ""
    """What it is for, in a person's words."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """What its recipe says of it, by name."""
    notes: Mapping[str, str] = field(default_factory=dict)
    """Further annotations of the index, by their whole names."""

    @property
    def reference(self) -> str:
        """``NAME:VERSION``."""
        return f"{self.name}:{self.version}"


@dataclass(frozen=True, slots=True)
class Recorded:
    """The digests of a recorded image."""

    index: Descriptor
    """The whole image."""
    container: Descriptor
    """The container image."""
    disk: Descriptor
    """The disk's manifest."""
    tree_index: Descriptor
    """The list of the tree."""
    disk_map: Descriptor
    """How the disk comes from the tree."""
    literals: tuple[Descriptor, ...]
    """What of the disk comes from no file."""

    @property
    def lists(self) -> tuple[Descriptor, ...]:
        """All that is neither a manifest nor a layer."""
        return (self.tree_index, self.disk_map, *self.literals)


def store_image(
    layout: Layout,
    facts: ImageFacts,
    entries: Mapping[str, TreeEntry],
    open_file: Opener,
    raw: Path,
    *,
    owners: Mapping[str, str],
    cuts: Sequence[int] = (),
    runs: Sequence[Run] | None = None,
    jobs: int = 2,
) -> Recorded:
    """Store all objects of an image; what names it is left to the caller.

    Args:
        layout: the store, which must be ``used`` until the image has a name.
        facts: name, version and identities.
        entries: the tree by path.
        open_file: a path's bytes; called from several threads.
        raw: the finished disk.
        owners: the package of each path that has one.
        cuts: bytes of the disk where partitions begin.
        runs: how the disk comes from the tree, if that is known; else it is found by reading the disk.
        jobs: how many threads compress.

    Raises:
        IntegrityError: a file is not what its entry says.
        UsageError: the name cannot be one, or a path is of a kind that cannot be stored.
        NoSpace: the store's file system is full.
    """
    before = layers_before(layout, [facts.name, facts.notes.get(notes.BASE_NAME, "")], facts.tree_digest)
    tree = store_tree(layout, entries, open_file, owners=owners, epoch=facts.epoch, before=before, jobs=jobs)
    disk_map = store_map(
        layout,
        raw,
        entries,
        tree.layers,
        open_file,
        disk_digest=facts.disk_digest,
        tree_digest=facts.tree_digest,
        cuts=cuts,
        runs=runs,
    )
    return store_manifests(layout, facts, tree, disk_map)


def layers_before(layout: Layout, names: Sequence[str], tree_digest: str) -> tuple[Descriptor, ...]:
    """The layers of the image that a new one is likely to share most with; none if there is no such image.

    Args:
        layout: the store.
        names: names or references of images, the likeliest first. Of a name the image counts that was recorded last, or
            the one that has the very same tree.
        tree_digest: the new tree's identity.
    """
    for name in filter(None, names):
        refs = layout.refs(name.partition(":")[0])
        images = [refs[name]] if name in refs else [item for item in refs.values() if item.note(notes.TREE)]
        same = [item for item in images if item.note(notes.TREE) == tree_digest]
        if images:
            with suppress(GoldsmithError):
                container = parts_of(layout, (same or images)[-1], name).container
                return layout.children(container.digest)[1:]
            return ()
    return ()


def store_manifests(layout: Layout, facts: ImageFacts, tree: StoredTree, disk_map: StoredMap) -> Recorded:
    """Store everything between the layers and the name."""
    config = layout.blobs.put(container_config(facts, tree), oci.CONFIG)
    layers = [layer.blob for layer in tree.layers]
    container = layout.blobs.put(oci.manifest(config, layers), oci.MANIFEST)
    layout.blobs.put(oci.EMPTY_JSON, oci.EMPTY)
    size = disk_map.map.size
    told = annotations_of(facts, size, tree)
    disk = layout.blobs.put(disk_manifest(tree.index, disk_map.blob, disk_map.literals, told), oci.MANIFEST)
    container = replace(container, platform=("linux", facts.architecture))
    disk = replace(disk, artifact_type=oci.DISK)
    index = layout.blobs.put(image_index(container, disk, facts.architecture, told), oci.INDEX)
    return Recorded(index, container, disk, tree.index, disk_map.blob, disk_map.literals)


def disk_manifest(
    tree: Descriptor, disk_map: Descriptor, literals: Sequence[Descriptor], told: Mapping[str, str]
) -> bytes:
    """The bytes of a disk's manifest; of what is ``told`` of the image it repeats which tree and which disk it is."""
    empty = Descriptor(oci.EMPTY, oci.digest_of(oci.EMPTY_JSON), len(oci.EMPTY_JSON))
    same = {name: told[name] for name in IDENTITIES if name in told}
    return oci.manifest(empty, [tree, disk_map, *literals], artifact_type=oci.DISK, annotations=same)


def image_index(container: Descriptor, disk: Descriptor, architecture: str, told: Mapping[str, str]) -> bytes:
    """The bytes of what stands for a whole image."""
    listed = [replace(container, platform=("linux", architecture)), replace(disk, artifact_type=oci.DISK)]
    return oci.index(listed, annotations=told)


def annotations_of(facts: ImageFacts, disk_size: int, tree: StoredTree) -> dict[str, str]:
    """The annotations of the whole image; they say nothing of when or how it was built."""
    found = {
        **facts.notes,
        notes.TREE: facts.tree_digest,
        notes.DISK: facts.disk_digest,
        notes.DISK_SHA256: facts.disk_sha256,
        notes.DISK_SIZE: str(disk_size),
        notes.TITLE: facts.name,
        notes.VERSION: facts.version,
        notes.DESCRIPTION: facts.description,
        notes.TREE_SIZE: str(tree.size),
        notes.TREE_ENTRIES: str(tree.entries),
        notes.CREATED: created(facts.epoch),
        notes.ARCHITECTURE: facts.architecture,
        notes.DIGEST: facts.digest,
        notes.LABELS: canonical(facts.labels).decode() if facts.labels else "",
    }
    return {name: value for name, value in found.items() if value}


def identity_of(facts: ImageFacts) -> str:
    """An image's identity: a digest of what it is, which covers no packing and no circumstance."""
    return digest(
        {
            "name": facts.name,
            "version": facts.version,
            "architecture": facts.architecture,
            "description": facts.description,
            "labels": facts.labels,
            "tree_digest": facts.tree_digest,
            "disk_digest": facts.disk_digest,
        }
    )


def created(epoch: int) -> str:
    """A time as OCI writes it."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def container_config(facts: ImageFacts, tree: StoredTree) -> bytes:
    """The configuration of the container image: a shell, as a base image has it."""
    return canonical(
        {
            "created": created(facts.epoch),
            "architecture": facts.architecture,
            "os": "linux",
            "config": {
                "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
                "Cmd": ["/bin/sh"],
            },
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in tree.layers]},
        }
    )


def parts_of(layout: Layout, index: Descriptor, reference: str) -> Recorded:
    """Find the parts of a recorded image by the object that stands for it; ``reference`` is for messages.

    Raises:
        UsageError: it is not one that goldsmith made.
        IntegrityError: a manifest is missing or damaged.
    """
    disk = None
    container = None
    if index.media_type == oci.INDEX:
        for child in layout.children(index.digest):
            # Older tools drop the artifact type from an index that they copy; the manifest itself keeps it.
            if is_disk(layout, child):
                disk = replace(child, artifact_type=oci.DISK)
            elif container is None:
                container = child
    if disk is None or container is None:
        raise UsageError(
            f"{reference!r} in {layout.directory} is a container image without a disk",
            hint="name an image that goldsmith has built, or import this one first",
        )
    _, *layers = layout.children(disk.digest)
    kinds = [layer.media_type for layer in layers]
    if kinds[:2] != [oci.TREE_INDEX, oci.DISK_MAP] or set(kinds[2:]) != {oci.DISK_LITERALS}:
        raise IntegrityError(
            f"the disk manifest {disk.digest} of {reference!r} lists {', '.join(kinds) or 'nothing'}",
            hint="it was made by another version of goldsmith, or damaged; build or fetch the image again",
        )
    index = replace(index, annotations=())
    return Recorded(index, container, disk, layers[0], layers[1], tuple(layers[2:]))


def is_disk(layout: Layout, child: Descriptor) -> bool:
    """Whether a manifest is a disk's; it is read only where its descriptor leaves that open."""
    if child.artifact_type or child.platform or child.media_type != oci.MANIFEST:
        return child.artifact_type == oci.DISK
    return layout.read(child.digest).get("artifactType") == oci.DISK
