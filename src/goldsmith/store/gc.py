"""Remove what no image needs: objects, unfinished writes, and what is known about layers that are gone."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from goldsmith.effects.drafts import PREFIX
from goldsmith.effects.files import locked
from goldsmith.errors import IntegrityError
from goldsmith.model.oci import DIGEST
from goldsmith.store.check import reach
from goldsmith.store.layers import recall
from goldsmith.store.layout import LOCK, Layout


@dataclass(frozen=True, slots=True)
class Collected:
    """What was removed, or would be."""

    objects: tuple[str, ...]
    """Digests of the objects, sorted."""
    drafts: tuple[Path, ...]
    """Unfinished writes of processes that are gone."""
    size: int
    """Bytes of all of it."""


def collect(layout: Layout, *, pretend: bool = False) -> Collected:
    """Remove what no ref leads to; waits for those who are writing, and they wait for this.

    Args:
        layout: the store.
        pretend: only tell.

    Raises:
        IntegrityError: ``index.json`` or a manifest is damaged, so that nobody knows what is needed; nothing is
            removed.
    """
    if not layout.directory.is_dir():
        return Collected((), (), 0)
    with layout.used(alone=True):
        found = reach(layout)
        if found.problems:
            digest, reason = next(iter(found.problems.items()))
            raise IntegrityError(
                f"what {digest} needs is not known: {reason}",
                hint="mend the store first: goldsmith store check; nothing was removed",
            )
        unused = sorted(
            (
                path
                for path in layout.blobs.all()
                if DIGEST.fullmatch(f"sha256:{path.name}") and f"sha256:{path.name}" not in found.needed
            ),
            key=lambda path: path.name,
        )
        if not pretend:
            layout.prune(lambda item: item.digest not in found.needed)
        with locked(layout.directory / LOCK):  # who only gives names does not hold the store
            drafts = [path for room in rooms(layout) for path in sorted(room.glob(f"{PREFIX}*"))]
            size = sum(path.stat().st_size for path in [*unused, *drafts])
            for path in () if pretend else drafts:
                layout.door.remove(path)
        if not pretend:
            for path in unused:
                layout.door.remove(path)
            forget(layout)
    return Collected(tuple(f"sha256:{path.name}" for path in unused), tuple(drafts), size)


def sweep(layout: Layout) -> None:
    """Remove what writers left that were killed, unless somebody is writing; what can be resumed stays."""
    if not layout.directory.is_dir():
        return
    with suppress(BlockingIOError), layout.used(alone=True, wait=False), locked(layout.directory / LOCK):
        for room in rooms(layout):
            for path in sorted(room.glob(f"{PREFIX}*-*")):
                layout.door.remove(path)


def rooms(layout: Layout) -> list[Path]:
    """The directories in which something is written."""
    return [room for room in (layout.directory, layout.blobs.directory, layout.known) if room.is_dir()]


def forget(layout: Layout) -> None:
    """Remove what is known about layers that are gone."""
    if layout.known.is_dir():
        for path in sorted(layout.known.iterdir()):
            with suppress(FileNotFoundError):
                if recall(layout, path.name) is None:
                    layout.door.remove(path)
