"""``--no-cache``: layers made anew beside those that are there, compared with them, and put in their places."""

import glob
import shutil
from collections.abc import Sequence

from goldsmith.builder import layers
from goldsmith.builder.execute import Ran
from goldsmith.builder.layers import Layer
from goldsmith.model.tree import rows
from goldsmith.store.home import Home


def adopt(home: Home, ran: Sequence[Ran]) -> None:
    """Put the fresh layers of a build in their places.

    A layer of the same key that is there and sound stays: other builds may stand on it.
    """
    for step in ran:
        if step.layer.key == step.key:
            continue
        fresh = layers.place(home, step.layer.key)
        if layers.same_facts(home, step.key, step.layer.key):
            shutil.rmtree(fresh, ignore_errors=True)
            continue
        old = layers.load(home, step.key)
        if old is not None and (same(old, step.layer) or layers.intact(old)):
            shutil.rmtree(fresh, ignore_errors=True)
            continue
        if old is not None:
            layers.drop(layers.place(home, step.key))
        target = layers.place(home, step.key)
        shutil.rmtree(target, ignore_errors=True)
        fresh.rename(target)


def discard(home: Home, build: str) -> None:
    """Remove the fresh layers that a build has not put in their places."""
    for path in layers.room(home).glob(layers.aside("*", glob.escape(build))):
        shutil.rmtree(path, ignore_errors=True)


def same(one: Layer, other: Layer) -> bool:
    """Whether two layers change a tree in the same way."""
    return one.changes.removed == other.changes.removed and rows(one.changes.entries) == rows(
        other.changes.entries
    )
