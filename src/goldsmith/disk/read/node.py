"""What a file system says of one path, before its bytes were read."""

import io
import os
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO, NamedTuple

SMALL = 4 << 20
"""Bytes up to which a file is read at once."""
BUFFER = 1 << 20


class Piece(NamedTuple):
    """Some bytes of a file that lie in one piece."""

    at: int
    """Where in the file they begin."""
    place: int
    """Where on the disk they begin."""
    length: int
    """How many they are."""


def _at(piece: Piece) -> int:
    return piece.at


@dataclass(frozen=True, slots=True)
class Body:
    """Where the bytes of a file lie; what no piece covers is zeros."""

    descriptor: int
    """The disk."""
    size: int
    """How many bytes the file has."""
    pieces: Sequence[Piece] = ()
    """In the order of the file, without overlaps; the last one may reach beyond the file's end."""
    inline: bytes | None = None
    """Its first bytes, where they lie in the inode; what follows is zeros."""

    def read(self, at: int, length: int) -> bytes:
        """Bytes of it, fewer at its end."""
        end = min(self.size, at + length)
        if self.inline is not None:
            return self.inline[at:end].ljust(max(0, end - at), b"\0")
        if (
            len(self.pieces) == 1
            and self.pieces[0].at <= at
            and end <= self.pieces[0].at + self.pieces[0].length
        ):
            return os.pread(self.descriptor, max(0, end - at), self.pieces[0].place + at - self.pieces[0].at)
        data = bytearray(max(0, end - at))
        first = max(0, bisect_right(self.pieces, at, key=_at) - 1)
        for piece in islice(self.pieces, first, None):
            if piece.at >= end:
                break
            low, high = max(at, piece.at), min(end, piece.at + piece.length)
            if low < high:
                data[low - at : high - at] = os.pread(
                    self.descriptor, high - low, piece.place + low - piece.at
                )
        return bytes(data)

    def open(self) -> BinaryIO:
        """Its bytes as a file."""
        if self.size <= SMALL:
            return io.BytesIO(self.read(0, self.size))
        return io.BufferedReader(self.raw(), BUFFER)

    def raw(self) -> io.RawIOBase:
        """Its bytes as a stream without a buffer."""
        return _Reading(self)


class _Reading(io.RawIOBase):
    """A body as a raw stream."""

    def __init__(self, body: Body) -> None:
        super().__init__()
        self._body = body
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._body.size}[whence]
        self._at = base + offset
        return self._at

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type] # any writable buffer
        data = self._body.read(self._at, len(view))
        view[: len(data)] = data
        self._at += len(data)
        return len(data)


@dataclass(slots=True)
class Node:
    """One path of a file system."""

    path: str
    """Absolute in its file system; the root is ``/``."""
    kind: str
    """``file``, ``dir``, ``symlink``, ``fifo``, ``socket``, ``char`` or ``block``."""
    mode: int
    uid: int
    gid: int
    mtime: int
    target: str = ""
    """Where a symbolic link points; ``MAJOR:MINOR`` of a device."""
    xattrs: tuple[tuple[str, str], ...] = ()
    link: str = ""
    """As ``TreeEntry.link``."""
    body: Body | None = None
    """The bytes of a file."""
