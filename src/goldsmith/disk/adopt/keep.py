"""Adopt an image: read a file that others have made, and record what is in it as an image of the store."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from goldsmith.disk import stored
from goldsmith.disk.adopt.archive import read_archive
from goldsmith.disk.adopt.contents import Contents, contents_of
from goldsmith.disk.adopt.growing import DEVICES
from goldsmith.disk.adopt.recognise import Recognised, recognise_system
from goldsmith.disk.adopt.runs import runs_of
from goldsmith.disk.adopt.unpack import packing, unpack
from goldsmith.disk.digest import disk_digest, sha256_sparse
from goldsmith.disk.read.area import Area
from goldsmith.disk.read.containers import Raw, raw_of
from goldsmith.disk.read.system import System, read_system
from goldsmith.disk.read.tar import looks_like_tar
from goldsmith.effects import clock
from goldsmith.effects.claims import claimed
from goldsmith.errors import InputError, IntegrityError, Place, UsageError
from goldsmith.model.canonical import digest
from goldsmith.model.diskmap import Run
from goldsmith.store.home import Home
from goldsmith.store.images import MOVING, StoredImage, layout_of, name_image
from goldsmith.store.partition import dpkg_owners
from goldsmith.store.record import ImageFacts, store_image

SHA256_UP_TO = 16 << 30
"""Disks up to this size get the SHA-256 of their plain bytes; above, reading the zeros would take minutes."""
NOWHERE = "unknown"
OS = "dev.goldsmith.os"
PACKAGES = "dev.goldsmith.packages"
ADOPTED = "dev.goldsmith.adopted"


@dataclass(frozen=True, slots=True)
class Adopted:
    """An image that was adopted."""

    image: StoredImage
    """As it is in the store."""
    recognised: Recognised
    """The system in it."""
    format: str
    """What the file was."""
    entries: int
    """Paths of its tree."""
    system: System | None
    """How its disk is made; None for an archive, which has none."""
    warnings: tuple[str, ...] = ()
    """What the user should know."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A file that was read and is open."""

    format: str
    contents: Contents
    disk: Path
    """The raw disk; an empty file for an archive."""
    runs: list[Run]
    """How the disk comes from the tree."""
    own: bool
    """Whether the disk was made here, and may be moved."""
    system: System | None
    left_out: tuple[str, ...]
    """Device nodes that are no part of the tree."""


def adopt(
    path: Path,
    *,
    name: str,
    version: str,
    home: Home,
    root: int | None = None,
    jobs: int = 2,
    report: Callable[[str], None] = lambda _: None,
) -> Adopted:
    """Take a disk or an archive into the store.

    Args:
        path: the file.
        name: the image's name.
        version: its version, as in ``1.2.0``.
        home: the data directory.
        root: the partition that holds the system, where several could.
        jobs: how many threads work.
        report: is told what is being done.

    Raises:
        UsageError: name, version or path cannot be.
        InputError: the file is damaged, hostile, or holds what cannot be read.
        IntegrityError: it changed while it was read.
        NoSpace: the store's file system is full.
    """
    if not MOVING.fullmatch(f"{name}:{version}"):
        raise UsageError(
            f"{name!r} in version {version!r} cannot name an image",
            hint="a name has small letters, digits and . _ -; a version is three numbers, as in 1.2.0",
        )
    before = facts_of(path)
    with (
        claimed(home / "work") as room,
        opened(path, room, home, root=root, jobs=jobs, report=report) as found,
    ):
        report("storing")
        return _keep(path, found, name=name, version=version, home=home, jobs=jobs, before=before)


def facts_of(path: Path) -> tuple[int, int, int]:
    """What tells whether a file has changed: inode, size and time.

    Raises:
        UsageError: it is no file, or may not be read.
    """
    try:
        facts = path.stat()
    except OSError as error:
        raise UsageError(f"{str(path)!r} cannot be read: {error.strerror}", hint="name a file") from error
    if not path.is_file():
        raise UsageError(f"{str(path)!r} is no ordinary file", hint="name a disk's file or an archive")
    if not os.access(path, os.R_OK):
        raise UsageError(f"{str(path)!r} may not be read by this user", hint="mend its permissions")
    return facts.st_ino, facts.st_size, facts.st_mtime_ns


