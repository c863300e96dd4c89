"""How an adopted disk comes from its files: known from where the file system says that they lie."""

import os
from collections.abc import Iterator
from operator import itemgetter

from goldsmith.disk.adopt.contents import Contents
from goldsmith.disk.read.node import Body
from goldsmith.disk.runs import add_rest
from goldsmith.model.disk import BLOCK
from goldsmith.model.diskmap import Run, Source, add

ZERO = bytes(BLOCK)
Placed = tuple[int, int, int, str]
"""First block on the disk, how many, first block in the file, the file's SHA-256."""


def runs_of(disk: int, contents: Contents) -> list[Run]:
    """The runs of a disk, from its first block to its last.

    What files hold is not read, but for what lies behind a file's end in its last block: a map knows zeros there only.

    Args:
        disk: a descriptor of the raw disk that the tree was read from.
        contents: its tree.
    """
    runs: list[Run] = []
    position = 0
    for start, blocks, first, sha256 in sorted(_placed(disk, contents), key=itemgetter(0)):
        over = position - start
        if over >= blocks:
            continue  # two files share blocks, as only a damaged file system has it; one of them is enough
        start, blocks, first = start + max(0, over), blocks - max(0, over), first + max(0, over)  # noqa: PLW2901
        add_rest(disk, runs, position, start)
        add(runs, Run(Source.FILE, blocks, sha256, first))
        position = start + blocks
    add_rest(disk, runs, position, -(-os.fstat(disk).st_size // BLOCK))
    return runs


def _placed(disk: int, contents: Contents) -> Iterator[Placed]:
    seen: set[tuple[int, int]] = set()
    for path, body in contents.bodies.items():
        sha256 = contents.entries[path].sha256
        for piece in body.pieces:
            if (piece.place, piece.length) in seen or piece.place % BLOCK != piece.at % BLOCK:
                continue
            seen.add((piece.place, piece.length))
            lead = -piece.at % BLOCK
            at, place = piece.at + lead, piece.place + lead
            end = min(piece.at + piece.length, body.size)
            whole = (end - at) // BLOCK
            if at + whole * BLOCK < end == body.size and _ends_in_zeros(disk, body, piece.place - piece.at):
                whole += 1
            if whole > 0:
                yield place // BLOCK, whole, at // BLOCK, sha256


def _ends_in_zeros(disk: int, body: Body, shift: int) -> bool:
    """Whether the block that a file ends in holds nothing but zeros behind that end."""
    length = -body.size % BLOCK
    data = os.pread(disk, length, body.size + shift)
    return data == ZERO[: len(data)]
