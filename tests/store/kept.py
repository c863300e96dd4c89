"""Images for tests: a disk in a store, without a tree or with a small one."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from tests.store.trees import EPOCH, opener, tree_of

from goldsmith.disk.digest import disk_digest, sha256_sparse
from goldsmith.model.tree import tree_digest
from goldsmith.store.home import Home
from goldsmith.store.images import StoredImage, layout_of, name_image
from goldsmith.store.record import ImageFacts, store_image


def keep(
    home: Home,
    disk: Path,
    name: str = "web",
    version: str = "1.2.0",
    files: Mapping[str, bytes] | None = None,
    built: Mapping[str, object] | None = None,
) -> StoredImage:
    """Record a disk, and the tree it was made of, as a build does."""
    entries, contents = tree_of(files or {})
    digest = disk_digest(disk)
    tree = tree_digest(entries.values())
    identity = f"sha256:{hashlib.sha256(f'{name} {version} {tree} {digest}'.encode()).hexdigest()}"
    facts = ImageFacts(name, version, "amd64", EPOCH, tree, digest, sha256_sparse(disk), identity)
    layout = layout_of(home)
    with layout.used():
        recorded = store_image(layout, facts, entries, opener(contents), disk, owners={})
        return name_image(layout, name, version, recorded.index, built)
