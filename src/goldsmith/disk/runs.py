"""How a disk comes from its tree, told by what was written where."""

import os
from collections.abc import Iterator, Sequence

from goldsmith.disk.source import Piece
from goldsmith.effects.sparse import extents
from goldsmith.model.disk import BLOCK
from goldsmith.model.diskmap import Run, Source

ZERO = bytes(BLOCK)
WINDOW = 256


def runs_of(disk: int, pieces: Sequence[Piece]) -> list[Run]:
    """The runs of a disk, first to last; what no piece covers is read, since it may be zeros.

    Args:
        disk: a descriptor of the raw disk.
        pieces: where files lie, in the order of the disk.
    """
    runs: list[Run] = []
    position = 0
    others = literals(disk, pieces)
    pending = next(others, None)
    for piece in pieces:
        while pending is not None and pending[0] < piece.block:
            position = append(runs, position, pending[0], Run(Source.LITERAL, pending[1]))
            pending = next(others, None)
        position = append(
            runs, position, piece.block, Run(Source.FILE, piece.blocks, piece.sha256, piece.first)
        )
    while pending is not None:
        position = append(runs, position, pending[0], Run(Source.LITERAL, pending[1]))
        pending = next(others, None)
    rest = -(-os.fstat(disk).st_size // BLOCK) - position
    if rest:
        runs.append(Run(Source.ZERO, rest))
    return runs


def append(runs: list[Run], position: int, start: int, run: Run) -> int:
    """Add a run that begins at ``start``, with zeros before it; the block after it."""
    if start > position:
        runs.append(Run(Source.ZERO, start - position))
    last = runs[-1] if runs else None
    follows = last is not None and last.source is run.source is Source.FILE and last.sha256 == run.sha256
    if follows and last is not None and last.first + last.blocks == run.first:
        runs[-1] = Run(run.source, last.blocks + run.blocks, run.sha256, last.first)
    else:
        runs.append(run)
    return start + run.blocks


def literals(disk: int, pieces: Sequence[Piece]) -> Iterator[tuple[int, int]]:
    """Runs of blocks that are not zeros and lie in no piece: first block and how many."""
    begin = count = 0
    for start, end in gaps(disk, pieces):
        for at in range(start, end, WINDOW):
            data = os.pread(disk, min(WINDOW, end - at) * BLOCK, at * BLOCK)
            for offset in range(0, len(data), BLOCK):
                if data[offset : offset + BLOCK] == ZERO[: len(data) - offset]:
                    continue
                block = at + offset // BLOCK
                if count and begin + count == block:
                    count += 1
                    continue
                if count:
                    yield begin, count
                begin, count = block, 1
    if count:
        yield begin, count


def gaps(disk: int, pieces: Sequence[Piece]) -> Iterator[tuple[int, int]]:
    """Ranges of blocks ``(start, end)`` that hold data and lie in no piece."""
    index = 0
    for first, last in extents(disk, unit=BLOCK):
        position, end = first // BLOCK, -(-last // BLOCK)
        while position < end:
            while index < len(pieces) and pieces[index].block + pieces[index].blocks <= position:
                index += 1
            covered = index < len(pieces) and pieces[index].block <= position
            if covered:
                position = pieces[index].block + pieces[index].blocks
                continue
            until = min(end, pieces[index].block) if index < len(pieces) else end
            yield position, until
            position = until
