"""Find the files of a tree on a disk made from it, whatever the file system.

- A block that is the first of a file, by its SHA-256, begins the file: if the following bytes have the file's SHA-256
  all of it lies there, and the file need not be opened.
- Otherwise (the file lies in pieces, or blocks of zeros were left out) the file is opened and compared block by block;
  where it stops, its next block is looked out for in what follows, and at last in what was found nowhere.
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import BinaryIO

from goldsmith.effects.sparse import extents
from goldsmith.model.disk import BLOCK
from goldsmith.model.diskmap import Run, Source, add

WINDOW = 1 << 20
ZERO = bytes(BLOCK)
PATIENCE = 8
"""How often a content may begin somewhere and not lie there whole, before it is compared block by block at once."""
ROUNDS = 8
"""How often what was found nowhere is searched for what broke off; each round ends at least one file's break."""


@dataclass(frozen=True, slots=True)
class Content:
    """A file's bytes, as the search knows them."""

    sha256: str
    """Of all of them, in hexadecimal."""
    size: int
    """How many."""

    @property
    def blocks(self) -> int:
        """How many blocks they take."""
        return -(-self.size // BLOCK)


@dataclass(frozen=True, slots=True)
class Start:
    """A block of a file by which it is recognised."""

    content: Content
    """The file."""
    block: int
    """The block's number in it."""


@dataclass(slots=True)
class Search:
    """The state of looking for files on one disk."""

    disk: int
    """A descriptor of the disk."""
    open_content: Callable[[str], BinaryIO]
    """The bytes with a SHA-256."""
    starts: dict[str, list[Start]]
    """By the SHA-256 of a block; longest files first."""
    size: int = field(init=False)
    """The disk's bytes."""
    broken: dict[str, int] = field(default_factory=dict)
    """By SHA-256: how often a content began somewhere and did not lie there whole."""

    def __post_init__(self) -> None:
        self.size = os.fstat(self.disk).st_size


def find_runs(
    disk: int, starts: Mapping[str, list[Start]], open_content: Callable[[str], BinaryIO]
) -> list[Run]:
    """The runs of a disk, from its first block to its last.

    Args:
        disk: a descriptor of the raw disk; holes cost nothing.
        starts: the first block of each content that is not all zeros, by the block's SHA-256.
        open_content: the bytes with a SHA-256, for files that do not lie in one piece.
    """
    search = Search(disk, open_content, {digest: list(found) for digest, found in starts.items()})
    runs: list[Run] = []
    position = 0
    for start, end in extents(disk, unit=BLOCK):
        add(runs, Run(Source.ZERO, start // BLOCK - position))
        position = max(position, start // BLOCK)
        position = scan(search, runs, position, -(-end // BLOCK))
    add(runs, Run(Source.ZERO, -(-search.size // BLOCK) - position))
    for _ in range(ROUNDS):
        before = sum(run.blocks for run in runs if run.source is Source.LITERAL)
        runs = again(search, runs)
        if before == sum(run.blocks for run in runs if run.source is Source.LITERAL):
            break
    return runs


def scan(search: Search, runs: list[Run], position: int, end: int) -> int:
    """Find what lies in the blocks from ``position`` to ``end``; the block where it stopped, perhaps later than that."""
    window, window_start = b"", 0
    while position < end:
        at = (position - window_start) * BLOCK
        if not 0 <= at < len(window):
            window_start, at = position, 0
            window = os.pread(search.disk, min(WINDOW, (end - position) * BLOCK), position * BLOCK)
        block = window[at : at + BLOCK]
        if len(block) < BLOCK:
            block = block.ljust(BLOCK, b"\0")
        if block == ZERO:
            add(runs, Run(Source.ZERO, 1))
            position += 1
            continue
        found = recognise(search, position, hashlib.sha256(block).hexdigest())
        for run in found or [Run(Source.LITERAL, 1)]:
            add(runs, run)
            position += run.blocks
    return position


def again(search: Search, runs: list[Run]) -> list[Run]:
    """The same runs, with literals searched once more for files that broke off after they were passed."""
    result: list[Run] = []
    position = 0
    for run in runs:
        if run.source is Source.LITERAL:
            part: list[Run] = []
            done = scan(search, part, position, position + run.blocks)
            over = done - (position + run.blocks)
            for piece in part if over == 0 else [run]:
                add(result, piece)
        else:
            add(result, run)
        position += run.blocks
    return result


def recognise(search: Search, position: int, digest: str) -> list[Run]:
    """The runs that begin at a block with this digest; empty if no file is known by it."""
    known = search.starts.get(digest)
    if not known:
        return []
    whole = longest_whole(search, position, known)
    if whole is not None:
        return [Run(Source.FILE, whole.blocks, whole.sha256)]
    best: list[Run] = []
    goes_on: Start | None = None
    for start in known[:4]:
        runs, following = compare(search, position, start)
        if sum(run.blocks for run in runs) > sum(run.blocks for run in best):
            best, goes_on = runs, following
    if goes_on is not None:
        look_out(search, goes_on)
    return best


def longest_whole(search: Search, position: int, known: list[Start]) -> Content | None:
    """The longest of the contents that begin here and lie here in one piece."""
    found: Content | None = None
    state = hashlib.sha256()
    done = 0
    candidates = {
        start.content
        for start in known
        if start.block == 0 and search.broken.get(start.content.sha256, 0) < PATIENCE
    }
    for content in sorted(candidates, key=lambda content: (content.size, content.sha256)):
        if position * BLOCK + content.size > search.size:
            break
        while done < content.size:
            piece = os.pread(search.disk, min(WINDOW, content.size - done), position * BLOCK + done)
            state.update(piece)
            done += len(piece)
        rest = -content.size % BLOCK
        behind = os.pread(search.disk, rest, position * BLOCK + content.size) if rest else b""
        if state.hexdigest() == content.sha256 and behind == ZERO[: len(behind)]:
            found = content
        else:
            search.broken[content.sha256] = search.broken.get(content.sha256, 0) + 1
    return found


def compare(search: Search, position: int, start: Start) -> tuple[list[Run], Start | None]:
    """How far a file lies at a place, block by block, and where it goes on elsewhere; zeros may have been left out."""
    runs: list[Run] = []
    content = start.content
    with search.open_content(content.sha256) as stream:
        stream.seek(start.block * BLOCK)
        for number, block in blocks_of(stream, start.block):
            there = os.pread(search.disk, BLOCK, position * BLOCK).ljust(BLOCK, b"\0")
            if block == there:
                add(runs, Run(Source.FILE, 1, content.sha256, number))
                position += 1
            elif block != ZERO:
                return runs, Start(content, number)
    return runs, None


def blocks_of(stream: BinaryIO, first: int) -> Iterator[tuple[int, bytes]]:
    """A file's blocks with their numbers, from ``first`` on; the last one filled up with zeros."""
    number = first
    while data := stream.read(WINDOW):
        while len(data) % BLOCK and (more := stream.read(BLOCK - len(data) % BLOCK)):
            data += more
        for at in range(0, len(data), BLOCK):
            yield number, data[at : at + BLOCK].ljust(BLOCK, b"\0")
            number += 1


def look_out(search: Search, start: Start) -> None:
    """Know a file by two more blocks: the one where it broke off, and the next, in case just this one is another here."""
    with search.open_content(start.content.sha256) as stream:
        stream.seek(start.block * BLOCK)
        for number, block in islice(blocks_of(stream, start.block), 2):
            known = search.starts.setdefault(hashlib.sha256(block).hexdigest(), [])
            if Start(start.content, number) not in known and block != ZERO:
                known.append(Start(start.content, number))
