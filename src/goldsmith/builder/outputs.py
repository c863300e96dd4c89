"""Write an image's formats where the user wants them."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from goldsmith.disk.formats.qcow2 import write_qcow2
from goldsmith.effects import files
from goldsmith.effects.files import sync_directory
from goldsmith.effects.sparse import copy_sparse
from goldsmith.errors import Unavailable, UsageError
from goldsmith.store.images import StoredImage, update


@dataclass(frozen=True, slots=True)
class Artifact:
    """One file that was written."""

    format: str
    path: Path
    size: int
    """Bytes, as ``ls`` shows them."""
    sha256: str


def write_raw(image: StoredImage, target: Path, *, jobs: int) -> str:
    """The disk as it is, sparse."""
    del jobs
    size = image.disk.stat().st_size
    with target.open("wb") as stream:
        stream.truncate(size)
        copy_sparse(image.disk, stream.fileno(), 0)
    known = image.facts.get("disk_sha256")
    return str(known) if known else files.sha256_file(target)


def write_compressed(image: StoredImage, target: Path, *, jobs: int) -> str:
    """qcow2, compressed by zstd."""
    return write_qcow2(image.disk, target, jobs=jobs)


class Writer(Protocol):
    """Writes one format."""

    def __call__(self, image: StoredImage, target: Path, *, jobs: int) -> str:
        """Write ``target`` with that many threads; gives the SHA-256 of its bytes."""


FORMATS: Mapping[str, Writer] = {"raw": write_raw, "qcow2": write_compressed}
"""What writes each format."""


def check_formats(names: Sequence[str]) -> None:
    """Refuse formats that are not known.

    Raises:
        UsageError: with those that are.
    """
    for name in names:
        if name not in FORMATS:
            raise UsageError(f"there is no format {name!r} yet", hint=f"there are: {', '.join(FORMATS)}")


def check_directory(directory: Path) -> None:
    """Refuse a place for outputs that cannot be written to, before anything is built for it.

    Raises:
        UsageError: it is no directory.
        Unavailable: this user may not write there, or nobody may.
    """
    known = directory
    while not os.path.lexists(known):
        known = known.parent
    if not known.is_dir():
        raise UsageError(
            f"--output {str(known)!r} is no directory", hint="name a directory; it is made if missing"
        )
    if not os.access(known, os.W_OK | os.X_OK):
        raise Unavailable(
            f"--output {str(known)!r} cannot be written to",
            hint="name another directory, or mend its permissions",
        )


def write_outputs(
    image: StoredImage, directory: Path, formats: Sequence[str], *, jobs: int
) -> tuple[Artifact, ...]:
    """Write ``NAME-VERSION.FORMAT`` files; those that are there since an earlier build of this image are kept.

    A file appears whole or not at all. Whether one is still what was written is told by its size, time and inode.
    """
    directory.mkdir(parents=True, exist_ok=True)
    written = image.facts.get("written", {})
    assert isinstance(written, dict)
    record = dict(written)
    artifacts = []
    for name in formats:
        suffix = f"-b{image.build}" if image.build > 1 else ""
        path = (directory / f"{image.name}-{image.version}{suffix}.{name}").absolute()
        known = record.get(str(path))
        if known is None or known["mark"] != mark(path):
            sha256 = replace_file(path, partial(FORMATS[name], image, jobs=jobs))
            known = {"mark": mark(path), "sha256": sha256}
            record[str(path)] = known
        artifacts.append(Artifact(name, path, path.stat().st_size, known["sha256"]))
    if record != written:
        update(image, {**image.facts, "written": record})
    return tuple(artifacts)


def mark(path: Path) -> list[int] | None:
    """What changes when a file is written to."""
    try:
        facts = path.stat()
    except FileNotFoundError:
        return None
    return [facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns]


def replace_file(path: Path, write: Callable[[Path], str]) -> str:
    """Write a file beside ``path`` and put it in its place when it is whole."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        result = write(temporary)
        temporary.replace(path)
        sync_directory(path.parent)
    finally:
        temporary.unlink(missing_ok=True)
    return result
