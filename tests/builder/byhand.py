"""Debian packages made byte by byte, so that they can be wrong in every way; and sound ones by ``dpkg-deb``."""

import gzip
import io
import lzma
import subprocess
import tarfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import zstandard

from goldsmith.builder.deb import unpack
from goldsmith.builder.debs import Unpacked
from goldsmith.model.package import Package

CONTROL = (
    "Package: odd\nVersion: 1.0\nArchitecture: all\nMaintainer: a <a@example.invalid>\nDescription: odd\n"
)
COMPRESS: Mapping[str, Callable[[bytes], bytes]] = {
    "": lambda data: data,
    ".gz": lambda data: gzip.compress(data, mtime=0),
    ".xz": lzma.compress,
    ".zst": lambda data: zstandard.ZstdCompressor().compress(data),
}


@dataclass(frozen=True, slots=True)
class Put:
    """One entry of a tar archive."""

    name: str
    kind: bytes = tarfile.REGTYPE
    data: bytes = b""
    link: str = ""
    more: Mapping[str, object] = field(default_factory=dict)
    """Other attributes of the tar entry."""


def put_dir(name: str, **more: object) -> Put:
    return Put(name, tarfile.DIRTYPE, more={"mode": 0o755, **more})


def put_link(name: str, target: str, **more: object) -> Put:
    return Put(name, tarfile.SYMTYPE, link=target, more={"mode": 0o777, **more})


def put_hard(name: str, target: str, **more: object) -> Put:
    return Put(name, tarfile.LNKTYPE, link=target, more=more)


def tar(entries: Iterable[Put], kind: int = tarfile.GNU_FORMAT) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=kind) as archive:
        for entry in entries:
            info = tarfile.TarInfo(entry.name)
            info.type, info.linkname, info.size = entry.kind, entry.link, len(entry.data)
            for name, value in entry.more.items():
                setattr(info, name, value)
            archive.addfile(info, io.BytesIO(entry.data))
    return stream.getvalue()


def member(name: str, data: bytes, *, size: int | None = None) -> bytes:
    """One member of an ``ar`` archive; ``size`` is what its header claims."""
    header = f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(data) if size is None else size:<10}`\n"
    return header.encode() + data + b"\n" * (len(data) % 2)


def ar(*members: bytes) -> bytes:
    return b"!<arch>\n" + b"".join(members)


def control_tar(text: str = CONTROL, *more: Put) -> bytes:
    return tar([put_dir("./"), Put("./control", data=text.encode()), *more])


def deb(
    data: bytes | Iterable[Put] = (),
    *,
    control: bytes | None = None,
    compression: str = ".xz",
    kind: int = tarfile.GNU_FORMAT,
) -> bytes:
    """A package; ``data`` is a tar archive, or what is in it."""
    archive = data if isinstance(data, bytes) else tar(data, kind)
    return ar(
        member("debian-binary", b"2.0\n"),
        member("control.tar.gz", COMPRESS[".gz"](control_tar() if control is None else control)),
        member(f"data.tar{compression}", COMPRESS[compression](archive)),
    )


def build(
    room: Path,
    name: str,
    files: Mapping[str, bytes | str | None],
    *,
    fields: Mapping[str, str] | None = None,
    scripts: Mapping[str, str] | None = None,
    modes: Mapping[str, int] | None = None,
    compression: str = "none",
) -> Path:
    """A sound package made by ``dpkg-deb``: text is a symbolic link, bytes a file, None a directory."""
    tree = room / f"{name}.tree"
    (tree / "DEBIAN").mkdir(parents=True)
    told = {
        "Package": name,
        "Version": "1.0",
        "Architecture": "all",
        "Maintainer": "a <a@example.invalid>",
        "Description": f"test package {name}",
        **(fields or {}),
    }
    (tree / "DEBIAN/control").write_text("".join(f"{key}: {value}\n" for key, value in told.items()))
    for script, text in (scripts or {}).items():
        (tree / "DEBIAN" / script).write_text(text)
        (tree / "DEBIAN" / script).chmod(0o755 if text.startswith("#!") else 0o644)
    for path, content in files.items():
        place = tree / path
        place.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            place.mkdir(exist_ok=True)
        elif isinstance(content, str):
            place.symlink_to(content)
        else:
            place.write_bytes(content)
    for path, mode in (modes or {}).items():
        (tree / path).chmod(mode)
    made = room / f"{name}.deb"
    subprocess.run(
        ["dpkg-deb", f"-Z{compression}", "--root-owner-group", "--build", tree, made],
        check=True,
        capture_output=True,
        env={"PATH": "/usr/bin:/bin", "SOURCE_DATE_EPOCH": "1700000000"},
    )
    return made


def unpacked(made: Path) -> Unpacked:
    """A package, unpacked beside its .deb; its name stands for its digest."""
    place = made.with_suffix(".unpacked")
    package = unpack(made, place / "root", place / "control")
    return Unpacked(package, made.stem, made, place / "root", place / "control")


def packed(name: str, data: bytes) -> bytes:
    """A package whose data member holds just these bytes."""
    control = lzma.compress(control_tar())
    return ar(member("debian-binary", b"2.0\n"), member("control.tar.xz", control), member(name, data))


def taken(room: Path, data: bytes) -> Package:
    path = room / "odd.deb"
    path.write_bytes(data)
    return unpack(path, room / "root", room / "control")
