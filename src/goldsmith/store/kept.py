"""Which layers of an earlier image a tree keeps as they lie, so that a new version stores little more than what has changed.

- A layer is kept if at least ``LIVE`` of its bytes are still what the tree has there. What the tree has otherwise goes into
  new layers above, and what it no longer has is hidden by whiteouts in the last one.
- A layer that is not kept is packed anew together with what has changed, so at most the rest of ``LIVE`` is dead weight.
- Only programs of packages are left behind in a layer: if it holds anything else that the tree no longer has, a setting or a
  key, it is not kept. An image never hands on what has been removed from it.
- The layers with the least in them are not kept if there would be more than ``BUDGET`` otherwise.
"""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from goldsmith.errors import IntegrityError
from goldsmith.model.oci import WHITEOUT, Descriptor
from goldsmith.model.tree import TreeEntry
from goldsmith.store import tar
from goldsmith.store.layers import StoredLayer, recall, recollect, remember, store_layer
from goldsmith.store.layout import Layout
from goldsmith.store.listing import read_layer
from goldsmith.store.pack import Opener
from goldsmith.store.partition import PROGRAMS, UNSTORED, is_program, partition

LIVE = 0.7
"""The share of a layer's bytes that must be of use for it to be kept."""
BUDGET = 32
"""Layers of a tree, at most; container tools allow 127."""


@dataclass(frozen=True, slots=True)
class Stack:
    """Layers that are kept, lowest first, and what the tree has of them."""

    layers: tuple[StoredLayer, ...] = ()
    """They know the places of what the tree has only."""
    paths: frozenset[str] = frozenset()
    """What need not be stored again."""

    def gone(self, entries: Mapping[str, TreeEntry]) -> list[str]:
        """What must be hidden for the layers to show this tree; of a whole directory its own path only."""
        there = {path for path, entry in entries.items() if entry.kind not in UNSTORED}
        found: set[str] = set()
        for layer in self.layers:
            for path in layer.content.entries:
                if path not in there:
                    top, above = path, path.rpartition("/")[0]
                    while above and above not in there:
                        top, above = above, above.rpartition("/")[0]
                    if not above or entries[above].kind == "dir":
                        found.add(top)
        return sorted(found)


def keep_layers(
    layout: Layout,
    before: Iterable[Descriptor],
    entries: Mapping[str, TreeEntry],
    home: Mapping[str, str],
    open_file: Opener,
    *,
    jobs: int,
) -> Stack:
    """Choose among the layers of an image.

    Args:
        layout: the store, which must be ``used``.
        before: the layers of that image, lowest first.
        entries: the new tree by path; link groups are named by their first path.
        home: who each path belongs to, as ``partition.homes`` has it.
        open_file: a path's bytes, for a layer that was lost and can be made of this tree.
        jobs: how many threads compress.
    """
    known = [layer for blob in before for layer in known_layer(layout, blob, entries, open_file, jobs=jobs)]
    listed = [layer for layer in known if all(x.kind != "dir" for x in layer.content.entries.values())]
    lives = live_paths([layer.content.entries for layer in listed], entries)
    kept = [
        (live, layer)
        for live, layer in zip(lives, listed, strict=True)
        if is_worth(layer.content.entries, live, home)
    ]
    while kept and len(kept) + groups_beside(kept, entries, home) > BUDGET:
        kept.remove(min(kept, key=lambda one: (weight(one[1].content.entries, one[0]), one[1].blob.digest)))
    return Stack(
        tuple(only(layer, live) for live, layer in kept), frozenset().union(*(live for live, _ in kept))
    )


def groups_beside(
    kept: Sequence[tuple[Collection[str], StoredLayer]],
    entries: Mapping[str, TreeEntry],
    home: Mapping[str, str],
) -> int:
    """How many layers the rest of the tree takes."""
    return len(partition(entries, home, frozenset().union(*(live for live, _ in kept))))


