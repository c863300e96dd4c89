"""Make damaged and missing objects of the store again, from what else there is.

A layer is packed again from the files that went into it; each is looked for by its digest in the layers of all images,
in the steps' layers of the build cache, and on kept disks. Literals and maps come from a kept disk; a container's manifest and
configuration from the tree's list. What comes out counts only if it has the digest that was lost.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from goldsmith.builder.find_content import Finder, Wherever, kept_disk
from goldsmith.builder.remake_map import maps_of
from goldsmith.effects.files import sha256_file
from goldsmith.errors import GoldsmithError
from goldsmith.model import oci
from goldsmith.model.diskmap import encode
from goldsmith.model.packed import LEVELS
from goldsmith.store.check import HARMLESS, Hurt, Problem, reach
from goldsmith.store.diskmap import areas, read_map, store_literals
from goldsmith.store.home import Home
from goldsmith.store.images import StoredImage, all_images, layout_of
from goldsmith.store.kept import only, whiteout
from goldsmith.store.layers import Content, Packed, StoredLayer, content_of, pack_layer, recall, recollect
from goldsmith.store.layout import DAMAGED, Layout
from goldsmith.store.listing import read_layer
from goldsmith.store.pack import Opener, Press, compress_as
from goldsmith.store.record import ImageFacts, Recorded, container_config, parts_of
from goldsmith.store.remake import keep, remake_disk, remake_evidence, remake_index, remake_list
from goldsmith.store.remote.recompress import LayerPacker
from goldsmith.store.tree import StoredTree, TreeIndex, read_index

JOBS = 2


@dataclass(frozen=True, slots=True)
class Mended:
    """What a repair has done."""

    done: frozenset[str] = frozenset()
    """Names of the problems that are none any more."""
    aside: tuple[str, ...] = ()
    """Digests of damaged objects that were put aside and could not be made again."""
    reasons: Mapping[str, str] = field(default_factory=dict)
    """By digest: why an object could not be made again."""


REASONS = {
    oci.LAYER: "a file of it is in no other layer, in no step of the build cache and on no kept disk",
    oci.DISK_LITERALS: "no disk of it is kept, and nothing else has these bytes",
    oci.DISK_MAP: "no disk of it is kept, in which the files could be found",
    oci.TREE_INDEX: "its container manifest or a layer is gone too, or the tree has what layers cannot hold",
    oci.CONFIG: "the list of its tree is gone too",
    oci.MANIFEST: "something that it names is gone too",
    oci.INDEX: "a manifest that it names is gone too, or it says what index.json does not repeat",
}
"""Why an object of a kind cannot be made again."""
OTHERWISE = "it came with the image, and nothing else says what was in it"


@dataclass(frozen=True, slots=True)
class Ground:
    """What there is to repair an image with."""

    layout: Layout
    image: StoredImage
    parts: Recorded
    index: TreeIndex
    finder: Finder
    disk: Path | None
    """The image's raw disk, if it is kept."""

    def open(self, path: str) -> BinaryIO:
        """A path's bytes, from wherever they are."""
        return self.finder.open(self.index.entries[path].sha256)


def mend(home: Home, problems: Sequence[Problem]) -> Mended:
    """Repair a store; what is good stays where it is, and a damaged object is put aside, never removed.

    Args:
        home: the data directory.
        problems: what ``check`` has found by reading everything.
    """
    layout = layout_of(home)
    hurt = [problem for problem in problems if problem.kind not in HARMLESS]
    if not hurt:
        return Mended()
    objects = {problem.name for problem in hurt if oci.DIGEST.fullmatch(problem.name)}
    with layout.used():
        aside = {digest for digest in sorted(objects) if put_aside(layout, digest)}
        finder = Finder(home)
        names = {name for problem in hurt for name in problem.images}
        for image in all_images(layout):
            if names & {image.own, f"{image.name}:{image.version}"}:
                mend_image(home, image, finder)
        layout.blobs.settle()
    if any(problem.kind is Hurt.CHANGED for problem in hurt):
        layout.rewrite()
    sound = {problem.name for problem in hurt if size_of(layout, problem.name) is not None}
    changed = {problem.name for problem in hurt if problem.kind is Hurt.CHANGED}
    kinds = {digest: item.media_type for digest, item in reach(layout).needed.items()}
    left = objects - sound
    reasons = {digest: REASONS.get(kinds.get(digest, ""), OTHERWISE) for digest in left}
    return Mended(frozenset(sound) | changed, tuple(sorted(aside & left)), reasons)


def size_of(layout: Layout, name: str) -> int | None:
    """Bytes of an object that is there and sound."""
    if not oci.DIGEST.fullmatch(name) or not layout.blobs.has(name):
        return None
    path = layout.blobs.path(name)
    return path.stat().st_size if sha256_file(path) == path.name else None


def put_aside(layout: Layout, digest: str) -> bool:
    """Move an object away that is not what its name says; looks once more before it does."""
    if not layout.blobs.has(digest) or size_of(layout, digest) is not None:
        return False
    target = Layout(layout.directory / DAMAGED).blobs.path(digest)
    target.parent.mkdir(parents=True, exist_ok=True)
    layout.door.rename(layout.blobs.path(digest), target)
    return True


