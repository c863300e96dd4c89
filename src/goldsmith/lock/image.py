"""The image that a recipe stands on: found in the store, brought there if need be, and what it has installed."""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from goldsmith.disk.adopt.keep import adopt
from goldsmith.disk.adopt.recognise import installed, parse_os_release
from goldsmith.effects.files import write_durably
from goldsmith.errors import InputError, UsageError
from goldsmith.model.canonical import digest
from goldsmith.model.distribution import DISTRIBUTIONS
from goldsmith.model.recipe import Base, Recipe
from goldsmith.store.home import Home
from goldsmith.store.images import StoredImage, find, layout_of, whole
from goldsmith.store.record import parts_of
from goldsmith.store.tree import TreeIndex, open_path, read_index

STATUS = "/var/lib/dpkg/status"
ADOPTED_VERSION = "0.0.0"
"""The version of an image that a recipe names by its file; ``goldsmith import`` gives others."""
REGISTRY = ("oci:", "docker://")


@dataclass(frozen=True, slots=True)
class Installed:
    """What an image has installed."""

    status: str
    """dpkg's status, as it is."""
    versions: Mapping[str, str]
    """Versions by package."""
    known: frozenset[str]
    """All packages that dpkg keeps something of, also those that were removed."""


def ground(
    recipe: Recipe,
    *,
    home: Home,
    locked: str = "",
    jobs: int = 2,
    report: Callable[[str], None] = lambda _: None,
) -> Recipe:
    """The recipe with the image that it stands on found and recognised; the same recipe if it stands on none.

    Args:
        recipe: as it was read.
        home: the data directory, whose store has the image or is given it.
        locked: the image as the recipe's lock names it; a registry is not asked for one that is here.
        jobs: how many threads adopt a file.
        report: is told what is being done.

    Raises:
        InputError: there is no such image, or no recipe can stand on it.
        IntegrityError: it is damaged.
    """
    if not recipe.base.image:
        return recipe
    try:
        image = locked_image(recipe, home, locked) or base_image(recipe, home, jobs=jobs, report=report)
        index = index_of(home, image)
        base = described(recipe.base, image, index, home)
    except UsageError as error:
        error.where = error.where or recipe.where
        raise
    check(recipe, base, image, index)
    return replace(recipe, base=base)


def locked_image(recipe: Recipe, home: Home, locked: str) -> StoredImage | None:
    """The image that the lock names, if the recipe names one of a registry, whose tags move, and it is here."""
    reference, _, identity = locked.partition(" ")
    if not identity or not recipe.base.image.startswith(REGISTRY):
        return None
    with suppress(UsageError):
        image = find(home, reference)
        if image.digest == identity and whole(layout_of(home), image.index):
            return image
    return None


def base_image(recipe: Recipe, home: Home, *, jobs: int, report: Callable[[str], None]) -> StoredImage:
    """The image that a recipe names; a file is adopted the first time."""
    named = recipe.base.image
    if named.startswith(REGISTRY):
        from goldsmith.lock.registry import pulled_image  # noqa: PLC0415 - most recipes need no network for it

        return pulled_image(
            named,
            architecture=recipe.architecture,
            version=ADOPTED_VERSION,
            home=home,
            jobs=jobs,
            report=report,
        )
    if not named.startswith(("./", "../", "/")):
        return find(home, named)
    path = Path(recipe.directory, named)
    try:
        facts = path.stat()
    except OSError as error:
        raise InputError(
            f"the image {named!r} cannot be read: {error.strerror}",
            hint="paths start from the directory of the recipe",
            where=recipe.where,
        ) from error
    key = digest([str(path.resolve()), facts.st_ino, facts.st_size, facts.st_mtime_ns])
    note = home / "cache/adopted" / key.removeprefix("sha256:")
    with suppress(OSError, UsageError):
        known = find(home, note.read_text())
        if whole(layout_of(home), known.index):
            return known
    report(f"importing {named}")
    image = adopt(
        path, name=name_of(path), version=ADOPTED_VERSION, home=home, jobs=jobs, report=report
    ).image
    write_durably(note, image.own.encode())
    return image


def name_of(path: Path) -> str:
    """An image's name from a file's: what may not be in one becomes ``-``."""
    stem = re.sub(r"(\.(qcow2|img|raw|vmdk|vhdx?|vdi|oci|tar|t?gz|t?xz|zst|bz2))+$", "", path.name.lower())
    return re.sub(r"[^a-z0-9._-]+", "-", stem).strip("._-")[:60] or "image"


def index_of(home: Home, image: StoredImage) -> TreeIndex:
    """The tree of an image."""
    layout = layout_of(home)
    return read_index(layout, parts_of(layout, image.index, image.reference).tree_index.digest)


def described(base: Base, image: StoredImage, index: TreeIndex, home: Home) -> Base:
    """What a recipe needs to know of an image."""
    release = {}
    for path in ("/usr/lib/os-release", "/etc/os-release"):
        if index.entries.get(path) is not None and index.entries[path].kind == "file":
            with open_path(layout_of(home), index, path) as stream:
                release = parse_os_release(stream.read().decode(errors="replace"))
            break
    return Base(
        distribution=release.get("ID", ""),
        suite=release.get("VERSION_CODENAME", ""),
        image=base.image,
        reference=image.own,
        digest=image.digest,
        tree=str(image.facts["tree_digest"]),
        epoch=_seconds(str(image.facts.get("created") or "")),
    )


def _seconds(text: str) -> int:
    try:
        return int(datetime.fromisoformat(text).timestamp())
    except ValueError:
        return 0


def check(recipe: Recipe, base: Base, image: StoredImage, index: TreeIndex) -> None:
    """Refuse an image that no recipe can stand on.

    Raises:
        InputError: with the reason.
    """
    known = DISTRIBUTIONS.get(base.distribution)
    architecture = image.facts.get("architecture")
    wrong = ""
    if known is None:
        wrong = f"it holds {base.distribution or 'a system without an os-release'}, not {' or '.join(DISTRIBUTIONS)}"
    elif base.suite not in known.suites:
        wrong = f"it holds {base.distribution} {base.suite or 'of no known suite'}; known are {', '.join(known.suites)}"
    elif STATUS not in index.entries:
        wrong = "it has no dpkg, whose list of packages new ones are chosen by"
    elif architecture != recipe.architecture:
        wrong = f"it is for {architecture}, and the recipe for {recipe.architecture}"
    elif (root := index.entries.get("/bin")) is None or root.kind != "symlink":
        wrong = "its /bin is no link into /usr: it is older than what goldsmith builds"
    if wrong:
        raise InputError(
            f"no recipe can start from {recipe.base}: {wrong}",
            hint="name another image, or start from a distribution: from: debian:trixie",
            where=recipe.where,
        )


def installed_in(home: Home, base: Base) -> Installed:
    """What the image that a recipe stands on has installed.

    Raises:
        IntegrityError: it is damaged.
        UsageError: it is not in the store any more.
    """
    image = find(home, base.reference)
    with open_path(layout_of(home), index_of(home, image), STATUS) as stream:
        status = stream.read().decode(errors="surrogateescape")
    versions = {package.name: package.version for package in installed(status)}
    known = frozenset(re.findall(r"^Package: (\S+)", status, re.MULTILINE))
    return Installed(status, versions, known)
