"""How much a disk may hold before it is taken for a bomb, counted while it is read."""

from dataclasses import dataclass

from goldsmith.disk.read.area import refused

ENTRIES = 2_000_000
"""Paths of a tree."""
TEXT = 256 << 20
"""Bytes of all paths, link targets and extended attributes."""
DIRECTORIES = 1 << 30
"""Bytes of all directories."""
ZEROS = 64 << 30
"""Bytes of sparse files beyond ``TIMES`` what the disk holds; each is read as zeros, at some 1.5 GB/s."""
TIMES = 8
PATH = 4095
"""Bytes of a path; the kernel takes no longer one."""


@dataclass(slots=True)
class Tally:
    """What was counted so far."""

    held: int
    """Bytes that the file with the disk takes, holes left out."""
    entries: int = 0
    text: int = 0
    directories: int = 0
    contents: int = 0

    def entry(self, text: int) -> None:
        """Count a path, with the bytes of its texts.

        Raises:
            InputError: there are too many.
        """
        self.entries += 1
        self.text += text
        if self.entries > ENTRIES or self.text > TEXT:
            raise _bomb(f"more than {ENTRIES} paths, or {TEXT >> 20} MiB of names and attributes")

    def directory(self, size: int) -> None:
        """Count the bytes of a directory; errors as ``entry``."""
        self.directories += size
        if self.directories > DIRECTORIES:
            raise _bomb(f"more than {DIRECTORIES >> 20} MiB of directories")

    def content(self, size: int) -> None:
        """Count the bytes of a file; errors as ``entry``."""
        self.contents += size
        if self.contents > self.held * TIMES + ZEROS:
            raise _bomb(f"files of {self.contents >> 30} GiB in {self.held >> 20} MiB")


def _bomb(what: str) -> Exception:
    return refused(
        f"it holds {what}, too much for a golden image",
        "if the disk is what you want, make a smaller one: remove what it does not need",
    )