@contextmanager
def opened(
    path: Path, room: Path, home: Home, *, root: int | None, jobs: int, report: Callable[[str], None]
) -> Iterator[Opened]:
    """Read a file; what is found is of use as long as the block lasts. Errors name the file."""
    try:
        with ExitStack() as stack:
            plain = _unpacked(path, room, report)
            if looks_like_tar(_head(plain)):
                report("reading the archive")
                archive = read_archive(plain, room, stack, jobs=jobs)
                nothing = room / "nothing"
                nothing.touch()
                yield Opened(
                    archive.format,
                    archive.contents,
                    nothing,
                    [],
                    own=False,
                    system=None,
                    left_out=archive.left_out,
                )
                return
            raw = raw_of(plain, room, home)
            report("reading the disk")
            descriptor = os.open(raw.path, os.O_RDONLY | os.O_CLOEXEC)
            stack.callback(os.close, descriptor)
            yield _read_disk(raw, descriptor, own=raw.own or plain != path, root=root, jobs=jobs)
    except InputError as error:
        error.where = error.where or Place(str(path))
        raise


def _head(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(512)


def _unpacked(path: Path, room: Path, report: Callable[[str], None]) -> Path:
    """The file itself, or what is packed in it."""
    if not packing(_head(path)):
        return path
    report("unpacking")
    with path.open("rb") as stream:
        unpack(stream, path.stat().st_size, room / "unpacked")
    return room / "unpacked"


def _read_disk(raw: Raw, descriptor: int, *, own: bool, root: int | None, jobs: int) -> Opened:
    facts = os.fstat(descriptor)
    system = read_system(Area(descriptor, 0, facts.st_size), held=facts.st_blocks * 512, root=root)
    devices = [path for path, node in system.nodes.items() if node.kind in DEVICES]
    for path in devices:
        del system.nodes[path]
    contents = contents_of(system.nodes.values(), jobs=jobs)
    return Opened(
        raw.format,
        contents,
        raw.path,
        runs_of(descriptor, contents),
        own=own,
        system=system,
        left_out=tuple(devices),
    )


def _keep(
    path: Path,
    found: Opened,
    *,
    name: str,
    version: str,
    home: Home,
    jobs: int,
    before: tuple[int, int, int],
) -> Adopted:
    recognised = recognise_system(found.contents)
    entries = found.contents.entries
    layout = layout_of(home)
    with ThreadPoolExecutor(max_workers=2) as pool, layout.used():
        small = found.disk.stat().st_size <= SHA256_UP_TO
        identity = pool.submit(disk_digest, found.disk, jobs=1)
        plain = pool.submit(sha256_sparse, found.disk) if small else None
        tree, disk = found.contents.digest, identity.result()
        content = {
            "name": name,
            "version": version,
            "architecture": recognised.architecture or NOWHERE,
            "description": recognised.name,
            "labels": {},
            "tree_digest": tree,
            "disk_digest": disk,
        }
        facts = ImageFacts(
            name,
            version,
            recognised.architecture or NOWHERE,
            newest(found.contents),
            tree,
            disk,
            plain.result() if plain else "",
            digest=digest(content),
            description=recognised.name,
            notes={ADOPTED: found.format, OS: recognised.name, PACKAGES: str(len(recognised.packages))},
        )
        recorded = store_image(
            layout,
            facts,
            entries,
            found.contents.open,
            found.disk,
            owners=dpkg_owners(entries, found.contents.open) if recognised.manager == "dpkg" else {},
            cuts=[system.part.start for system in found.system.file_systems] if found.system else (),
            runs=found.runs,
            jobs=jobs,
        )
        if facts_of(path) != before:
            raise IntegrityError(
                f"{str(path)!r} changed while it was read", hint="stop the machine that writes to it"
            )
        warnings = warnings_of(found, recognised)
        built = {"adopted": {"file": path.name, "format": found.format}, "warnings": list(warnings)}
        image = name_image(layout, name, version, recorded.index, built)
    if found.own:
        stored.keep(found.disk, stored.place(home, disk))
    return Adopted(image, recognised, found.format, len(entries), found.system, warnings)


def warnings_of(found: Opened, recognised: Recognised) -> tuple[str, ...]:
    """What the user of an adopted image should know."""
    warnings = []
    if found.left_out:
        kept = "; the disk keeps them" if found.system else ""
        warnings.append(
            f"{len(found.left_out)} device nodes are no part of the tree, as {found.left_out[0]}{kept}"
        )
    if not recognised.os:
        warnings.append("there is no os-release: nothing is known of the system")
    if recognised.manager != "dpkg":
        warnings.append(
            f"its packages are {recognised.manager or 'unknown'}'s: they are not listed, and no recipe can start from it"
        )
    if not recognised.architecture:
        warnings.append("its architecture is not known")
    return tuple(warnings)


def newest(contents: Contents) -> int:
    """The time of the youngest file, in seconds since 1970, but not later than now."""
    now = int(clock.now().timestamp())
    return min(now, max((entry.mtime for entry in contents.entries.values()), default=0))
