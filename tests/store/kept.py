"""Images for tests: a disk in a store, without a tree or with a small one."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from tests.store.trees import EPOCH, Tree, opener, tree_of

from goldsmith.disk.digest import disk_digest, sha256_sparse
from goldsmith.model.tree import tree_digest
from goldsmith.store.home import Home
from goldsmith.store.images import StoredImage, layout_of, name_image
from goldsmith.store.partition import dpkg_owners
from goldsmith.store.record import ImageFacts, store_image


def keep(
    home: Home,
    disk: Path,
    name: str = "web",
    version: str = "1.2.0",
    files: Mapping[str, bytes] | None = None,
    built: Mapping[str, object] | None = None,
) -> StoredImage:
    """Record a disk, and the files it was made of, as a build does."""
    return keep_tree(home, disk, tree_of(files or {}), name, version, built)


def keep_tree(
    home: Home, disk: Path, tree: Tree, name: str, version: str, built: Mapping[str, object] | None
) -> StoredImage:
    """Record a disk, and the tree it was made of."""
    entries, contents = tree
    digest, named = disk_digest(disk), tree_digest(entries.values())
    identity = f"sha256:{hashlib.sha256(f'{name} {version} {named} {digest}'.encode()).hexdigest()}"
    facts = ImageFacts(
        name,
        version,
        "amd64",
        EPOCH,
        named,
        digest,
        sha256_sparse(disk),
        identity,
        "what it is",
        {"team": "blue"},
    )
    layout = layout_of(home)
    open_file = opener(contents)
    with layout.used():
        owners = dpkg_owners(entries, open_file)
        recorded = store_image(layout, facts, entries, open_file, disk, owners=owners)
        return name_image(layout, name, version, recorded.index, built)
