"""A guest's files, looked at by way of its agent: what ReadFile, ListFiles, Assert and conditions ask for."""

import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from goldsmith.effects.root import Root
from goldsmith.machine.channel import Done, Guest, quoted

ERRORS = {os.strerror(number): number for number in errno.errorcode}
BITS = {"d": stat.S_IFDIR, "f": stat.S_IFREG, "l": stat.S_IFLNK, "b": stat.S_IFBLK, "c": stat.S_IFCHR}
BITS |= {"p": stat.S_IFIFO, "s": stat.S_IFSOCK}
PRINTED = "%y %m %U %G %s %p\\0"
"""What find(1) is to print of each file."""
FIELDS = 6


class GuestFiles(Root):
    """A guest's files, to be looked at only: what would write raises ``OSError``.

    What was seen counts until ``forget`` is called, since every question takes an emulated guest half a second.
    """

    def __init__(self, guest: Guest, nothing: Path) -> None:
        """``nothing`` is an empty directory: whatever is not asked inside finds nothing."""
        super().__init__(nothing)
        self._guest = guest
        self._seen: dict[tuple[str, bool], os.stat_result | OSError] = {}

    def forget(self) -> None:
        """Look anew: something may have changed."""
        self._seen.clear()

    @contextmanager
    def opened(self, path: str, flags: int, mode: int = 0) -> Iterator[int]:  # noqa: ARG002 - as Root has it
        """A copy of a file, which can only be read."""
        if flags & ~(os.O_CLOEXEC | os.O_NOFOLLOW):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)
        content = self._ask(path, f"cat {quoted(path)}")
        with tempfile.TemporaryFile() as copy:
            copy.write(content)
            copy.seek(0)
            yield copy.fileno()

    def stat(self, path: str) -> os.stat_result:
        """What is at the end of ``path``."""
        return self._facts(path, follow=True)

    def lstat(self, path: str) -> os.stat_result:
        """What ``path`` itself is."""
        return self._facts(path, follow=False)

    def readlink(self, path: str) -> str:
        """Where a symbolic link points."""
        return os.fsdecode(self._ask(path, f"readlink -nv {quoted(path)}"))

    def listdir(self, path: str) -> list[str]:
        """The names in a directory, sorted."""
        return [PurePosixPath(found).name for found, _ in self._below(path, "-maxdepth 1")]

    def scan(self, path: str) -> list[tuple[str, bool]]:
        """The names in a directory, each with whether it is a directory itself."""
        found = self._below(path or "/", "-maxdepth 1")
        return [(PurePosixPath(name).name, stat.S_ISDIR(facts.st_mode)) for name, facts in found]

    def walk(self, top: str = "/") -> Iterator[tuple[str, os.stat_result]]:
        """Every path below ``top`` with what it itself is."""
        yield from self._below(top, "")

    def _facts(self, path: str, *, follow: bool) -> os.stat_result:
        seen = self._seen.get((path, follow))
        if seen is None:
            option = "-L " if follow else ""
            try:
                words = self._ask(path, f"stat {option}-c '%f %u %g %s' {quoted(path)}").decode().split()
                seen = _result(int(words[0], 16), *map(int, words[1:]))
            except OSError as error:
                seen = error
            self._seen[path, follow] = seen
        if isinstance(seen, OSError):
            raise seen
        return seen

    def _below(self, top: str, limit: str) -> list[tuple[str, os.stat_result]]:
        if not stat.S_ISDIR(self.stat(top).st_mode):
            raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), top)
        where = f"{top.rstrip('/')}/."
        # What vanishes while find looks is no error.
        script = f"cd {quoted(where)} && {{ find . -mindepth 1 {limit} -printf {quoted(PRINTED)}; :; }}"
        found = []
        for line in self._ask(top, script).split(b"\0")[:-1]:
            kind, mode, uid, gid, size, name = line.split(b" ", FIELDS - 1)
            path = f"{top.rstrip('/')}/{os.fsdecode(name)[2:]}"
            facts = _result(BITS[kind.decode()] | int(mode, 8), int(uid), int(gid), int(size))
            self._seen[path, False] = facts
            if not stat.S_ISLNK(facts.st_mode):
                self._seen[path, True] = facts
            found.append((path, facts))
        return sorted(found, key=lambda item: item[0].split("/"))

    def _ask(self, path: str, script: str) -> bytes:
        done = self._guest.run(script)
        if done.code:
            raise _error(done, path)
        return done.stdout


def _result(mode: int, uid: int, gid: int, size: int) -> os.stat_result:
    return os.stat_result((mode, 0, 0, 1, uid, gid, size, 0, 0, 0))


def _error(done: Done, path: str) -> OSError:
    """What a program inside complained of, as the error it stands for."""
    number = next((ERRORS[text] for text in ERRORS if done.complaint.endswith(text)), errno.EIO)
    return OSError(number, os.strerror(number), path)
