"""A table of a file that is written page by page, since for a large disk it would not fit into memory."""

import sys
from array import array
from typing import BinaryIO

PAGE = 1 << 16
"""Entries held at once."""


class PagedTable:
    """Entries of one size at a place of a file, little-endian, set in rising order."""

    def __init__(self, target: BinaryIO, *, at: int, count: int, typecode: str, fill: int) -> None:
        """A table of ``count`` entries that are ``fill`` until they are set.

        Args:
            target: the file; its position is kept by every call.
            at: the table's first byte.
            count: entries.
            typecode: of ``array``: ``I`` for 4 bytes, ``Q`` for 8.
            fill: what entries hold that are never set. If 0, pages without any other are left as holes.
        """
        self._target = target
        self._at = at
        self._count = count
        self._empty = array(typecode, [fill]) * PAGE
        self._skips = fill == 0
        self._page = 0
        self._entries = self._empty[:]
        self._dirty = False

    def set(self, index: int, value: int) -> None:
        """Give one entry its value; indices only rise."""
        while self._page < index // PAGE:
            self._flush()
        self._entries[index % PAGE] = value
        self._dirty = True

    def finish(self) -> None:
        """Write what is left."""
        while self._page * PAGE < self._count:
            self._flush()

    def _flush(self) -> None:
        if self._dirty or not self._skips:
            entries = self._entries[: self._count - self._page * PAGE]
            if sys.byteorder == "big":
                entries.byteswap()
            back = self._target.tell()
            self._target.seek(self._at + self._page * PAGE * entries.itemsize)
            self._target.write(entries.tobytes())
            self._target.seek(back)
            self._entries = self._empty[:]
            self._dirty = False
        self._page += 1
