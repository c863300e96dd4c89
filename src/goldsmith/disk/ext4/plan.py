"""Decide where everything of a tree lies on an ext4 file system: each path's inode, each file's blocks. Pure.

Everything lies in the order of the paths: inodes first to last; directories, long links and attributes one behind the
other; then the contents of all files. So equal trees lie equally, and a tree that differs a little lies nearly so.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from goldsmith.disk.ext4.directory import KINDS, split
from goldsmith.disk.ext4.extents import LONGEST, Extent, tree_blocks
from goldsmith.disk.ext4.xattrs import Attribute, attributes_of, fit
from goldsmith.disk.need import FAST_LINK
from goldsmith.errors import StepFailed
from goldsmith.model.disk import BLOCK
from goldsmith.model.tree import TreeEntry

ROOT_INODE = 2
LOST_FOUND = "/lost+found"
LOST_FOUND_INODE = 11

Runs = Sequence[tuple[int, int]]
"""First block and number of blocks, in their order."""
SolidRuns = Callable[[TreeEntry], Runs]
"""The runs of blocks of a file that are to lie on the disk; the rest are holes."""


@dataclass(slots=True)
class Free:
    """Free blocks, taken from the front."""

    runs: list[tuple[int, int]]
    """First block and number of blocks, the first run last."""

    def take(self, count: int) -> list[tuple[int, int]]:
        """The next ``count`` blocks, in as many runs as needed.

        Raises:
            StepFailed: there are not so many.
        """
        taken = []
        while count:
            if not self.runs:
                raise StepFailed(
                    "the root partition is too small for the tree",
                    hint="report this as a bug of goldsmith: the need was counted wrongly",
                )
            start, length = self.runs.pop()
            part = min(length, count)
            taken.append((start, part))
            count -= part
            if part < length:
                self.runs.append((start + part, length - part))
        return taken


@dataclass(frozen=True, slots=True)
class Node:
    """One inode's entry, and what it takes."""

    number: int
    """The inode."""
    entry: TreeEntry
    """Its first path."""
    links: int
    """Names."""
    names: tuple[tuple[bytes, str], ...]
    """Of a directory: names and paths, in order."""
    extents: tuple[Extent, ...]
    """Where its content lies."""
    tree: tuple[int, ...]
    """Blocks that tell where further blocks lie."""
    attributes: tuple[Attribute, ...]
    """Its extended attributes."""
    attribute_block: int
    """Where they lie; 0 if in the inode."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A tree's place on a file system."""

    nodes: tuple[Node, ...]
    """By inode."""
    inodes: Mapping[str, int]
    """The inode of each path."""
    kinds: Mapping[str, int]
    """How a directory tells the kind of each path."""
    used: int
    """The last inode that is used; so are all before it."""
    free: Runs
    """Blocks that are left."""


@dataclass(slots=True)
class _Draft:
    """An inode whose blocks are not yet known."""

    number: int
    entry: TreeEntry
    links: int = 1
    names: list[tuple[bytes, str]] = field(default_factory=list)
    extents: list[Extent] = field(default_factory=list)
    attributes: list[Attribute] = field(default_factory=list)
    attribute_block: int = 0


def place_tree(
    entries: Mapping[str, TreeEntry], free: Runs, first_inode: int, root_block: int, solid: SolidRuns
) -> Placed:
    """Give every path its inode and its blocks.

    Args:
        entries: the tree by path, with ``/``.
        free: the free blocks.
        first_inode: the first that is free; all behind it are.
        root_block: the block that the root directory has already.
        solid: which blocks of a file are to lie on the disk.

    Raises:
        StepFailed: the file system is too small, or cannot hold something of the tree.
    """
    drafts, inodes = give_inodes(entries, first_inode)
    room = Free(list(reversed(list(free))))
    for draft in drafts:
        place_small(draft, room, root_block)
    for draft in drafts:
        if draft.entry.kind == "file" and draft.entry.size:
            for logical, count in solid(draft.entry):
                draft.extents += extents_of(room.take(count), logical)
    nodes = [finish(draft, room) for draft in drafts]
    kinds = {path: KINDS[entries[path].kind] for path in inodes if path in entries}
    used = max(first_inode - 1, nodes[-1].number)
    return Placed(tuple(nodes), inodes, kinds, used, tuple(reversed(room.runs)))


def ordered(entries: Mapping[str, TreeEntry]) -> Iterator[TreeEntry]:
    """The tree's entries without the root and ``lost+found``, which is mke2fs's own."""
    for path in sorted(entries):
        if path not in {"/", LOST_FOUND} and not path.startswith(f"{LOST_FOUND}/"):
            yield entries[path]


def give_inodes(entries: Mapping[str, TreeEntry], first_inode: int) -> tuple[list[_Draft], dict[str, int]]:
    """An inode for each path, one for all names of a file; directories know their names."""
    root = _Draft(ROOT_INODE, entries["/"], 3, [(LOST_FOUND[1:].encode(), LOST_FOUND)])
    drafts, inodes = [root], {"/": ROOT_INODE, LOST_FOUND: LOST_FOUND_INODE}
    directories = {"/": root}
    linked: dict[str, _Draft] = {}
    number = first_inode
    for entry in ordered(entries):
        parent, _, name = entry.path.rpartition("/")
        above = directories[parent or "/"]
        above.names.append((os.fsencode(name), entry.path))
        known = linked.get(entry.link) if entry.link else None
        if known is not None:
            known.links += 1
            inodes[entry.path] = known.number
            continue
        draft = _Draft(number, entry)
        number += 1
        drafts.append(draft)
        inodes[entry.path] = draft.number
        if entry.link:
            linked[entry.link] = draft
        if entry.kind == "dir":
            draft.links = 2
            above.links += 1
            directories[entry.path] = draft
    for directory in directories.values():
        directory.names.sort()
    return drafts, inodes


def place_small(draft: _Draft, room: Free, root_block: int) -> None:
    """Place directory, long link and attributes."""
    entry = draft.entry
    draft.attributes = attributes_of(entry.path, entry.xattrs) if entry.xattrs else []
    if draft.attributes and not fit(draft.attributes):
        ((draft.attribute_block, _),) = room.take(1)
    if entry.kind == "dir":
        count = len(split([b".", b"..", *(name for name, _ in draft.names)]))
        if draft.number == ROOT_INODE:
            draft.extents = [Extent(0, root_block, 1), *extents_of(room.take(count - 1), 1)]
        else:
            draft.extents = extents_of(room.take(count), 0)
    elif entry.kind == "symlink" and len(os.fsencode(entry.target)) > FAST_LINK:
        draft.extents = extents_of(room.take(1), 0)


def extents_of(runs: Runs, logical: int) -> list[Extent]:
    """Blocks of a file as extents."""
    found = []
    for start, length in runs:
        for at in range(0, length, LONGEST):
            part = min(LONGEST, length - at)
            found.append(Extent(logical, start + at, part))
            logical += part
    return found


def finish(draft: _Draft, room: Free) -> Node:
    """The inode with blocks for what of its extents does not fit into it."""
    tree = [
        start + index
        for start, length in room.take(tree_blocks(len(draft.extents)))
        for index in range(length)
    ]
    return Node(
        draft.number,
        draft.entry,
        draft.links,
        tuple(draft.names),
        tuple(draft.extents),
        tuple(tree),
        tuple(draft.attributes),
        draft.attribute_block,
    )


def whole(entry: TreeEntry) -> Runs:
    """All blocks of a file."""
    return ((0, -(-entry.size // BLOCK)),)
