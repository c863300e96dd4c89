"""How much space each image takes: all of it, and what would be free if it alone were gone."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from goldsmith.store.check import reach
from goldsmith.store.images import StoredImage, images_of
from goldsmith.store.layout import Layout


@dataclass(frozen=True, slots=True)
class ImageUse:
    """The space of one image, in bytes."""

    image: StoredImage
    total: int
    """All its objects."""
    unique: int
    """Those that no other image needs."""

    @property
    def shared(self) -> int:
        """Those that others need too."""
        return self.total - self.unique


@dataclass(frozen=True, slots=True)
class Usage:
    """The space of a store, in bytes."""

    images: tuple[ImageUse, ...]
    used: int
    """All objects that an image needs."""
    unused: int
    """What ``gc`` would remove."""
    alone: int
    """What all images would take if they shared nothing."""


def usage(layout: Layout) -> Usage:
    """Measure a store.

    Raises:
        IntegrityError: ``index.json`` is damaged.
    """
    found = reach(layout)
    sizes = {digest: item.size for digest, item in found.needed.items()}
    owners: dict[str, set[str]] = {}
    below = objects_of(found.images)
    refs = layout.refs()
    images = list(images_of(layout, refs))
    mine = {
        image.own: set().union(*(below.get(name, set()) for name in names_of(image, refs)))
        for image in images
    }
    for own, digests in mine.items():
        for digest in digests:
            owners.setdefault(digest, set()).add(own)
    measured = tuple(
        ImageUse(
            image,
            sum(sizes[digest] for digest in mine[image.own]),
            sum(sizes[digest] for digest in mine[image.own] if owners[digest] == {image.own}),
        )
        for image in images
    )
    there = {f"sha256:{path.name}": path.stat().st_size for path in layout.blobs.all()}
    used = sum(size for digest, size in there.items() if digest in sizes)
    return Usage(measured, used, sum(there.values()) - used, sum(use.total for use in measured))


def names_of(image: StoredImage, refs: Mapping[str, object]) -> Iterable[str]:
    """The refs under which an image is listed."""
    return [name for name in (image.own, f"{image.name}:{image.version}") if name in refs][:1]


def objects_of(images: Mapping[str, frozenset[str]]) -> dict[str, set[str]]:
    """By ref: the digests of all that it leads to."""
    found: dict[str, set[str]] = {}
    for digest, names in images.items():
        for name in names:
            found.setdefault(name, set()).add(digest)
    return found
