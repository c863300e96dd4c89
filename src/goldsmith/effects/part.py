"""A file that is being downloaded: what of it is here, its digests, and the rule that it never grows too large."""

import errno
import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from goldsmith.effects import files
from goldsmith.effects.access import Access
from goldsmith.errors import NoSpace

CHUNK = 256 * 1024
CHANGED = "the file was changed on the server or on the way: use another mirror, or correct the checksum if it was on purpose"
"""What to do about other bytes than those that were asked for."""


class Refused(Exception):
    """One try failed; ``reason`` is for the message, ``final`` where another try cannot help.

    ``hint`` is what to do about it, where that is known.
    """

    def __init__(self, reason: str, *, final: bool = False, status: int = 0, hint: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.final = final
        self.status = status
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file to download."""

    url: str
    """Where it is: ``http``, ``https`` or ``file``."""
    path: Path
    """Where it goes."""
    digests: Mapping[str, str]
    """What it must hash to: hashlib's name of an algorithm to hexadecimal digits; may be empty."""
    size: int | None = None
    """Its size in bytes, if known."""
    access: Access = field(default_factory=Access)
    """How its server is reached."""


class Part:
    """The file that is being written: its size so far, its digests, and the rule that it never grows too large."""

    def __init__(self, descriptor: int, item: Wanted, tell: Callable[[int], None], limit: int) -> None:
        self.descriptor = descriptor
        self.item = item
        self.told = 0
        self._tell = tell
        self._limit = item.size if item.size is not None else limit
        self._start()
        os.lseek(descriptor, 0, os.SEEK_SET)
        while block := os.read(descriptor, CHUNK):
            self._count(block)
        if self.size > self._limit:
            self.empty()

    def _start(self) -> None:
        self.size = 0
        self._hashes = {name: hashlib.new(name) for name in {"sha256", *self.item.digests}}

    def _count(self, block: bytes) -> None:
        self.size += len(block)
        for value in self._hashes.values():
            value.update(block)
        self.told += len(block)
        self._tell(len(block))

    def add(self, block: bytes) -> None:
        """Append bytes that a server sent."""
        if self.size + len(block) > self._limit:
            self.empty()
            raise Refused(f"the server sends more than {self._limit} bytes")
        try:
            files.write_all(self.descriptor, block)
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise NoSpace(
                    f"no space left while writing {self.item.path}",
                    hint="free some space there and try again; the download goes on where it stopped",
                ) from error
            raise
        self._count(block)

    def empty(self) -> None:
        """Start anew."""
        os.ftruncate(self.descriptor, 0)
        os.lseek(self.descriptor, 0, os.SEEK_SET)
        self._tell(-self.told)
        self.told = 0
        self._start()

    @property
    def sha256(self) -> str:
        """The SHA-256 of what is here."""
        return self._hashes["sha256"].hexdigest()

    def check(self) -> None:
        """Whether the file is whole and what it should be."""
        if self.item.size is not None and self.size < self.item.size:
            raise Refused(f"the server sent {self.size} of {self.item.size} bytes")
        for name, digest in self.item.digests.items():
            found = self._hashes[name].hexdigest()
            if found != digest.lower():
                self.empty()
                raise Refused(f"its {name} is {found}, and not {digest.lower()}", hint=CHANGED)


def part_path(path: Path) -> Path:
    """Where the unfinished file of ``path`` lies."""
    return path.with_name(f".{path.name}.part")


@contextmanager
def unfinished(path: Path) -> Iterator[int]:
    """The unfinished file of ``path``, held by this thread alone, among all processes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    name = part_path(path)
    while True:
        descriptor = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            # Another process may have finished this file while we waited: then the name is gone, or another's.
            with suppress(FileNotFoundError):
                if os.path.samestat(os.stat(name), os.fstat(descriptor)):
                    yield descriptor
                    return
        finally:
            os.close(descriptor)
