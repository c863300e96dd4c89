"""A disk map: how the bytes of a disk come from the files of a tree.

Its bytes are JSON, a line each, compressed by zstd: first ``{"goldsmith": "disk map 1", "size", "disk_digest",
"tree_digest", "cuts"}``; then a row for each run, in the order of the disk, without gaps: ``[BLOCKS]`` of zeros, ``[BLOCKS,
FILE, BLOCK]`` for blocks of a file from its block ``BLOCK`` on, ``[BLOCKS, -1]`` for the next bytes of the literals.
Literals are kept in a blob for each area of the disk, so that those of an unchanged boot partition are known again;
``cuts`` are the blocks where the second and further areas begin, and no run of literals crosses one.
``FILE`` counts the contents of the tree: its SHA-256s, each once, sorted, without that of nothing. Blocks have 4096
bytes; a file's last block is filled up with zeros; a disk's last block may be cut.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

import zstandard

from goldsmith.model.disk import BLOCK
from goldsmith.model.packed import LEVELS, unpacked
from goldsmith.model.tree import TreeEntry

MARK = "disk map 1"
LIMIT = 1 << 28
"""Bytes of a map uncompressed, at most; more is a bomb."""


class Source(StrEnum):
    """Where the bytes of a run come from."""

    ZERO = "zero"
    """From nowhere; they are zeros."""
    FILE = "file"
    """From a file of the tree."""
    LITERAL = "literal"
    """From the map's own literals, in their order."""


@dataclass(frozen=True, slots=True)
class Run:
    """Blocks of a disk with one source."""

    source: Source
    """Where they come from."""
    blocks: int
    """How many."""
    sha256: str = ""
    """Of the file's bytes, in hexadecimal."""
    first: int = 0
    """The first block in the file."""


@dataclass(frozen=True, slots=True)
class DiskMap:
    """How a disk comes from a tree."""

    size: int
    """The disk's bytes."""
    disk_digest: str
    """The disk's identity, which every rebuilt disk is compared with."""
    tree_digest: str
    """The tree whose files it means."""
    runs: tuple[Run, ...]
    """From the disk's first block to its last."""
    cuts: tuple[int, ...] = ()
    """The blocks where areas begin, the first one left out; ascending."""

    @property
    def literal_bytes(self) -> int:
        """Bytes of all literals."""
        return BLOCK * sum(run.blocks for run in self.runs if run.source is Source.LITERAL)


def add(runs: list[Run], run: Run) -> None:
    """Append a run, or lengthen the last one if this one goes on with it."""
    if run.blocks <= 0:
        return
    if runs and runs[-1].source is run.source and run.sha256 == runs[-1].sha256:
        last = runs[-1]
        if run.source is not Source.FILE or last.first + last.blocks == run.first:
            runs[-1] = Run(last.source, last.blocks + run.blocks, last.sha256, last.first)
            return
    runs.append(run)


def contents(tree: Iterable[TreeEntry]) -> list[str]:
    """The contents that a map counts."""
    return sorted({entry.sha256 for entry in tree if entry.kind == "file" and entry.size})


def encode(found: DiskMap, tree: Iterable[TreeEntry], *, level: int = LEVELS[0]) -> bytes:
    """The bytes of a map."""
    number = {sha256: place for place, sha256 in enumerate(contents(tree))}
    head = {
        "goldsmith": MARK,
        "size": found.size,
        "disk_digest": found.disk_digest,
        "tree_digest": found.tree_digest,
        "cuts": found.cuts,
    }
    lines = [json.dumps(head, separators=(",", ":"))]
    for run in found.runs:
        if run.source is Source.ZERO:
            lines.append(f"[{run.blocks}]")
        elif run.source is Source.LITERAL:
            lines.append(f"[{run.blocks},-1]")
        else:
            lines.append(f"[{run.blocks},{number[run.sha256]},{run.first}]")
    text = "\n".join([*lines, ""]).encode()
    return zstandard.ZstdCompressor(level=level, write_checksum=True).compress(text)


def decode(data: bytes, tree: Mapping[str, TreeEntry]) -> DiskMap:
    """A map from its bytes, and the tree that it was made for.

    Raises:
        ValueError: it is no map, does not fit the tree, or does not cover its disk.
    """
    try:
        text = unpacked(data, limit=LIMIT)
        first, *lines = text.decode().splitlines()
        facts = json.loads(first)
        if facts["goldsmith"] != MARK:
            raise ValueError(f"it begins with {facts['goldsmith']!r:.40}, not with {MARK!r}")
        size = facts["size"]
        if not isinstance(size, int) or size < 0:
            raise ValueError(f"it is for a disk of {size!r:.40} bytes")
        runs = tuple(_runs(lines, tree))
        cuts = tuple(facts["cuts"])
        if not all(type(cut) is int and cut >= 0 for cut in cuts) or list(cuts) != sorted(set(cuts)):
            raise ValueError(f"its areas begin at {cuts!r:.80}")
        found = DiskMap(size, str(facts["disk_digest"]), str(facts["tree_digest"]), runs, cuts)
    except (KeyError, TypeError, IndexError, RecursionError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error
    covered = sum(run.blocks for run in runs)
    if covered != -(-size // BLOCK):
        raise ValueError(
            f"its runs cover {covered} blocks, and a disk of {size} bytes has {-(-size // BLOCK)}"
        )
    return found


def _runs(lines: Iterable[str], tree: Mapping[str, TreeEntry]) -> Iterator[Run]:
    listed = contents(tree.values())
    sizes = {entry.sha256: entry.size for entry in tree.values() if entry.kind == "file"}
    for line in lines:
        row = json.loads(line)
        if not isinstance(row, list) or not all(type(item) is int for item in row) or row[0] < 1:
            raise ValueError(f"{line!r:.80} is no run")
        if len(row) == 1:
            yield Run(Source.ZERO, row[0])
        elif row[1:] == [-1]:
            yield Run(Source.LITERAL, row[0])
        else:
            blocks, number, start = row
            if not 0 <= number < len(listed) or start < 0:
                raise ValueError(f"{line!r:.80} means a file that the tree does not have")
            if (start + blocks - 1) * BLOCK >= sizes[listed[number]]:
                raise ValueError(f"{line!r:.80} reaches beyond its file's {sizes[listed[number]]} bytes")
            yield Run(Source.FILE, blocks, listed[number], start)
