"""Keep a finished image in the store: its tree while the disk is made, the disk's map and the names afterwards."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from io import FileIO
from typing import BinaryIO

from goldsmith.builder.image import Made, fold
from goldsmith.builder.layers import Layer
from goldsmith.disk import stored
from goldsmith.disk.digest import SHA256_UP_TO, disk_digest, sha256_sparse
from goldsmith.model.recipe import Base, Recipe
from goldsmith.model.tree import TreeEntry, tree_digest
from goldsmith.store import notes
from goldsmith.store.diskmap import store_map
from goldsmith.store.home import Home
from goldsmith.store.images import StoredImage, name_image
from goldsmith.store.layout import Layout
from goldsmith.store.pack import Press
from goldsmith.store.partition import dpkg_owners
from goldsmith.store.record import ImageFacts, identity_of, layers_before, store_manifests
from goldsmith.store.tree import StoredTree, store_tree


@dataclass(frozen=True, slots=True)
class Finished:
    """A finished tree, known by the lists of its layers."""

    entries: Mapping[str, TreeEntry]
    """By path."""
    digest: str
    """The tree's identity."""
    open_file: Callable[[str], BinaryIO]
    """A path's bytes."""


@dataclass(frozen=True, slots=True)
class Digests:
    """A disk's digests, as they are found out."""

    identity: Future[str]
    """``disk_digest``."""
    plain: Future[str]
    """SHA-256 of all bytes in hexadecimal; empty for a disk that is too large."""


def describe(below: Sequence[Layer]) -> Finished:
    """The tree that layers make, lowest first."""
    entries = fold(below)
    # As text: a disk opens every file, and paths as objects would take as long as the opening.
    homes = {
        entry.path: str(layer.tree)
        for layer in below
        for entry in layer.changes.entries
        if entry.kind == "file"
    }

    def open_file(path: str) -> BinaryIO:
        return FileIO(homes[path] + path)

    return Finished(entries, tree_digest(entries.values()), open_file)


def pack(
    layout: Layout, tree: Finished, recipe: Recipe, *, epoch: int, jobs: int, press: Press
) -> StoredTree:
    """Store a tree; what is known of it is not read, and layers of the version before are kept."""
    owners = dpkg_owners(tree.entries, tree.open_file)
    before = layers_before(layout, [recipe.name, lineage(recipe.base).get(notes.BASE_NAME, "")], tree.digest)
    return store_tree(
        layout,
        tree.entries,
        tree.open_file,
        owners=owners,
        epoch=epoch,
        before=before,
        jobs=jobs,
        press=press,
    )


def digests_of(made: Made, pool: Executor) -> Digests:
    """Find out a disk's digests in the background."""
    return Digests(
        pool.submit(disk_digest, made.raw),
        pool.submit(sha256_sparse if made.size <= SHA256_UP_TO else lambda _: "", made.raw),
    )


def keep_image(
    layout: Layout,
    facts: ImageFacts,
    tree: Finished,
    packed: Future[StoredTree],
    made: Made,
    plain_sha256: Future[str],
    built: Mapping[str, object],
) -> StoredImage:
    """Record an image.

    Args:
        layout: the store, which must be ``used``.
        facts: what the image is.
        tree: what the disk was made from.
        packed: the same in the store.
        made: the disk.
        plain_sha256: of the disk's plain bytes.
        built: what is to be kept of the build.
    """
    in_store = packed.result()
    disk_map = store_map(
        layout,
        made.raw,
        tree.entries,
        in_store.layers,
        tree.open_file,
        disk_digest=facts.disk_digest,
        tree_digest=tree.digest,
        cuts=made.cuts,
        runs=made.runs,
    )
    facts = replace(facts, disk_sha256=plain_sha256.result())
    recorded = store_manifests(layout, facts, in_store, disk_map)
    return name_image(layout, facts.name, facts.version, recorded.index, built)


def keep_disk(home: Home, made: Made, identity: str) -> None:
    """Move a disk that nothing reads any more to the cache of disks, if that is a mere change of names."""
    if made.raw.stat().st_dev == home.path.stat().st_dev:
        stored.keep(made.raw, stored.place(home, identity))


def lineage(base: Base) -> dict[str, str]:
    """The image that an image stands on, as annotations of OCI's own; empty for a distribution."""
    return {notes.BASE_NAME: base.reference, notes.BASE_DIGEST: base.digest} if base.image else {}


def facts_of(recipe: Recipe, tree: Finished, digests: Digests, *, epoch: int) -> ImageFacts:
    """What an image is; its identity covers no packing and no circumstance."""
    facts = ImageFacts(
        recipe.name,
        recipe.version,
        recipe.architecture,
        epoch,
        tree.digest,
        digests.identity.result(),
        description=recipe.description,
        labels=recipe.labels,
        notes=lineage(recipe.base),
    )
    return replace(facts, digest=identity_of(facts))
