"""Read a .deb: its control fields, its scripts, and its files unpacked into a directory with their digests.

The format is deb(5): an ``ar`` archive of ``debian-binary``, ``control.tar.*`` and ``data.tar.*``.
"""

import errno
import gzip
import hashlib
import io
import lzma
import os
import re
import stat
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO

import zstandard

from goldsmith.builder.dpkg import parse_fields
from goldsmith.errors import IntegrityError
from goldsmith.model.package import Entry, Package

AR_MAGIC = b"!<arch>\n"
AR_HEADER = 60
CAPABILITY = "SCHILY.xattr.security.capability"
CHUNK = 1 << 20
ROOM, RATIO = 64 << 20, 500
"""An archive may unpack to ``ROOM`` bytes and ``RATIO`` times the .deb; packages of the example stay below 12 times."""
NAMES = {
    "Package": re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]*"),
    "Version": re.compile(r"[A-Za-z0-9][A-Za-z0-9+.:~-]*"),
    "Architecture": re.compile(r"[a-z0-9][a-z0-9-]*"),
}
"""The fields that must be there, and what they look like; file names are made of them."""
UNREADABLE = (tarfile.TarError, lzma.LZMAError, zstandard.ZstdError, zlib.error, gzip.BadGzipFile, EOFError)
"""What a damaged archive raises."""
IMPOSSIBLE = {errno.EEXIST, errno.EINVAL, errno.ELOOP, errno.EISDIR, errno.ENAMETOOLONG, errno.ENOTDIR}
"""What the kernel says to names, ids and attributes that no package may have."""


def broken(path: Path, why: str) -> IntegrityError:
    """The error for a .deb that is none."""
    return IntegrityError(
        f"{path.name} is no sound Debian package: {why}",
        hint="delete it and build again, so that it is fetched anew; if it stays so, the archive's own file is broken",
    )


class _Slice(io.RawIOBase):
    """A part of an open file as a stream of its own."""

    def __init__(self, stream: BinaryIO, start: int, size: int) -> None:
        self._stream, self._position, self._end = stream, start, start + size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # the stub wants a wider buffer type
        self._stream.seek(self._position)
        wanted = min(len(buffer), self._end - self._position)
        data = self._stream.read(wanted)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


def _members(stream: BinaryIO, path: Path) -> Iterator[tuple[str, int, int]]:
    """Name, offset and size of each member of the ``ar`` archive."""
    if stream.read(len(AR_MAGIC)) != AR_MAGIC:
        raise broken(path, "it does not start as an ar archive")
    offset = len(AR_MAGIC)
    while True:
        stream.seek(offset)
        header = stream.read(AR_HEADER)
        if not header:
            return
        size = header[48:58].strip()
        if len(header) != AR_HEADER or header[58:60] != b"`\n" or not size.isdigit():
            raise broken(path, "an ar header is damaged")
        yield header[:16].decode("ascii", "replace").strip().rstrip("/"), offset + AR_HEADER, int(size)
        offset += AR_HEADER + int(size) + int(size) % 2


def _decompressed(stream: BinaryIO, name: str, path: Path) -> IO[bytes]:
    if name.endswith(".xz"):
        return lzma.open(stream)
    if name.endswith(".zst"):
        return zstandard.ZstdDecompressor().stream_reader(stream)
    if name.endswith(".gz"):
        return io.BufferedReader(gzip.open(stream))
    if name.endswith(".tar"):
        return stream
    raise broken(path, f"member {name!r} has an unknown compression")


class _Limited:
    """A stream that refuses to give more than a .deb of this size can honestly hold."""

    def __init__(self, stream: IO[bytes], path: Path) -> None:
        self._stream, self._path = stream, path
        self._left = ROOM + RATIO * path.stat().st_size

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise broken(self._path, "it unpacks to far more than a package of its size can hold")
        return data


