"""What a search for leaks says of an image."""

from dataclasses import dataclass
from enum import StrEnum


class Where(StrEnum):
    """In what part of an image something was found."""

    FILE = "file"
    """In a file of a file system."""
    FREE_BLOCK = "free-block"
    """In blocks of a file system that belong to no file, or behind a file's end: what was deleted."""
    JOURNAL = "journal"
    """In a file system's journal."""
    PARTITION = "partition"
    """Elsewhere on the disk: tables of partitions and file systems, what cannot be read as a file system, gaps."""


@dataclass(frozen=True, slots=True, order=True)
class Leak:
    """One finding."""

    path: str
    """The file; empty outside files."""
    offset: int
    """Where it begins: in the file, or, outside files, on the disk, in bytes."""
    kind: str
    """What it is: the name of a seal operation (``machine-id``), of a secret (``private-key``), or ``deleted-data``."""
    family: str
    """``trace``: what sealing removes; ``secret``: what a detector knows; ``remains``: data that belongs to nothing."""
    where: Where
    """In what part of the image."""
    excerpt: str
    """What is there, masked: it helps to know it again, and not to use it."""
    partition: str = ""
    """The partition, where the disk has several file systems with files; what covers a file that an archive still holds;
    empty for the root."""


@dataclass(frozen=True, slots=True)
class LeakReport:
    """All findings in an image, and what was looked at."""

    findings: tuple[Leak, ...]
    """By path and offset."""
    files: int
    """Files that were looked at."""
    searched: int
    """Bytes that were looked at, zeros and holes left out."""
    notes: tuple[str, ...] = ()
    """What the reader must know: what could not be looked at, what was left out and why."""
    is_whole: bool = True
    """Whether everything was looked at."""

    @property
    def ok(self) -> bool:
        """Whether everything was looked at, and nothing was found."""
        return self.is_whole and not self.findings
