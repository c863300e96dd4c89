"""All objects of an image into a store: small ones first, then layers out of what is here already, then manifests."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial

from goldsmith.effects.access import Progress
from goldsmith.effects.client import Client
from goldsmith.effects.crew import all_of
from goldsmith.effects.files import free_bytes
from goldsmith.effects.part import Refused
from goldsmith.errors import GoldsmithError, IntegrityError, NoSpace
from goldsmith.model import oci
from goldsmith.model.oci import Descriptor
from goldsmith.store.layout import Layout
from goldsmith.store.remote.fetch import Fetcher
from goldsmith.store.remote.frames import heads, known_frames
from goldsmith.store.remote.manifests import Family, Manifest, family
from goldsmith.store.remote.meter import Meter
from goldsmith.store.remote.source import Source
from goldsmith.store.remote.trying import failed
from goldsmith.store.tree import IndexedLayer

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


@contextmanager
def refusals(what: str) -> Iterator[None]:
    """Turn what a server refuses into an error for a person."""
    try:
        yield
    except Refused as error:
        raise failed(what, error) from error


def bring(
    layout: Layout, source: Source, client: Client, *, name: str, jobs: int, progress: Progress
) -> Brought:
    """Bring an image's objects into a store, which must be ``used``; they have no name there yet.

    Args:
        layout: the store.
        source: where the image is.
        client: what ends all that runs, and says how often something is tried.
        name: the image's name; what the store has of it is not fetched again.
        jobs: how many objects at a time.
        progress: is told of bytes.

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
    blobs = {blob.digest: blob for one in (found, *said) for blob in one.blobs}
    missing = [blob for blob in blobs.values() if not layout.blobs.has(blob.digest, blob.size)]
    size = sum(blob.size for blob in missing)
    check_space(layout, size)
    meter = Meter(size, progress)
    fetch = Fetcher(layout, source, client, meter)
    small = [blob for blob in missing if blob.media_type != oci.LAYER]
    all_of([partial(fetch.blob, blob) for blob in small], jobs=jobs, stop=client.stop)
    layers = framed_layers(layout, found)
    known = known_frames(layout, name) if layers else {}
    large = sorted((blob for blob in missing if blob.media_type == oci.LAYER), key=lambda blob: -blob.size)
    tasks = [
        partial(fetch.layer, layers[blob.digest], known)
        if blob.digest in layers
        else partial(fetch.blob, blob)
        for blob in large
    ]
    all_of(tasks, jobs=jobs, stop=client.stop)
    layout.blobs.settle()
    manifests = tuple(manifest for one in said for manifest in one.manifests)
    for manifest in (*found.manifests, *manifests):
        layout.blobs.put(manifest.data, manifest.item.media_type)
    total = sum(blob.size for blob in blobs.values()) + sum(
        len(x.data) for x in (*found.manifests, *manifests)
    )
    return Brought(found, tuple(one.root for one in said), meter, total)


def referrers(source: Source, found: Family) -> tuple[Family, ...]:
    """What is said about an image or a part of it: evidence, signatures."""
    items: dict[str, Descriptor] = {}
    for manifest in found.manifests:
        for item in source.referrers(manifest.item.digest):
            items[item.digest] = item
    if len(items) > REFERRERS:
        raise IntegrityError(
            f"{len(items)} manifests say something about the image; {REFERRERS} are allowed",
            hint="remove some of them where they are kept",
        )
    return tuple(family(source, item, source.manifest(item)) for item in items.values())


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


def framed_layers(layout: Layout, found: Family) -> Mapping[str, IndexedLayer]:
    """The layers whose frames are known from the image's tree index, by digest."""
    result: dict[str, IndexedLayer] = {}
    for manifest in found.manifests:
        for blob in manifest.blobs:
            if blob.media_type == oci.TREE_INDEX and blob.size <= LARGEST_LIST:
                # What is wrong with an index is said when the image is checked; here it only saves bytes.
                with suppress(ValueError, GoldsmithError):
                    result.update(
                        {layer.blob.digest: layer for layer in heads(layout.blobs.read(blob.digest))}
                    )
    return {
        digest: layer
        for digest, layer in result.items()
        if any(blob == layer.blob for one in found.manifests for blob in one.blobs)
    }
