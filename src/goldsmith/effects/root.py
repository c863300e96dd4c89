"""A tree seen as ``/``: no path inside it, whatever its symbolic links say, leads out of it.

Paths are resolved by the kernel (``openat2`` with ``RESOLVE_IN_ROOT``, Linux 5.6), so a package that ships
``/etc/motd -> /host/file`` writes into its own tree only.
"""

import ctypes
import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Self

OPENAT2 = 437
RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_IN_ROOT = 0x10
_libc = ctypes.CDLL(None, use_errno=True)


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


class Root:
    """File operations in a tree, as a process chrooted into it would do them.

    All paths are absolute in the tree. Operations follow symbolic links inside the tree, but for ``remove``,
    ``lstat``, ``readlink`` and ``symlink``, which act on the link itself. Errors are ``OSError`` with the path.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._descriptor = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)

    def close(self) -> None:
        """Let go of the directory."""
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def opened(self, path: str, flags: int, mode: int = 0) -> Iterator[int]:
        """A file descriptor of ``path``."""
        how = _OpenHow(flags | os.O_CLOEXEC, mode, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
        relative = os.fsencode(path.lstrip("/") or ".")
        descriptor = _libc.syscall(OPENAT2, self._descriptor, relative, ctypes.byref(how), ctypes.sizeof(how))
        if descriptor < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), path)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    @contextmanager
    def _parent(self, path: str) -> Iterator[tuple[int, str]]:
        pure = PurePosixPath("/", path.rstrip("/"))
        if pure.name in {"", ".."}:
            raise OSError(errno.EINVAL, "not a name in a directory", path)
        with self.opened(str(pure.parent), os.O_PATH | os.O_DIRECTORY) as descriptor:
            yield descriptor, pure.name

    def read(self, path: str) -> bytes:
        """The bytes of a file."""
        with self.opened(path, os.O_RDONLY) as descriptor, open(descriptor, "rb", closefd=False) as stream:
            return stream.read()

    def read_text(self, path: str) -> str:
        """The text of a file; bytes that are no UTF-8 survive a round trip."""
        return self.read(path).decode(errors="surrogateescape")

    def write(
        self,
        path: str,
        data: bytes,
        *,
        mode: int | None = None,
        uid: int | None = None,
        gid: int | None = None,
    ) -> None:
        """Write a file whole; an existing one keeps its mode and owner unless they are given (new: 0644, 0:0)."""
        new = not self.exists(path)
        with self.opened(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644) as descriptor:
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
            if new or uid is not None or gid is not None:
                os.fchown(
                    descriptor,
                    -1 if uid is None and not new else uid or 0,
                    -1 if gid is None and not new else gid or 0,
                )
            if new or mode is not None:
                os.fchmod(descriptor, 0o644 if mode is None else mode)

    def append(self, path: str, data: bytes) -> None:
        """Add to the end of a file, which is made if it is missing."""
        old = self.read(path) if self.exists(path) else b""
        self.write(path, old + data)

    def mkdir(
        self, path: str, *, mode: int = 0o755, uid: int = 0, gid: int = 0, parents: bool = False
    ) -> None:
        """Make a directory; one that exists stays as it is. Parents get mode 0755 and owner root."""
        if self.is_dir(path):
            return
        parent = str(PurePosixPath("/", path.rstrip("/")).parent)
        if parents and not self.is_dir(parent):
            self.mkdir(parent, parents=True)
        with self._parent(path) as (directory, name):
            os.mkdir(name, dir_fd=directory)
        self.chown(path, uid, gid)
        self.chmod(path, mode)

    def symlink(self, path: str, target: str, *, force: bool = False) -> None:
        """Make ``path`` a symbolic link to ``target``; ``force`` replaces what is there, unless a directory."""
        with self._parent(path) as (directory, name):
            if force:
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=directory)
            os.symlink(target, name, dir_fd=directory)

    def rename(self, source: str, destination: str) -> None:
        """Give a file another place in the tree; what is at ``destination`` is replaced, as the system call says."""
        with self._parent(source) as (old, old_name), self._parent(destination) as (new, new_name):
            os.rename(old_name, new_name, src_dir_fd=old, dst_dir_fd=new)

    def remove(self, path: str) -> None:
        """Remove a file, a link, or a directory with all that is in it; nothing happens where there is nothing."""
        try:
            kind = self.lstat(path).st_mode
        except (FileNotFoundError, NotADirectoryError):
            return
        if stat.S_ISDIR(kind):
            for name in self.listdir(path):
                self.remove(f"{path.rstrip('/')}/{name}")
            with self._parent(path) as (directory, name):
                os.rmdir(name, dir_fd=directory)
            return
        with self._parent(path) as (directory, name):
            os.unlink(name, dir_fd=directory)

    def chmod(self, path: str, mode: int) -> None:
        """Set the permission bits."""
        with self.opened(path, os.O_PATH) as descriptor:
            os.chmod(f"/proc/self/fd/{descriptor}", mode)

    def chown(self, path: str, uid: int, gid: int) -> None:
        """Set owner and group; -1 keeps one."""
        with self.opened(path, os.O_PATH) as descriptor:
            os.chown(f"/proc/self/fd/{descriptor}", uid, gid)

    def utime(self, path: str, seconds: int) -> None:
        """Set access and modification time."""
        with self.opened(path, os.O_PATH) as descriptor:
            os.utime(f"/proc/self/fd/{descriptor}", (seconds, seconds))

    def stat(self, path: str) -> os.stat_result:
        """What is at the end of ``path``."""
        with self.opened(path, os.O_PATH) as descriptor:
            return os.fstat(descriptor)

    def lstat(self, path: str) -> os.stat_result:
        """What ``path`` itself is."""
        if not path.strip("/"):
            return self.stat("/")
        with self._parent(path) as (directory, name):
            return os.stat(name, dir_fd=directory, follow_symlinks=False)

    def readlink(self, path: str) -> str:
        """Where a symbolic link points."""
        with self._parent(path) as (directory, name):
            return os.readlink(name, dir_fd=directory)

    def real(self, path: str) -> str:
        """Where a path ends, all links resolved; only to be compared with another."""
        with self.opened(path, os.O_PATH) as descriptor:
            return os.readlink(f"/proc/self/fd/{descriptor}")

    def listdir(self, path: str) -> list[str]:
        """The names in a directory, sorted."""
        with self.opened(path, os.O_RDONLY | os.O_DIRECTORY) as descriptor:
            return sorted(os.listdir(descriptor))

    def scan(self, path: str) -> list[tuple[str, bool]]:
        """The names in a directory, in no order, each with whether it is a directory itself."""
        with (
            self.opened(path or "/", os.O_RDONLY | os.O_DIRECTORY) as descriptor,
            os.scandir(descriptor) as found,
        ):
            return [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in found]

    def exists(self, path: str) -> bool:
        """Whether something is at the end of ``path``."""
        try:
            self.stat(path)
        except (FileNotFoundError, NotADirectoryError, OSError):
            return False
        return True

    def lexists(self, path: str) -> bool:
        """Whether ``path`` is there, be it a dangling link."""
        try:
            self.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def is_dir(self, path: str) -> bool:
        """Whether a directory is at the end of ``path``."""
        return self.exists(path) and stat.S_ISDIR(self.stat(path).st_mode)

    def is_file(self, path: str) -> bool:
        """Whether a regular file is at the end of ``path``."""
        return self.exists(path) and stat.S_ISREG(self.stat(path).st_mode)

    def walk(self, top: str = "/") -> Iterator[tuple[str, os.stat_result]]:
        """Every path below ``top``, in sorted order, with what it itself is; links are not followed."""
        for name in self.listdir(top):
            path = f"{top.rstrip('/')}/{name}"
            facts = self.lstat(path)
            yield path, facts
            if stat.S_ISDIR(facts.st_mode):
                yield from self.walk(path)