def known_layer(
    layout: Layout, blob: Descriptor, entries: Mapping[str, TreeEntry], open_file: Opener, *, jobs: int
) -> Iterator[StoredLayer]:
    """What is in a layer; nothing if that cannot be found out. One that was lost is made again if the tree has all of it."""
    name = blob.digest.removeprefix("sha256:")
    found = recall(layout, name)
    if found is not None:
        yield found
    elif layout.blobs.has(blob.digest, blob.size):
        with suppress(ValueError):
            found = read_layer(layout, blob)
            remember(layout, found)
            yield found
    else:
        lost = recollect(layout, name)
        if lost is not None and all(
            entries.get(path) == entry for path, entry in lost.content.entries.items()
        ):
            with suppress(IntegrityError):
                yield store_layer(layout, lost.content, open_file, jobs=jobs)


def live_paths(layers: Sequence[Mapping[str, TreeEntry]], entries: Mapping[str, TreeEntry]) -> list[set[str]]:
    """Of each layer the paths at which a tree has what can be seen of it, all names of a file or none.

    Args:
        layers: what each holds, lowest first; none holds directories.
        entries: the tree.
    """
    view: dict[str, int] = {}
    for number, layer in enumerate(layers):
        view.update(dict.fromkeys(layer, number))
    seen = set(view)
    for path in view:
        above = path.rpartition("/")[0]
        while above:
            if above in view:  # a file in one layer is a directory in another: the upper one counts
                seen.discard(min(above, path, key=view.__getitem__))
            above = above.rpartition("/")[0]
    groups = names_of_files(entries.values())
    result = []
    for number, layer in enumerate(layers):
        same = {p for p in layer if p in seen and view[p] == number and entries.get(p) == layer[p]}
        mine = names_of_files(layer.values())
        whole = {first for first, names in mine.items() if names <= same and groups.get(first) == names}
        result.append({path for path in same if not layer[path].link or layer[path].link in whole})
    return result


def names_of_files(entries: Iterable[TreeEntry]) -> dict[str, set[str]]:
    """All names of each file that has several, by the first."""
    found: dict[str, set[str]] = {}
    for entry in entries:
        if entry.link:
            found.setdefault(entry.link, set()).add(entry.path)
    return found


def is_worth(layer: Mapping[str, TreeEntry], live: Collection[str], home: Mapping[str, str]) -> bool:
    """Whether a layer is to be kept; ``partition`` puts programs of packages into layers of their own."""
    if not live or len(live) == len(layer):
        return bool(live)
    programs = all(path.startswith(PROGRAMS) for path in layer) and all(is_program(home[p]) for p in live)
    return programs and weight(layer, live) >= LIVE * weight(layer, layer)


def weight(layer: Mapping[str, TreeEntry], paths: Iterable[str]) -> int:
    """Bytes of archive of some paths of a layer, roughly."""
    return sum(tar.RECORD + layer[path].size for path in paths)


def only(layer: StoredLayer, paths: Collection[str]) -> StoredLayer:
    """A layer that knows the places of some paths only."""
    return replace(
        layer,
        places={path: place for path, place in layer.places.items() if path in paths},
        spots={path: place for path, place in layer.spots.items() if path in paths},
        heads={path: head for path, head in layer.heads.items() if path in paths},
    )


def whiteout(path: str) -> TreeEntry:
    """What hides a path of the layers below."""
    above, _, name = path.rpartition("/")
    return TreeEntry(f"{above}/{WHITEOUT}{name}", "file", 0, 0, 0, 0, 0, hashlib.sha256().hexdigest())


def hidden(paths: Iterable[str]) -> list[str]:
    """The paths that whiteouts among these hide."""
    split = (path.rpartition("/") for path in paths)
    return [f"{above}/{name.removeprefix(WHITEOUT)}" for above, _, name in split if name.startswith(WHITEOUT)]
