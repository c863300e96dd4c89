"""Images for tests of the store alone: recorded under one name, and found by it."""

from typing import Any

from goldsmith.store.layout import Layout
from goldsmith.store.record import ImageFacts, Recorded, parts_of, store_image


def record(layout: Layout, facts: ImageFacts, *words: Any, **how: Any) -> Recorded:
    """Store an image and give it its name; once this returns it is there after a crash.

    Args are those of ``store_image``.
    """
    with layout.used():
        recorded = store_image(layout, facts, *words, **how)
        layout.tag(facts.reference, recorded.index)
    return recorded


def recorded_image(layout: Layout, reference: str) -> Recorded:
    """Find the parts of a recorded image by its name.

    Raises:
        UsageError: there is no such image, or it is not one that goldsmith made.
        IntegrityError: a manifest is missing or damaged.
    """
    return parts_of(layout, layout.resolve(reference), reference)
