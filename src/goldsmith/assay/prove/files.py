"""A guest's files by way of its agent: what the file modules, Assert and conditions of components ask for."""

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
PRINTED = "%y %m %U %G %s %i %D %p\\0"
"""What find(1) is to print of each file."""
FIELDS = 8
UNSET = 0o6001
"""The mode of a file that is being written here until somebody says another."""
TO = "status=none bs=64K"
"""dd's words; a shell's own redirection complains in words of its own."""
SECONDS = 300.0
"""For what is written; an emulated guest takes 5 MB a second."""


class GuestFiles(Root):
    """A guest's files; the guest's own programs read and write them, as root.

    What was seen counts until something is written or ``forget`` is called, since every question takes an emulated
    guest half a second.
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
    def opened(self, path: str, flags: int, mode: int = 0) -> Iterator[int]:
        """A copy of a file, to be read; or an empty one that is written to the guest when the block ends."""
        kind = flags & ~(os.O_CLOEXEC | os.O_NOFOLLOW)
        anew = os.O_CREAT | os.O_TRUNC
        if kind not in {os.O_RDONLY, os.O_WRONLY | anew, os.O_RDWR | anew}:
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP), path)
        with tempfile.TemporaryFile() as copy:
            if kind == os.O_RDONLY:
                copy.write(self._ask(path, f"cat {quoted(path)}"))
                copy.seek(0)
                yield copy.fileno()
                return
            os.fchmod(copy.fileno(), UNSET)
            yield copy.fileno()
            copy.seek(0)
            bits = stat.S_IMODE(os.fstat(copy.fileno()).st_mode)
            self._put(path, copy.read(), new=mode, mode=None if bits == UNSET else bits)

    def write(
        self,
        path: str,
        data: bytes,
        *,
        mode: int | None = None,
        uid: int | None = None,
        gid: int | None = None,
    ) -> None:
        """As ``Root.write``."""
        self._put(path, data, new=0o644, mode=mode, uid=uid, gid=gid)

    def append(self, path: str, data: bytes) -> None:
        """As ``Root.append``."""
        self._change(path, f"dd {TO} oflag=append conv=notrunc {quoted(f'of={path}')}", data)

    def mkdir(
        self, path: str, *, mode: int = 0o755, uid: int = 0, gid: int = 0, parents: bool = False
    ) -> None:
        """As ``Root.mkdir``."""
        if self.is_dir(path):
            return
        parent = str(PurePosixPath("/", path.rstrip("/")).parent)
        if parents and not self.is_dir(parent):
            self.mkdir(parent, parents=True)
        self._change(
            path, "\n".join([f"mkdir {quoted(path)} || exit", *_owned(path, uid, gid), _moded(path, mode)])
        )

    def symlink(self, path: str, target: str, *, force: bool = False) -> None:
        """As ``Root.symlink``."""
        self._change(path, f"ln -sT{'f' if force else ''} -- {quoted(target, path)}")

    def rename(self, source: str, destination: str) -> None:
        """As ``Root.rename``; to another file system it is copied."""
        self._change(source, f"mv -fT {quoted(source, destination)}")

    def remove(self, path: str) -> None:
        """As ``Root.remove``."""
        self._change(path, f"rm -rf {quoted(path)}")

    def chmod(self, path: str, mode: int) -> None:
        """As ``Root.chmod``."""
        self._change(path, _moded(path, mode))

    def chown(self, path: str, uid: int, gid: int) -> None:
        """As ``Root.chown``."""
        self._change(path, "\n".join(_owned(path, uid, gid)))

    def utime(self, path: str, seconds: int) -> None:
        """As ``Root.utime``."""
        self._change(path, f"touch -c -d @{seconds} {quoted(path)}")

    def real(self, path: str) -> str:
        """As ``Root.real``."""
        return os.fsdecode(self._ask(path, f"readlink -nve {quoted(path)}"))

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
                words = (
                    self._ask(path, f"stat {option}-c '%f %u %g %s %i %d' {quoted(path)}").decode().split()
                )
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
            kind, mode, *numbers, name = line.split(b" ", FIELDS - 1)
            path = f"{top.rstrip('/')}/{os.fsdecode(name)[2:]}"
            facts = _result(BITS[kind.decode()] | int(mode, 8), *map(int, numbers))
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

    def _put(
        self,
        path: str,
        data: bytes,
        *,
        new: int,
        mode: int | None = None,
        uid: int | None = None,
        gid: int | None = None,
    ) -> None:
        """Write a file whole; one that is made gets the mode ``new``."""
        lines = [
            f"umask {0o777 & ~new:04o}",
            f"dd {TO} {quoted(f'of={path}')} || exit",
            *_owned(path, -1 if uid is None else uid, -1 if gid is None else gid),
        ]
        if mode is not None:
            lines.append(_moded(path, mode))
        self._change(path, "\n".join(lines), data)

    def _change(self, path: str, script: str, data: bytes = b"") -> None:
        self.forget()
        done = self._guest.run(script, stdin=data, timeout=SECONDS)
        if done.code:
            raise _error(done, path)


def _owned(path: str, uid: int, gid: int) -> Iterator[str]:
    """The command that sets owner and group; ``OWNER:`` alone would mean that account's own group."""
    owner = (str(uid) if uid >= 0 else "") + (f":{gid}" if gid >= 0 else "")
    if owner:
        yield f"chown {owner} {quoted(path)} || exit"


def _moded(path: str, mode: int) -> str:
    """The command that sets the mode; five digits, since four leave a folder's setgid bit."""
    return f"chmod {mode:05o} {quoted(path)}"


def _result(mode: int, uid: int, gid: int, size: int, inode: int, device: int) -> os.stat_result:
    return os.stat_result((mode, inode, device, 1, uid, gid, size, 0, 0, 0))


def _error(done: Done, path: str) -> OSError:
    """What a program inside complained of, as the error it stands for."""
    number = next((ERRORS[text] for text in ERRORS if done.complaint.endswith(text)), errno.EIO)
    if "cannot overwrite directory" in done.complaint:  # ln and mv look before they try
        number = errno.EISDIR
    return OSError(number, os.strerror(number), path)
