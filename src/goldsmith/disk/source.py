"""What a disk is made from: a tree that is known by its entries, and where its parts lie on the disk afterwards."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from goldsmith.model.tree import TreeEntry

Opener = Callable[[str], BinaryIO]
"""The bytes of the file at a path of the tree."""


@dataclass(frozen=True, slots=True)
class Source:
    """A finished tree."""

    entries: Mapping[str, TreeEntry]
    """By path; a root that is not listed is root's, with mode 0755."""
    open_file: Opener
    """A path's bytes; called from one thread."""
    mounted: Callable[[], AbstractContextManager[Path]]
    """The same as a directory, for tools that walk it."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Blocks of a disk that hold a part of a file."""

    block: int
    """The first one's number on the disk."""
    blocks: int
    """How many."""
    sha256: str
    """Of the whole file, in hexadecimal."""
    first: int
    """The first one's number in the file."""
