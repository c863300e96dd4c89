"""All objects of an image into a store: small ones first, then layers out of what is here already, then manifests."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial

from goldsmith.effects.access import Progress
from goldsmith.effects.client import Client
from goldsmith.effects.crew import all_of
from goldsmith.effects.files import free_bytes, sha256_file
from goldsmith.effects.part import Refused
from goldsmith.errors import GoldsmithError, IntegrityError, NoSpace
from goldsmith.model import oci
from goldsmith.model.oci import Descriptor
from goldsmith.store.layout import Layout
from goldsmith.store.record import parts_of
from goldsmith.store.remote.fetch import Fetcher
from goldsmith.store.remote.frames import CONTENTS, known_frames, known_trees, relatives
from goldsmith.store.remote.manifests import Family, Manifest, family
from goldsmith.store.remote.meter import Meter
from goldsmith.store.remote.patch_receiver import Objects, Patcher, is_patches, read_lists
from goldsmith.store.remote.patches import short
from goldsmith.store.remote.recompress import Contents, LayerPacker
from goldsmith.store.remote.source import Source
from goldsmith.store.remote.trying import failed
from goldsmith.store.remote.verify import refuse_bomb
from goldsmith.store.tree import TreeIndex, read_index

LARGEST_LIST = 64 << 20
"""Bytes of a tree index or a disk map, at most."""
REFERRERS = 200
"""Manifests that say something about one object, at most."""


@dataclass(frozen=True, slots=True)
class Brought:
    """What a store has now."""

    family: Family
    """The image."""
    referrers: tuple[Manifest, ...]
    """What is said about it."""
    meter: Meter
    """What of its objects came, and what was there in other objects."""
    total: int
    """Bytes of all objects, manifests too."""
    fresh: bool
    """Whether nothing of it was in the store before."""


@contextmanager
def refusals(what: str) -> Iterator[None]:
    """Turn what a server refuses into an error for a person."""
    try:
        yield
    except Refused as error:
        raise failed(what, error) from error


def bring(
    layout: Layout,
    source: Source,
    client: Client,
    *,
    name: str,
    jobs: int,
    progress: Progress,
    mend: bool = False,
    keep_patches: bool = False,
) -> Brought:
    """Bring an image's objects into a store, which must be ``used``; they have no name there yet.

    Args:
        layout: the store.
        source: where the image is.
        client: what ends all that runs, and says how often something is tried.
        name: the image's name; what the store has of it is not fetched again.
        jobs: how many objects at a time.
        progress: is told of bytes.
        mend: read all objects that are here already, and replace those that are damaged.
        keep_patches: bring what makes this image from another too, for others to take from here.

    Raises:
        UsageError: there is no such image.
        NetworkError: the place does not answer as it should.
        IntegrityError: something is not what its digest says.
        NoSpace: the store's file system is too small.
    """
    with refusals("cannot read the image"):
        item, data = source.root()
        found = family(source, item, data)
        said = referrers(source, found)
    told = [one for one in said if keep_patches or not is_patches(one)]
    blobs = {blob.digest: blob for one in (found, *told) for blob in one.blobs}
    here = {digest for digest, blob in blobs.items() if layout.blobs.has(digest, blob.size)}
    damaged = frozenset(digest for digest in here if mend and is_damaged(layout, digest))
    missing = [blob for digest, blob in blobs.items() if digest not in here - damaged]
    size = sum(blob.size for blob in missing)
    check_space(layout, size)
    meter = Meter(size, progress)
    fetch = Fetcher(layout, source, client, meter, damaged)
    small = [blob for blob in missing if blob.media_type != oci.LAYER]
    patcher = patcher_of(fetch, said, name) if missing else None
    all_of([partial(fetch.small, blob, patcher) for blob in small], jobs=jobs, stop=client.stop)
    large = sorted((blob for blob in missing if blob.media_type == oci.LAYER), key=lambda blob: -blob.size)
    all_of(layer_tasks(fetch, found, large, name, patcher), jobs=jobs, stop=client.stop)
    layout.blobs.settle()
    manifests = tuple(manifest for one in told for manifest in one.manifests)
    for manifest in (*found.manifests, *manifests):
        layout.blobs.put(manifest.data, manifest.item.media_type)
    total = sum(blob.size for blob in blobs.values()) + sum(
        len(x.data) for x in (*found.manifests, *manifests)
    )
    return Brought(found, tuple(one.root for one in told), meter, total, not here)


def is_damaged(layout: Layout, digest: str) -> bool:
    """Whether an object's bytes are not what its name says."""
    return f"sha256:{sha256_file(layout.blobs.path(digest))}" != digest


