"""How a disk comes from its tree, told by what was written where."""

import os
from collections.abc import Iterator, Sequence

from goldsmith.disk.source import Piece
from goldsmith.model.disk import BLOCK
from goldsmith.model.diskmap import Run, Source, add

WINDOW = 1 << 20
ZERO = bytes(BLOCK)
ZEROS = bytes(WINDOW)


def runs_of(disk: int, pieces: Sequence[Piece]) -> list[Run]:
    """The runs of a disk, first to last; what no piece covers is read, since it may be zeros.

    Args:
        disk: a descriptor of the raw disk.
        pieces: where files lie, in the order of the disk.
    """
    runs: list[Run] = []
    position = 0
    for piece in pieces:
        add_rest(disk, runs, position, piece.block)
        add(runs, Run(Source.FILE, piece.blocks, piece.sha256, piece.first))
        position = piece.block + piece.blocks
    add_rest(disk, runs, position, -(-os.fstat(disk).st_size // BLOCK))
    return runs


def add_rest(disk: int, runs: list[Run], position: int, end: int) -> None:
    """Add blocks of a disk that no file covers: zeros, or literals."""
    for low, high in solid(disk, position * BLOCK, end * BLOCK):
        add(runs, Run(Source.ZERO, low // BLOCK - position))
        position = low // BLOCK
        for at in range(low, high, WINDOW):
            data = os.pread(disk, min(WINDOW, high - at), at)
            if data == ZEROS[: len(data)]:
                add(runs, Run(Source.ZERO, -(-len(data) // BLOCK)))
                position += -(-len(data) // BLOCK)
                continue
            for within in range(0, len(data), BLOCK):
                block = data[within : within + BLOCK]
                zero = block == ZERO[: len(block)]
                add(runs, Run(Source.ZERO if zero else Source.LITERAL, 1))
                position += 1
    add(runs, Run(Source.ZERO, end - position))


def solid(disk: int, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Ranges of the disk between two bytes that may hold something else than zeros; multiples of a block but at the end."""
    size = min(end, os.fstat(disk).st_size)
    position = start
    while position < size:
        try:
            low = os.lseek(disk, position, os.SEEK_DATA)
        except OSError:
            return
        if low >= size:
            return
        high = os.lseek(disk, low, os.SEEK_HOLE)
        low = max(position, low // BLOCK * BLOCK)
        high = min(size, -(-high // BLOCK) * BLOCK)
        yield low, high
        position = high