def mend_image(home: Home, image: StoredImage, finder: Finder) -> None:
    """Store again whatever of an image can be made; objects that are there are not written again."""
    layout = layout_of(home)
    layout.blobs.put(oci.EMPTY_JSON, oci.EMPTY)
    for remake in (remake_index, remake_list, remake_disk, remake_evidence):
        with suppress(GoldsmithError, OSError, ValueError, StopIteration):
            remake(layout, image)
    with suppress(GoldsmithError):
        parts = parts_of(layout, image.index, image.own)
        index = read_index(layout, parts.tree_index.digest)
        ground = Ground(layout, image, parts, index, finder, kept_disk(home, image))
        for mender in (mend_container, mend_tree, mend_map, mend_literals):
            with suppress(GoldsmithError, OSError, ValueError):
                mender(ground)


def mend_container(ground: Ground) -> None:
    """The container image's configuration and manifest."""
    blobs, index = ground.layout.blobs, ground.index
    config = blobs.put(container_config(facts_of(ground.image), known_tree(ground)), oci.CONFIG)
    blobs.put(oci.manifest(config, [layer.blob for layer in index.layers]), oci.MANIFEST)


def mend_tree(ground: Ground) -> None:
    """Layers that are gone: from what is known of them, else from what the tree has of them, if that was all."""
    blobs = ground.layout.blobs
    for number, layer in enumerate(ground.index.layers):
        if blobs.has(layer.blob.digest, layer.blob.size):
            continue
        lost = recollect(ground.layout, layer.blob.digest.removeprefix("sha256:"))
        content = lost.content if lost else last_in_tree(ground) if layer.gone else None
        with suppress(GoldsmithError, OSError, ValueError):
            if content is None:
                blobs.take(frames_of(ground, number), layer.blob)
            else:
                press = as_packed(layer.frames)
                pack_layer(ground.layout, content, opened(ground, content), jobs=JOBS, press=press)


def frames_of(ground: Ground, number: int) -> Iterator[bytes]:
    """The frames of a layer, each from what the tree's list says of it."""
    packer = LayerPacker(ground.index, number, Wherever(ground.finder))
    for frame in range(len(ground.index.layers[number].frames)):
        data = packer.pack(frame)
        if data is None:
            raise ValueError(f"frame {frame} cannot be made")
        yield data


def as_packed(frames: Sequence[Packed]) -> Press:
    """Compresses frames as whoever made a layer did."""
    wanted = {frame.digest for frame in frames}
    return lambda _items, raw: compress_as(raw, wanted)


def last_in_tree(ground: Ground) -> Content:
    """What the last layer held, which hides paths of those below."""
    index = ground.index
    last = len(index.layers) - 1
    places = {**index.places, **index.spots}
    entries = [index.entries[path] for path, (where, _) in places.items() if where == last]
    return content_of([*entries, *map(whiteout, index.layers[last].gone)], index.entries, {})


def opened(ground: Ground, content: Content) -> Opener:
    """The bytes of a layer's paths, which need not be in the tree any more."""
    return lambda path: ground.finder.open(content.entries[path].sha256)


def heads_of(ground: Ground, number: int) -> StoredLayer:
    """What is known of a layer that is there, as far as the tree has it."""
    blob = ground.index.layers[number].blob
    layer = recall(ground.layout, blob.digest.removeprefix("sha256:")) or read_layer(ground.layout, blob)
    return only(layer, {path for path, (where, _) in ground.index.places.items() if where == number})


def mend_map(ground: Ground) -> None:
    """The disk's map, from a kept disk."""
    lost = ground.parts.disk_map
    if ground.disk is None or ground.layout.blobs.has(lost.digest, lost.size):
        return

    def layers() -> Iterator[StoredLayer]:
        return (heads_of(ground, number) for number in range(len(ground.index.layers) - 1))

    for found in maps_of(ground.disk, facts_of(ground.image), ground.index, layers, ground.open):
        for level in LEVELS:
            if keep(ground.layout, lost, encode(found, ground.index.entries.values(), level=level)):
                return


def mend_literals(ground: Ground) -> None:
    """What of the disk comes from no file, from a kept disk."""
    blobs = ground.layout.blobs
    if ground.disk is None or all(blobs.has(blob.digest, blob.size) for blob in ground.parts.literals):
        return
    found = read_map(ground.layout, ground.parts.disk_map.digest, ground.index)
    with ground.disk.open("rb", buffering=0) as stream:
        for lost, area in zip(ground.parts.literals, areas(found), strict=True):
            for level in LEVELS:
                if not blobs.has(lost.digest, lost.size):
                    store_literals(ground.layout, stream.fileno(), area, level=level, only=lost.digest)


def known_tree(ground: Ground) -> StoredTree:
    """The tree as its list tells it."""
    index = ground.index
    layers = tuple(StoredLayer(layer.blob, layer.diff_id, layer.frames, {}) for layer in index.layers)
    return StoredTree(layers, ground.parts.tree_index, len(index.entries), 0)


def facts_of(image: StoredImage) -> ImageFacts:
    """What the store's index says of an image."""
    facts = image.facts
    time = datetime.fromisoformat(str(facts.get("created") or "1970-01-01T00:00:00Z"))
    return ImageFacts(
        image.name,
        image.version,
        str(facts.get("architecture") or ""),
        int(time.timestamp()),
        str(facts.get("tree_digest") or ""),
        str(facts.get("disk_digest") or ""),
    )
