"""The cache of unpacked .debs: each is unpacked once, ever, and found again by the digest of its .deb."""

import json
import os
import shutil
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from goldsmith.builder.deb import package_from_json, package_to_json, unpack
from goldsmith.model.package import Package
from goldsmith.store.home import Home

VERSION = "2"
"""Part of the cache's path: another layout of an unpacked package gets another place."""


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A package and where its files lie."""

    package: Package
    sha256: str
    """Of the .deb."""
    deb: Path
    root: Path
    control: Path


def unpack_all(debs: Mapping[str, Path], home: Home, *, jobs: int) -> dict[str, Unpacked]:
    """Unpack .debs (digest → file, verified), biggest first, in threads; those in the cache are only read.

    Decompression, hashing and writing all release Python's lock, so threads use all cores.

    Raises:
        IntegrityError: a .deb is not sound.
    """
    room = home / f"cache/debs-{VERSION}"
    room.mkdir(parents=True, exist_ok=True)
    order = sorted(debs.items(), key=lambda item: -item[1].stat().st_size)
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        done = pool.map(lambda item: (item[0], _unpack_one(item[0], item[1], room)), order)
        return dict(done)


def _unpack_one(sha256: str, deb: Path, room: Path) -> Unpacked:
    place = room / sha256
    index = place / "package.json"
    if not index.exists():
        temporary = room / f".{sha256}.{os.getpid()}"
        shutil.rmtree(temporary, ignore_errors=True)
        try:
            package = unpack(deb, temporary / "root", temporary / "control")
            (temporary / "package.json").write_text(json.dumps(package_to_json(package)))
            try:
                temporary.rename(place)
            except OSError:
                if not index.exists():  # not another process that was faster
                    raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    package = package_from_json(json.loads(index.read_bytes()))
    os.utime(index)  # so that expire() knows that it is still of use
    return Unpacked(package, sha256, deb, place / "root", place / "control")


def damaged(packages: Iterable[Unpacked], *, jobs: int) -> list[Unpacked]:
    """Those whose unpacked files are not any more what the .deb held, by content; they are to be unpacked anew."""
    from goldsmith.effects.files import sha256_file  # noqa: PLC0415 - keeps hashing out of the import of every command

    def is_damaged(unpacked: Unpacked) -> bool:
        for entry in unpacked.package.entries:
            if entry.kind == "file":
                try:
                    if sha256_file(f"{unpacked.root}/{entry.path}") != entry.sha256:
                        return True
                except OSError:
                    return True
        return False

    with ThreadPoolExecutor(max_workers=jobs) as pool:
        listed = list(packages)
        return [unpacked for unpacked, bad in zip(listed, pool.map(is_damaged, listed), strict=True) if bad]


def forget(unpacked: Unpacked) -> None:
    """Drop one from the cache."""
    shutil.rmtree(unpacked.root.parent, ignore_errors=True)