class _Member(tarfile.TarInfo):
    """A tar entry; unlike the standard one it takes a damaged or missing header for an error, not for the end."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> "_Member":
        try:
            return super().fromtarfile(archive)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]  # the two blocks of zeros; typeshed lacks it
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"a header is damaged or missing: {error}") from error


@contextmanager
def _archive(path: Path, prefix: str) -> Iterator[tarfile.TarFile]:
    """The member whose name starts with ``prefix``, opened as a stream of tar entries."""
    with path.open("rb") as stream:
        found = next((m for m in _members(stream, path) if m[0].startswith(prefix)), None)
        if found is None:
            raise broken(path, f"it has no {prefix}*")
        name, offset, size = found
        part = io.BufferedReader(_Slice(stream, offset, size), CHUNK)
        with _decompressed(part, name, path) as plain:
            limited = _Limited(plain, path)
            with tarfile.open(fileobj=limited, mode="r|", bufsize=CHUNK, tarinfo=_Member) as archive:  # type: ignore[call-overload]  # a stream needs read() only
                yield archive


def read_control(path: Path) -> tuple[dict[str, str], dict[str, tuple[bytes, int, int]]]:
    """The control fields, and every other member of the control archive with its mode and time."""
    members: dict[str, tuple[bytes, int, int]] = {}
    try:
        with _archive(path, "control.tar") as archive:
            for member in archive:
                stream = archive.extractfile(member) if member.isreg() else None
                if stream is not None:
                    name = member.name.removeprefix("./")
                    if name in {"", ".", ".."} or set(name) & set("/\0\n"):
                        raise broken(path, f"its control archive has a member named {member.name!r}")
                    members[name] = (stream.read(), member.mode & 0o777, int(member.mtime))
        if "control" not in members:
            raise broken(path, "its control archive has no control file")
        text = members.pop("control")[0].decode()
        if "\n\n" in text.strip("\n"):
            raise broken(path, "its control file has more than one paragraph")
        fields = parse_fields(text)
    except (*UNREADABLE, ValueError) as error:
        raise broken(path, f"its control archive cannot be read ({error})") from error
    for wanted, form in NAMES.items():
        if wanted not in fields:
            raise broken(path, f"its control file has no field {wanted}")
        if not form.fullmatch(fields[wanted]):
            raise broken(path, f"its control file has an impossible {wanted}: {fields[wanted]!r}")
    return fields, members


class _Unpacker:
    """Writes one data archive below a directory that only this package fills."""

    def __init__(self, path: Path, root: Path) -> None:
        self._path, self._root = path, root
        self._directories = {""}
        self.entries: list[Entry] = []

    def add(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        """Write one member and remember it."""
        if ".." in member.name.split("/") or member.name.startswith("/"):
            raise broken(self._path, f"it has a path that leads out of the tree: {member.name!r}")
        if set(member.name + member.linkname) & set("\0\n"):
            raise broken(self._path, f"it has a name that no package may have: {member.name!r}")
        if member.uid < 0 or member.gid < 0:
            raise broken(self._path, f"{member.name!r} has an impossible owner")
        name = os.path.normpath("/" + member.name)[1:]
        self._make_parents(name)
        target = self._root / name if name else self._root
        mode = stat.S_IMODE(member.mode)
        base = (name, mode, member.uid, member.gid, int(member.mtime))
        if member.isdir():
            if name not in self._directories:
                target.mkdir()
                self._directories.add(name)
            self._entry("dir", *base)
        elif member.isreg() and not member.issparse():
            size, sha256 = self._write(archive, member, target)
            self._finish(target, member, mode)
            capability = os.fsencode(member.pax_headers.get(CAPABILITY, "")).hex()
            self._entry("file", *base, size=size, sha256=sha256, capability=capability)
        elif member.issym():
            target.symlink_to(member.linkname)
            os.chown(target, member.uid, member.gid, follow_symlinks=False)
            os.utime(target, (member.mtime, member.mtime), follow_symlinks=False)
            self._entry("symlink", *base, target=member.linkname)
        elif member.islnk():
            self._link(member, target, base)
        else:
            raise broken(self._path, f"it has a device or another special file: {name!r}")

    def _link(self, member: tarfile.TarInfo, target: Path, base: tuple[str, int, int, int, int]) -> None:
        source = os.path.normpath("/" + member.linkname)[1:]
        if not any(entry.path == source and entry.kind == "file" for entry in self.entries):
            raise broken(
                self._path, f"hard link {base[0]!r} points to {member.linkname!r}, which is no file before it"
            )
        os.link(self._root / source, target, follow_symlinks=False)
        self._entry("hardlink", *base, target=source)

    def _entry(self, kind: str, path: str, mode: int, uid: int, gid: int, mtime: int, **more: object) -> None:
        self.entries.append(Entry(path=path, kind=kind, mode=mode, uid=uid, gid=gid, mtime=mtime, **more))  # type: ignore[arg-type]

    def _make_parents(self, name: str) -> None:
        parent = os.path.dirname(name)
        if parent in self._directories:
            return
        self._make_parents(parent)
        if os.path.lexists(self._root / parent):
            raise broken(self._path, f"{name!r} lies below {parent!r}, which is no directory")
        (self._root / parent).mkdir()
        self._directories.add(parent)

    def _write(self, archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> tuple[int, str]:
        stream = archive.extractfile(member)
        assert stream is not None
        digest = hashlib.sha256()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(target, flags, 0o600), "wb", buffering=0) as out:
            while chunk := stream.read(CHUNK):
                digest.update(chunk)
                out.write(chunk)
        return member.size, digest.hexdigest()

    def _finish(self, target: Path, member: tarfile.TarInfo, mode: int) -> None:
        if member.uid or member.gid:
            os.chown(target, member.uid, member.gid)
        os.chmod(target, mode)
        if CAPABILITY in member.pax_headers:
            os.setxattr(target, "security.capability", os.fsencode(member.pax_headers[CAPABILITY]))
        os.utime(target, (member.mtime, member.mtime))


def unpack(path: Path, root: Path, control: Path) -> Package:
    """Unpack a .deb: files below ``root``, control members below ``control`` (both made here).

    Directories keep default modes; whoever merges trees sets them. Owners, modes, times and capabilities of files
    are set.

    Raises:
        IntegrityError: the file is no sound .deb, or a path in it leads out of ``root``.
    """
    fields, members = read_control(path)
    control.mkdir(parents=True)
    for name, (data, mode, mtime) in members.items():
        target = control / name
        target.write_bytes(data)
        os.chmod(target, mode)
        os.utime(target, (mtime, mtime))
    root.mkdir(parents=True)
    unpacker = _Unpacker(path, root)
    try:
        with _archive(path, "data.tar") as archive:
            for member in archive:
                unpacker.add(archive, member)
    except (*UNREADABLE, ValueError, OverflowError) as error:
        raise broken(path, f"its data archive cannot be read ({error})") from error
    except OSError as error:
        if error.errno not in IMPOSSIBLE:
            raise
        raise broken(path, f"its data archive holds what cannot be unpacked ({error.strerror})") from error
    return Package(fields, frozenset(members), tuple(unpacker.entries))


def package_to_json(package: Package) -> dict[str, object]:
    """A package as plain JSON, entries as rows."""
    rows = [
        [e.path, e.kind, e.mode, e.uid, e.gid, e.mtime, e.size, e.sha256, e.target, e.capability]
        for e in package.entries
    ]
    return {"fields": dict(package.fields), "scripts": sorted(package.scripts), "entries": rows}


def package_from_json(value: Mapping[str, object]) -> Package:
    """The inverse of ``package_to_json``; for values that goldsmith wrote itself."""
    fields, scripts, rows = value["fields"], value["scripts"], value["entries"]
    assert isinstance(fields, dict)
    assert isinstance(scripts, list)
    assert isinstance(rows, list)
    return Package(fields, frozenset(scripts), tuple(Entry(*row) for row in rows))
