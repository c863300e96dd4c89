"""Write an image's formats where the user wants them."""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from goldsmith.disk.digest import sha256_sparse
from goldsmith.disk.formats.table import find_format
from goldsmith.disk.formats.write import write_file
from goldsmith.disk.stored import raw_disk
from goldsmith.effects.files import sync_directory
from goldsmith.errors import Unavailable, UsageError
from goldsmith.model.format import Format
from goldsmith.store.home import Home
from goldsmith.store.images import StoredImage


@dataclass(frozen=True, slots=True)
class Artifact:
    """One file that was written."""

    format: str
    path: Path
    size: int
    """Bytes, as ``ls`` shows them."""
    sha256: str


def write_one(home: Home, image: StoredImage, row: Format, target: Path, *, jobs: int) -> str:
    """Write one file; gives the SHA-256 of its bytes."""
    write_file(
        raw_disk(home, image), target, row, jobs=jobs, digest=str(image.facts.get("disk_digest") or "")
    )
    known = image.facts.get("disk_sha256") if row.name == "raw" else None
    return str(known) if known else sha256_sparse(target)


def check_formats(names: Sequence[str]) -> None:
    """Refuse formats that are not known.

    Raises:
        UsageError: with those that are.
    """
    for name in names:
        find_format(name)


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
    home: Home, image: StoredImage, directory: Path, formats: Sequence[str], *, jobs: int
) -> tuple[Artifact, ...]:
    """Write files named ``NAME-VERSION`` and the format's suffix; those that are there since an earlier build of this image are kept.

    A file appears whole or not at all. Whether one is still what was written is told by its size, time and inode.
    """
    directory.mkdir(parents=True, exist_ok=True)
    remembered = home / "cache/written" / f"{image.digest.removeprefix('sha256:')}.json"
    written = read_record(remembered)
    record = dict(written)
    artifacts = []
    for name in formats:
        suffix = f"-b{image.build}" if image.build > 1 else ""
        row = find_format(name)
        path = (directory / f"{image.name}-{image.version}{suffix}{row.suffix}").absolute()
        known = record.get(str(path))
        if known is None or known["mark"] != mark(path):
            sha256 = replace_file(path, partial(write_one, home, image, row, jobs=jobs))
            known = {"mark": mark(path), "sha256": sha256}
            record[str(path)] = known
        artifacts.append(Artifact(name, path, path.stat().st_size, known["sha256"]))
    if record != written:
        remembered.parent.mkdir(parents=True, exist_ok=True)
        remembered.write_text(json.dumps(record, indent=1, sort_keys=True))
    return tuple(artifacts)


def read_record(path: Path) -> dict[str, dict[str, Any]]:
    """What was written of an image, by path; nothing if that is not known."""
    try:
        found = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


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
