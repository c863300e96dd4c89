"""A tree that nobody mounts, looked at by its list: what ``builder.match.Sight`` asks for."""

import errno
import os
import stat
from collections.abc import Callable, Mapping

from goldsmith.model.tree import TreeEntry

KINDS = {
    "file": stat.S_IFREG,
    "dir": stat.S_IFDIR,
    "symlink": stat.S_IFLNK,
    "fifo": stat.S_IFIFO,
    "socket": stat.S_IFSOCK,
    "char": stat.S_IFCHR,
    "block": stat.S_IFBLK,
    "device": stat.S_IFCHR,
}
LINKS = 40
"""Symbolic links that are followed in one path; the kernel's number."""
ROOT = TreeEntry("/", "dir", 0o755, 0, 0, 0)
LARGEST = 256 << 20
"""Bytes of a file that are read at once, at most: an image may hold a swap file of any size."""
Read = Callable[[str, int], bytes]
"""The first bytes of a file, so many at most."""


class ListedTree:
    """Entries by path, and a way to read a file's bytes."""

    def __init__(self, entries: Mapping[str, TreeEntry], read: Read) -> None:
        self.entries = entries
        self._read = read
        self._names: dict[str, dict[str, bool]] = {"": {}}
        for path, entry in entries.items():
            if path != "/":
                self._add(path, is_directory=entry.kind == "dir")

    def _add(self, path: str, *, is_directory: bool) -> None:
        """Also the directories above that nobody listed, as archives may leave them out."""
        parent, _, name = path.rpartition("/")
        known = self._names.get(parent)
        if known is None:
            known = self._names[parent] = {}
            self._add(parent, is_directory=True)
        known[name] = is_directory or known.get(name, False)

    def stat(self, path: str, /) -> os.stat_result:
        """What is at the end of a path."""
        return self.lstat(self.real(path))

    def lstat(self, path: str, /) -> os.stat_result:
        """What a path itself is."""
        real = self.real(path, follow=False)
        entry = self.entries.get(real or "/")
        if entry is None and real in self._names:
            entry = ROOT
        if entry is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        mode = KINDS[entry.kind] | entry.mode
        times = (entry.mtime,) * 3
        return os.stat_result((mode, 0, 0, 1, entry.uid, entry.gid, entry.size, *times))

    def read(self, path: str, /, limit: int = LARGEST) -> bytes:
        """The first bytes of a file; all of them, if it is not very large."""
        real = self.real(path)
        if not stat.S_ISREG(self.lstat(real).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", path)
        return self._read(real, limit)

    def scan(self, path: str, /) -> list[tuple[str, bool]]:
        """The names in a directory, in no order, each with whether it is a directory itself."""
        real = self.real(path)
        if not stat.S_ISDIR(self.lstat(real or "/").st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
        return list(self._names.get(real, {}).items())

    def real(self, path: str, *, follow: bool = True) -> str:
        """A path without links in it; the root is the empty text. ``follow`` says whether its last name is followed.

        Raises:
            FileNotFoundError: links go round in a circle.
        """
        waiting = [word for word in reversed(path.split("/")) if word not in {"", "."}]
        done: list[str] = []
        links = 0
        while waiting:
            word = waiting.pop()
            if word == "..":
                del done[-1:]
                continue
            here = "/".join(["", *done, word])
            entry = self.entries.get(here)
            if entry is None or entry.kind != "symlink" or (not waiting and not follow):
                done.append(word)
                continue
            links += 1
            if links > LINKS:
                raise FileNotFoundError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            if entry.target.startswith("/"):
                done = []
            waiting += [word for word in reversed(entry.target.split("/")) if word not in {"", "."}]
        return "/".join(["", *done]) if done else ""