def referrers(source: Source, found: Family) -> tuple[Family, ...]:
    """What is said about an image or a part of it: evidence, signatures. What speaks of something else is left out."""
    ours = {manifest.item.digest for manifest in found.manifests}
    items: dict[str, Descriptor] = {}
    for digest in ours:
        for item in source.referrers(digest):
            items[item.digest] = item
    if len(items) > REFERRERS:
        raise IntegrityError(
            f"{len(items)} manifests say something about the image; {REFERRERS} are allowed",
            hint="remove some of them where they are kept",
        )
    said = [family(source, item, source.manifest(item)) for item in items.values()]
    return tuple(one for one in said if one.root.subject is not None and one.root.subject.digest in ours)


def check_space(layout: Layout, size: int) -> None:
    """Refuse at once what does not fit.

    Raises:
        NoSpace: with how much is needed.
    """
    free = free_bytes(layout.directory)
    if size > free:
        raise NoSpace(
            f"the image needs {size / 1e6:.1f} MB more in {layout.directory}, and {free / 1e6:.1f} MB are free",
            hint="free some space there, or use another directory",
        )


def layer_tasks(
    fetch: Fetcher, found: Family, wanted: Sequence[Descriptor], name: str, patcher: Patcher | None
) -> list[Callable[[], None]]:
    """What brings layers: by frames where the image's tree index tells them, else as a whole."""
    listed = tree_index(fetch.layout, found) if wanted else None
    layers = {layer.blob.digest: number for number, layer in enumerate(listed.layers)} if listed else {}
    known = known_frames(fetch.layout, name) if layers else {}
    # Nothing can be made from files where no image is.
    contents = Contents(fetch.layout, known_trees(fetch.layout, name)) if known else None
    tasks: list[Callable[[], None]] = []
    for blob in wanted:
        number = layers.get(blob.digest)
        if listed is None or number is None or listed.layers[number].blob.size != blob.size:
            tasks.append(partial(fetch.blob, blob))
            continue
        packer = LayerPacker(listed, number, contents) if contents else None
        tasks.append(partial(fetch.layer, listed.layers[number], known, packer, patcher))
    return tasks


def patcher_of(fetch: Fetcher, said: Sequence[Family], name: str) -> Patcher | None:
    """What makes objects and contents by the patches that are said to be there; None if there are none, or no image is here."""
    images = relatives(fetch.layout, name)[:CONTENTS] if any(map(is_patches, said)) else []
    lists = read_lists(fetch.source, fetch.client, fetch.meter, said) if images else ()
    if not lists:
        return None
    items: dict[str, Descriptor] = {}
    for image in images:
        with suppress(GoldsmithError):
            items |= {short(item.digest): item for item in parts_of(fetch.layout, image, name).lists}
    objects = Objects(fetch.layout, items)
    return Patcher(fetch.layout, fetch.source, fetch.client, fetch.meter, lists, objects)


def tree_index(layout: Layout, found: Family) -> TreeIndex | None:
    """An image's tree index, if it has one; what is wrong with one is said when the image is checked."""
    for manifest in found.manifests:
        for blob in manifest.blobs:
            if blob.media_type == oci.TREE_INDEX and blob.size <= LARGEST_LIST:
                with suppress(GoldsmithError):
                    refuse_bomb(layout, blob)
                    return read_index(layout, blob.digest)
    return None
