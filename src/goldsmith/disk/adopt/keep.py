"""Adopt an image: read a file that others have made, and record what is in it as an image of the store."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from goldsmith.disk import stored
from goldsmith.disk.adopt.contents import Contents
from goldsmith.disk.adopt.opened import Opened, facts_of, opened, opened_layout
from goldsmith.disk.adopt.recognise import Recognised, recognise_system
from goldsmith.disk.digest import SHA256_UP_TO, disk_digest, sha256_sparse
from goldsmith.disk.read.system import System
from goldsmith.effects import clock
from goldsmith.effects.claims import claimed
from goldsmith.errors import IntegrityError, UsageError
from goldsmith.model.oci import Descriptor
from goldsmith.store.home import Home
from goldsmith.store.images import MOVING, StoredImage, layout_of, name_image
from goldsmith.store.layout import Layout
from goldsmith.store.partition import dpkg_owners
from goldsmith.store.record import ImageFacts, identity_of, store_image

UNKNOWN = "unknown"
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
    check_name(name, version)
    before = facts_of(path)

    def unchanged() -> None:
        if facts_of(path) != before:
            raise IntegrityError(
                f"{str(path)!r} changed while it was read", hint="stop the machine that writes to it"
            )

    with (
        claimed(home / "work") as room,
        opened(path, room, home, root=root, jobs=jobs, report=report) as found,
    ):
        report("storing")
        return _keep(found, path.name, unchanged, name=name, version=version, home=home, jobs=jobs)


def adopt_layout(
    layout: Layout,
    image: Descriptor,
    room: Path,
    *,
    label: str,
    name: str,
    version: str,
    home: Home,
    jobs: int,
) -> Adopted:
    """Take a container image of an OCI layout into the store; errors as ``adopt``.

    Args:
        layout: where its objects are.
        image: its manifest.
        room: a directory of this process.
        label: where it came from, as a person writes it.
        name: the image's name.
        version: its version.
        home: the data directory.
        jobs: how many threads work.
    """
    check_name(name, version)
    with opened_layout(layout, image, room, label=label, jobs=jobs) as found:
        return _keep(found, label, lambda: None, name=name, version=version, home=home, jobs=jobs)


def check_name(name: str, version: str) -> None:
    """Refuse what cannot name an image.

    Raises:
        UsageError: with what can.
    """
    if not MOVING.fullmatch(f"{name}:{version}"):
        raise UsageError(
            f"{name!r} in version {version!r} cannot name an image",
            hint="a name has small letters, digits and . _ -; a version is three numbers, as in 1.2.0",
        )


def described(found: Opened, recognised: Recognised, name: str, version: str, *, jobs: int) -> ImageFacts:
    """What the image is, all digests computed."""
    small = found.disk.stat().st_size <= SHA256_UP_TO
    with ThreadPoolExecutor(max_workers=2) as pool:
        identity = pool.submit(disk_digest, found.disk, jobs=max(1, jobs - 1))
        plain = pool.submit(sha256_sparse if small else lambda _: "", found.disk)
        facts = ImageFacts(
            name,
            version,
            recognised.architecture or UNKNOWN,
            newest(found.contents),
            found.contents.digest,
            identity.result(),
            plain.result(),
            description=recognised.name,
            notes={ADOPTED: found.format, OS: recognised.name, PACKAGES: str(len(recognised.packages))},
        )
    return replace(facts, digest=identity_of(facts))


def _keep(
    found: Opened,
    label: str,
    unchanged: Callable[[], None],
    *,
    name: str,
    version: str,
    home: Home,
    jobs: int,
) -> Adopted:
    recognised = recognise_system(found.contents)
    entries = found.contents.entries
    layout = layout_of(home)
    warnings = warnings_of(found, recognised)
    facts = described(found, recognised, name, version, jobs=jobs)
    with layout.used():
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
        unchanged()
        built = {"adopted": {"file": label, "format": found.format}, "warnings": list(warnings)}
        image = name_image(layout, name, version, recorded.index, built)
    if found.own:
        stored.keep(found.disk, stored.place(home, facts.disk_digest))
    return Adopted(image, recognised, found.format, len(entries), found.system, warnings)


def warnings_of(found: Opened, recognised: Recognised) -> tuple[str, ...]:
    """What the user of an adopted image should know."""
    warnings = []
    if found.left_out:
        warnings.append(f"{len(found.left_out)} device nodes are no part of the tree, as {found.left_out[0]}")
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
