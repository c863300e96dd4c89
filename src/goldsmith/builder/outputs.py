"""Write an image's formats where the user wants them."""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from goldsmith.builder.keep import Digests
from goldsmith.disk.digest import sha256_sparse
from goldsmith.disk.formats.table import find_format
from goldsmith.disk.formats.write import write_file
from goldsmith.disk.stored import raw_disk
from goldsmith.effects.files import sha256_file, sync_directory, write_durably
from goldsmith.errors import Unavailable, UsageError
from goldsmith.model.format import Format
from goldsmith.store.archives import WRITERS
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


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which files a build is to write, and where."""

    directory: Path | None = None
    """None if no file is wanted."""
    formats: tuple[str, ...] = ()
    """Names of formats."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A file that is written, but has not got its name yet."""

    row: Format
    path: Path
    """Where it lies, in the directory in which it is wanted."""
    sha256: str
    """Of its bytes, in hexadecimal."""


@contextmanager
def drafted_outputs(
    wanted: Wanted, raw: Path, digests: Digests, pool: Executor, *, jobs: int
) -> Iterator[Future[list[Draft]]]:
    """A disk's formats, written in the background beside their places; those that got no name are gone at the end."""
    drafts: list[Draft] = []
    writing = pool.submit(draft_outputs, drafts, wanted, raw, digests, jobs=jobs)
    try:
        yield writing
    finally:
        wait([writing])
        for draft in drafts:
            draft.path.unlink(missing_ok=True)


def draft_outputs(
    drafts: list[Draft], wanted: Wanted, raw: Path, digests: Digests, *, jobs: int
) -> list[Draft]:
    """Write a disk's formats; each is in ``drafts`` from the moment in which its file may be there."""
    if wanted.directory is None:
        return drafts
    wanted.directory.mkdir(parents=True, exist_ok=True)
    for name in wanted.formats:
        row = find_format(name)
        path = temporary(wanted.directory / f"build{row.suffix}")
        drafts.append(Draft(row, path, ""))
        if name in WRITERS:  # made from the image in the store, once it is there
            continue
        write_file(raw, path, row, jobs=jobs, digest=digests.identity.result() if row.has_identity else "")
        known = digests.plain.result() if name == "raw" else ""
        drafts[-1] = replace(drafts[-1], sha256=known or sha256_sparse(path))
    return drafts


def place_outputs(home: Home, image: StoredImage, drafts: Sequence[Draft]) -> tuple[Artifact, ...]:
    """Give files that were written from an image's disk their names."""
    artifacts = []
    record = read_record(home, image)
    for draft in drafts:
        path = output_path(image, draft.path.parent, draft.row)
        sha256 = draft.sha256 or write_archive(home, image, draft.row, draft.path)
        draft.path.replace(path)
        record[str(path)] = {"mark": mark(path), "sha256": sha256}
        artifacts.append(Artifact(draft.row.name, path, path.stat().st_size, sha256))
    if drafts:
        sync_directory(drafts[0].path.parent)
        write_record(home, image, record)
    return tuple(artifacts)


def output_path(image: StoredImage, directory: Path, row: Format) -> Path:
    """``NAME-VERSION``, the build number from the second on, and the format's suffix."""
    build = f"-b{image.build}" if image.build > 1 else ""
    return (directory / f"{image.name}-{image.version}{build}{row.suffix}").absolute()


def temporary(path: Path) -> Path:
    """Where a file lies until it is whole."""
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def write_one(home: Home, image: StoredImage, row: Format, target: Path, *, jobs: int) -> str:
    """Write one file; gives the SHA-256 of its bytes."""
    if row.name in WRITERS:
        return write_archive(home, image, row, target)
    write_file(
        raw_disk(home, image), target, row, jobs=jobs, digest=str(image.facts.get("disk_digest") or "")
    )
    known = image.facts.get("disk_sha256") if row.name == "raw" else None
    return str(known) if known else sha256_sparse(target)


def write_archive(home: Home, image: StoredImage, row: Format, target: Path) -> str:
    """Write an image's tree, or all of it; gives the SHA-256 of the file's bytes."""
    WRITERS[row.name](home, image, target)
    return sha256_file(target)


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
    written = read_record(home, image)
    record = dict(written)
    artifacts = []
    for name in formats:
        row = find_format(name)
        path = output_path(image, directory, row)
        known = record.get(str(path))
        if known is None or known["mark"] != mark(path):
            sha256 = replace_file(path, partial(write_one, home, image, row, jobs=jobs))
            known = {"mark": mark(path), "sha256": sha256}
            record[str(path)] = known
        artifacts.append(Artifact(name, path, path.stat().st_size, known["sha256"]))
    if record != written:
        write_record(home, image, record)
    return tuple(artifacts)


def record_file(home: Home, image: StoredImage) -> Path:
    """Where it is kept what was written of an image."""
    return home / "cache/written" / f"{image.digest.removeprefix('sha256:')}.json"


def read_record(home: Home, image: StoredImage) -> dict[str, dict[str, Any]]:
    """What was written of an image, by path; nothing if that is not known."""
    try:
        found = json.loads(record_file(home, image).read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_record(home: Home, image: StoredImage, record: Mapping[str, object]) -> None:
    """Keep what was written of an image."""
    write_durably(record_file(home, image), json.dumps(record, indent=1, sort_keys=True).encode())


def mark(path: Path) -> list[int] | None:
    """What changes when a file is written to."""
    try:
        facts = path.stat()
    except FileNotFoundError:
        return None
    return [facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns]


def replace_file(path: Path, write: Callable[[Path], str]) -> str:
    """Write a file beside ``path`` and put it in its place when it is whole."""
    draft = temporary(path)
    try:
        result = write(draft)
        draft.replace(path)
        sync_directory(path.parent)
    finally:
        draft.unlink(missing_ok=True)
    return result
