"""What no build has used for a month and can be made or loaded again, so that a data directory does not grow for ever.

Images, and the packages that locks name, are nobody's cache: they stay.
"""

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from goldsmith.builder import layers
from goldsmith.disk import stored
from goldsmith.effects.files import locked
from goldsmith.store.home import Home

UNUSED_DAYS = 30


@dataclass(frozen=True, slots=True)
class Cache:
    """A kind of things that are kept to save time."""

    marks: str
    """Files below the data directory, one for each thing; whoever uses the thing gives it a new time."""
    drop: Callable[[Path], None]
    """Removes the thing of a mark."""


def _aside(mark: Path) -> None:
    """By one rename, so that who looks for it finds all of it or nothing; what is left after a kill is swept."""
    gone = mark.parent.with_name(f".{mark.parent.name}.{os.getpid()}")
    mark.parent.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def _apt_root(mark: Path) -> None:
    root = mark.parent.parent
    with locked(root.with_suffix(".lock")):
        shutil.rmtree(root, ignore_errors=True)


CACHES = (
    Cache("cache/layers/*/layer.json", lambda mark: layers.drop(mark.parent)),
    Cache("cache/disks/*.boot", stored.drop),
    Cache("cache/debs-*/[!.]*/package.json", _aside),
    Cache("cache/tools/[!.]*/.complete", _aside),
    Cache("cache/apt/*/etc/apt.conf", _apt_root),
)


def expire(home: Home, *, now: float) -> None:
    """Drop what has not been used for ``UNUSED_DAYS``.

    What a build stands on it has just used, so a running build never loses its ground.

    Args:
        home: the data directory.
        now: seconds since 1970, by the clock that gives files their times: a process may be told another.
    """
    for cache in CACHES:
        for mark in home.path.glob(cache.marks):
            with suppress(OSError):
                if now - mark.stat().st_mtime > UNUSED_DAYS * 86_400:
                    cache.drop(mark)
