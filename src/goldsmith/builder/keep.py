"""Keep a finished image in the store."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from goldsmith.builder.image import Made
from goldsmith.builder.layers import Layer
from goldsmith.disk import stored
from goldsmith.model.canonical import digest, plain
from goldsmith.model.recipe import Recipe
from goldsmith.store.home import Home
from goldsmith.store.images import StoredImage, layout_of, name_image
from goldsmith.store.partition import dpkg_owners
from goldsmith.store.record import ImageFacts, store_image


def keep_image(
    home: Home,
    recipe: Recipe,
    made: Made,
    below: Sequence[Layer],
    *,
    epoch: int,
    jobs: int,
    tell: Callable[[str], Mapping[str, object]],
) -> StoredImage:
    """Record an image; its disk goes to the cache of disks.

    Args:
        home: the data directory.
        recipe: what was built.
        made: the tree and the disk.
        below: the tree's layers, lowest first.
        epoch: SOURCE_DATE_EPOCH.
        jobs: how many threads compress.
        tell: gives what is to be kept of the build, from the image's identity.
    """
    layout = layout_of(home)
    facts = facts_of(recipe, made, epoch=epoch)
    open_file = opener(below)
    with layout.used():
        recorded = store_image(
            layout,
            facts,
            made.tree,
            open_file,
            made.raw,
            owners=dpkg_owners(made.tree, open_file),
            cuts=made.cuts,
            jobs=jobs,
        )
        image = name_image(layout, recipe.name, recipe.version, recorded.index, tell(facts.digest))
    stored.keep(made.raw, stored.place(home, made.disk_digest))
    return image


def facts_of(recipe: Recipe, made: Made, *, epoch: int) -> ImageFacts:
    """What the image is; its identity covers no packing and no circumstance."""
    content = {
        "name": recipe.name,
        "version": recipe.version,
        "architecture": recipe.architecture,
        "description": recipe.description,
        "labels": plain(recipe.labels),
        "tree_digest": made.tree_digest,
        "disk_digest": made.disk_digest,
    }
    return ImageFacts(
        recipe.name,
        recipe.version,
        recipe.architecture,
        epoch,
        made.tree_digest,
        made.disk_digest,
        made.disk_sha256 or "",
        digest(content),
        recipe.description,
        recipe.labels,
    )


def opener(below: Sequence[Layer]) -> Callable[[str], BinaryIO]:
    """A path's bytes, from the highest layer that has it."""
    homes = {
        entry.path: layer.tree for layer in below for entry in layer.changes.entries if entry.kind == "file"
    }

    def open_file(path: str) -> BinaryIO:
        return Path(homes[path], path.lstrip("/")).open("rb", buffering=0)

    return open_file
