"""The tree of what was read: every file with its SHA-256, in the order in which the files lie on the disk."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from goldsmith.disk.read.node import Body, Node
from goldsmith.effects.parallel import in_order
from goldsmith.model.tree import TreeEntry, tree_digest

BATCH_FILES, BATCH_BYTES = 64, 4 << 20
"""What one thread hashes at a time."""
WINDOW = 1 << 20
LARGEST_TEXT = 16 << 20
STEPS = 400
"""Parts of a path that are followed, links among them; what needs more runs in a circle."""
EMPTY = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True)
class Contents:
    """A tree that was read, and its bytes."""

    entries: Mapping[str, TreeEntry]
    """By path."""
    bodies: Mapping[str, Body]
    """The files by path."""

    def open(self, path: str) -> BinaryIO:
        """A file's bytes."""
        return self.bodies[path].open()

    def find(self, path: str) -> TreeEntry | None:
        """What a path leads to, all links followed within the tree; None if it leads nowhere."""
        done = ""
        left = [part for part in path.split("/") if part]
        for _ in range(STEPS):
            if not left:
                return self.entries.get(done)
            part, *left = left
            if part == "..":
                done = done.rpartition("/")[0]
                continue
            entry = self.entries.get(f"{done}/{part}")
            if entry is not None and entry.kind == "symlink":
                done = "" if entry.target.startswith("/") else done
                left = [step for step in entry.target.split("/") if step not in {"", "."}] + left
            else:
                done = f"{done}/{part}"
        return None

    def data(self, path: str, *, limit: int = LARGEST_TEXT) -> bytes | None:
        """The first bytes of the file that a path leads to; None if there is none."""
        entry = self.find(path)
        if entry is None or entry.kind != "file":
            return None
        return self.bodies[entry.path].read(0, limit)

    @property
    def digest(self) -> str:
        """The tree's identity."""
        return tree_digest(self.entries.values())


def contents_of(nodes: Iterable[Node], *, jobs: int) -> Contents:
    """Hash every file once; hard links share theirs.

    Args:
        nodes: the tree, the root itself left out.
        jobs: how many threads read.
    """
    listed = list(nodes)
    first: dict[str, Node] = {}
    for node in listed:
        if node.kind == "file":
            first.setdefault(node.link or node.path, node)
    wanted = [node for node in first.values() if node.body is not None and node.body.size]
    wanted.sort(key=_place)
    found = dict.fromkeys(first, EMPTY)
    for names, digests in in_order(_hash, _batches(wanted), jobs=jobs):
        found.update(zip(names, digests, strict=True))
    entries = {node.path: _entry(node, found.get(node.link or node.path, "")) for node in listed}
    bodies = {node.path: node.body for node in listed if node.body is not None}
    return Contents(entries, bodies)


def _place(node: Node) -> int:
    return node.body.pieces[0].place if node.body is not None and node.body.pieces else 0


def _batches(nodes: Iterable[Node]) -> Iterator[list[Node]]:
    batch: list[Node] = []
    size = 0
    for node in nodes:
        batch.append(node)
        size += node.body.size if node.body is not None else 0
        if len(batch) >= BATCH_FILES or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    yield batch


def _hash(nodes: list[Node]) -> tuple[list[str], list[str]]:
    return [node.link or node.path for node in nodes], [digest_of(node.body) for node in nodes if node.body]


def digest_of(body: Body) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    if body.size <= WINDOW:
        return hashlib.sha256(body.read(0, body.size)).hexdigest()
    state = hashlib.sha256()
    for at in range(0, body.size, WINDOW):
        state.update(body.read(at, WINDOW))
    return state.hexdigest()


def _entry(node: Node, sha256: str) -> TreeEntry:
    size = node.body.size if node.body is not None else 0
    return TreeEntry(
        node.path,
        node.kind,
        0o777 if node.kind == "symlink" else node.mode,
        node.uid,
        node.gid,
        node.mtime,
        size,
        sha256 if node.kind == "file" else "",
        node.target,
        node.xattrs,
        node.link,
    )
