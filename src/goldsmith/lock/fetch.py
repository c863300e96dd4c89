"""Bring what a lock names into the store, verified."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from goldsmith.effects import files
from goldsmith.effects.access import Access, Progress, Proxies, no_progress, shown
from goldsmith.errors import IntegrityError, NetworkError, Unavailable
from goldsmith.lock.mirror import Mirror, no_mirror
from goldsmith.lock.source import BASE, SECURITY, extra_sources
from goldsmith.model.component import Download
from goldsmith.model.lock import LockedDownload, LockedPackage
from goldsmith.model.recipe import Repository
from goldsmith.store.home import Home

SHOWN = 8
"""How many missing files a message lists."""


@dataclass(frozen=True, slots=True)
class Origins:
    """Where the packages of a lock come from, which a lock does not say itself."""

    mirror: Mirror | None
    """The distribution's mirror; None where none is configured, which matters once something is missing."""
    repositories: tuple[Repository, ...] = ()
    """The recipe's extra repositories."""
    directory: Path = field(default_factory=Path)
    """Where the recipe's relative paths start."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The environment's variables, for credentials."""


def package_path(home: Home, sha256: str) -> Path:
    """Where the store keeps a file of this digest (hexadecimal)."""
    return home / "packages" / "sha256" / sha256[:2] / sha256


def fetch(
    packages: Iterable[LockedPackage],
    origins: Origins,
    *,
    home: Home,
    offline: bool = False,
    jobs: int = 8,
    progress: Progress = no_progress,
) -> Mapping[str, Path]:
    """Bring packages into the store; what is there already is compared with its digest, and kept.

    Returns:
        The files by the SHA-256 of their bytes.

    Raises:
        Unavailable: something is missing and ``offline`` forbids to get it, or no mirror is configured.
        NetworkError: a server does not answer, or does not have that version any more.
        NoSpace: the store's file system is too small.
    """
    wanted = {package.sha256: package for package in packages}
    paths = {sha256: package_path(home, sha256) for sha256 in wanted}
    sound = present({sha256: (paths[sha256], package.size) for sha256, package in wanted.items()}, jobs)
    missing = [package for sha256, package in sorted(wanted.items()) if sha256 not in sound]
    if missing and offline:
        raise _offline([f"{package.name} {package.version}" for package in missing])
    if missing:
        _download(missing, origins, home, jobs, progress)
    return paths


def present(known: Mapping[str, tuple[Path, int]], jobs: int) -> frozenset[str]:
    """Which files are there with the right size and digest; a damaged one is removed."""

    def is_sound(item: tuple[str, tuple[Path, int]]) -> bool:
        sha256, (path, size) = item
        try:
            if path.stat().st_size == size and files.sha256_file(path) == sha256:
                return True
        except FileNotFoundError:
            return False
        path.unlink(missing_ok=True)
        return False

    with ThreadPoolExecutor(max_workers=max(1, jobs)) as pool:
        return frozenset(
            item[0]
            for item, sound in zip(known.items(), pool.map(is_sound, known.items()), strict=True)
            if sound
        )


def _offline(names: Sequence[str]) -> Unavailable:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return Unavailable(
        f"--offline, and not in the store: {', '.join(names[:SHOWN])}{more}",
        hint="run once without --offline",
    )


def _download(
    missing: Sequence[LockedPackage], origins: Origins, home: Home, jobs: int, progress: Progress
) -> None:
    # Here and not at the top: a build that finds all in the store does without the HTTP client's import.
    from goldsmith.effects import net  # noqa: PLC0415
    from goldsmith.effects.part import Wanted  # noqa: PLC0415

    archives = _archives(missing, origins)
    wanted = {}
    for package in missing:
        address, access = archives[package.repository]
        url = f"{address}/{quote(package.path, safe='/+~')}"
        path = package_path(home, package.sha256)
        wanted[url] = Wanted(url, path, {"sha256": package.sha256}, package.size, access)
    by_url = dict(zip(wanted, missing, strict=True))
    proxies = origins.mirror.proxies if origins.mirror else Proxies()
    try:
        net.download(list(wanted.values()), jobs=jobs, proxies=proxies, progress=progress)
    except net.NotThere as error:
        package = by_url[error.url]
        raise NetworkError(
            f"the mirror does not have {package.name} {package.version} (any more): {shown(error.url)!r}",
            hint="renew the lock (goldsmith lock), or use a mirror of snapshots that still has it",
        ) from error


def _archives(missing: Sequence[LockedPackage], origins: Origins) -> Mapping[str, tuple[str, Access]]:
    found: dict[str, tuple[str, Access]] = {}
    if origins.mirror:
        found[BASE] = (origins.mirror.main, Access())
        found[SECURITY] = (origins.mirror.security or origins.mirror.main, Access())
    needed = {package.repository for package in missing}
    extra = extra_sources(origins.repositories, origins.directory, origins.environment)
    found |= {source.archive: (source.uri, source.access) for source in extra}
    for name in sorted(needed - found.keys()):
        if name in {BASE, SECURITY}:
            raise no_mirror("this lock's distribution")
        raise IntegrityError(
            f"the lock has packages of a repository {name!r} that the recipe does not have",
            hint="renew the lock: goldsmith lock RECIPE",
        )
    return found


def fetch_downloads(
    wanted: Iterable[Download],
    known: Iterable[LockedDownload],
    mirror: Mirror | None,
    *,
    home: Home,
    offline: bool = False,
    jobs: int = 8,
    progress: Progress = no_progress,
) -> tuple[LockedDownload, ...]:
    """Bring the files that components download into the store, each compared with the checksum it is named with.

    Args:
        wanted: what the components name.
        known: entries of a lock, which say where in the store a file is.
        mirror: for its proxies.
        home: the data directory.
        offline: whether nothing may be downloaded.
        jobs: how many at a time.
        progress: is told of bytes.

    Raises:
        Unavailable: something is missing and ``offline`` forbids to get it.
        NetworkError: a server does not answer, or the file is not what its checksum says.
    """
    from goldsmith.effects import net  # noqa: PLC0415 - as above
    from goldsmith.effects.part import Wanted  # noqa: PLC0415 - as above

    room = home / "packages"
    found: dict[str, LockedDownload] = {}
    todo = []
    locked = {entry.url: entry for entry in known}
    for file in dict.fromkeys(wanted):
        entry = locked.get(file.url)
        if entry and _is_same(file, entry, package_path(home, entry.sha256)):
            found[file.url] = entry
            continue
        place = room / f"download-{quote(file.url, safe='')[-120:]}-{file.checksum[:16]}"
        todo.append(Wanted(file.url, place, {file.algorithm.lower(): file.checksum.lower()}))
    if todo and offline:
        raise _offline(list(dict.fromkeys(shown(item.url) for item in todo)))
    proxies = mirror.proxies if mirror else Proxies()
    for got in net.download(todo, jobs=jobs, proxies=proxies, progress=progress):
        net.keep(got, package_path(home, got.sha256))
        found[got.wanted.url] = LockedDownload(got.wanted.url, got.size, got.sha256)
    return tuple(sorted(found.values()))


def _is_same(file: Download, entry: LockedDownload, path: Path) -> bool:
    if not present({entry.sha256: (path, entry.size)}, jobs=1):
        return False
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, file.algorithm.lower()).hexdigest()
    return found == file.checksum.lower()
