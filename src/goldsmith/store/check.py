"""Is the store whole: objects that are missing, cut short, changed, or do not belong, and the images each one hurts."""

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from goldsmith.effects.drafts import PREFIX
from goldsmith.effects.files import sha256_file
from goldsmith.errors import IntegrityError
from goldsmith.model import oci
from goldsmith.model.oci import DIGEST, Descriptor
from goldsmith.model.packed import unpacked
from goldsmith.store.layers import KNOWN_LIMIT
from goldsmith.store.layout import DAMAGED, MARKER, Layout, is_sealed
from goldsmith.store.notes import SUBJECT

JOBS = 2
MANIFESTS = frozenset({oci.INDEX, oci.MANIFEST})


class Hurt(StrEnum):
    """What can be wrong with an object."""

    MISSING = "missing"
    """An image needs it, and it is not there."""
    TRUNCATED = "truncated"
    """It has fewer bytes than it should."""
    DAMAGED = "damaged"
    """Its bytes are not those of its name."""
    CHANGED = "changed"
    """``index.json`` or the marker beside it is not as goldsmith has written it."""
    STRAY = "stray"
    """A file that is no object; it hurts nothing."""
    UNUSED = "unused"
    """An object that no image needs; ``gc`` removes it."""


FOREIGN = b'{"schemaVersion"'
"""How ``index.json`` begins where a program in Go has written it; nobody can tell then whether it is damaged."""
HARMLESS = frozenset({Hurt.STRAY, Hurt.UNUSED})
"""What hurts no image."""
OWN = frozenset({"oci-layout", "index.json", "blobs", "known", ".lock", ".using", DAMAGED})
"""What may lie in a store's directory."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with one object."""

    kind: Hurt
    """What."""
    name: str
    """The object's digest, or the stray file's path in the store."""
    images: tuple[str, ...]
    """The refs that need it, sorted."""
    reason: str
    """One sentence for a person."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What the refs of a store lead to."""

    needed: Mapping[str, Descriptor]
    """Every object that a ref leads to, by digest."""
    images: Mapping[str, frozenset[str]]
    """The refs that lead to each, by digest; empty for what only nameless entries need."""
    problems: Mapping[str, str]
    """Manifests that could not be read, with the reason, by digest."""


def reach(layout: Layout) -> Reach:
    """Follow all refs; manifests that cannot be read end the way and are named.

    Raises:
        IntegrityError: ``index.json`` itself is damaged.
    """
    needed: dict[str, Descriptor] = {}
    images: dict[str, set[str]] = {}
    problems: dict[str, str] = {}
    below: dict[str, tuple[Descriptor, ...]] = {}

    def follow(item: Descriptor, name: str) -> None:
        pending = [item]
        seen: set[str] = set()
        while pending:
            there = pending.pop()
            if there.digest in seen:
                continue
            seen.add(there.digest)
            needed.setdefault(there.digest, there)
            images.setdefault(there.digest, set()).update({name} - {""})
            if there.media_type not in MANIFESTS:
                continue
            if there.digest not in below:
                try:
                    below[there.digest] = layout.children(there.digest)
                except IntegrityError as error:
                    below[there.digest] = ()
                    problems[there.digest] = error.message
            pending += below[there.digest]

    entries = layout.entries()
    for item in entries:
        if not item.note(SUBJECT):
            follow(item, item.note(oci.REF_NAME))
    for item in entries:  # what says something about an image lives as long as the image
        if item.note(SUBJECT) in needed:
            for name in sorted(images[item.note(SUBJECT)]) or [""]:
                follow(item, name)
    return Reach(needed, {digest: frozenset(names) for digest, names in images.items()}, problems)


def check(layout: Layout, *, read: bool = False) -> list[Problem]:
    """Everything that is wrong with a store, sorted by object.

    Args:
        layout: the store.
        read: read every object and compare it with its name; without it only presence and size are looked at,
            and manifests are read.

    Raises:
        IntegrityError: ``index.json`` is damaged, so nobody knows what is needed.
    """
    found = reach(layout)
    problems = [problem for item in found.needed.values() for problem in look(layout, item, found)]
    known_bad = {problem.name for problem in problems}
    there = [path for path in layout.blobs.all() if f"sha256:{path.name}" not in known_bad]
    objects = [path for path in there if oci.DIGEST.fullmatch(f"sha256:{path.name}") and path.is_file()]
    strays = set(there) - set(objects)
    strays |= set(misplaced(layout))
    problems += [stray(layout, path) for path in strays]
    problems += surface(layout)
    if read:
        with ThreadPoolExecutor(max_workers=JOBS) as pool:
            for path, digest in zip(objects, pool.map(sha256_file, objects), strict=True):
                if digest != path.name:
                    problems.append(flipped(f"sha256:{path.name}", f"sha256:{digest}", found))
    problems += [
        Problem(Hurt.UNUSED, f"sha256:{path.name}", (), "no image needs it; goldsmith store gc removes it")
        for path in objects
        if f"sha256:{path.name}" not in found.needed
    ]
    return sorted(problems, key=lambda problem: (problem.name, problem.kind))


def misplaced(layout: Layout) -> Iterator[Path]:
    """Files and directories outside the objects that do not belong."""
    for room, allowed in ((layout.directory, OWN), (layout.directory / "blobs", {"sha256"})):
        if room.is_dir():
            yield from (path for path in room.iterdir() if path.name not in allowed)
    if layout.known.is_dir():
        yield from (path for path in layout.known.iterdir() if not sound_note(path))


def sound_note(path: Path) -> bool:
    """Whether a file below ``known`` is whole; it only saves time, and one that is not is not believed."""
    try:
        unpacked(path.read_bytes(), limit=KNOWN_LIMIT)
    except (OSError, ValueError):
        return False
    return DIGEST.fullmatch(f"sha256:{path.name}") is not None


def surface(layout: Layout) -> Iterator[Problem]:
    """What is wrong with the files that make a directory an OCI layout."""
    marker, listing = layout.directory / "oci-layout", layout.directory / "index.json"
    if not listing.exists():
        if marker.exists():
            yield Problem(Hurt.MISSING, listing.name, (), "it is not there, so no image has a name any more")
        return
    images = tuple(sorted(layout.refs()))
    if images and not is_marker(marker):
        yield Problem(Hurt.CHANGED, marker.name, images, "it does not say that this is an OCI image layout")
    data = listing.read_bytes()
    if not data.startswith(FOREIGN) and not is_sealed(data):
        reason = "it is not as goldsmith has written it; names and notes may be wrong"
        yield Problem(Hurt.CHANGED, listing.name, images, reason)


def is_marker(path: Path) -> bool:
    """Whether a file is an OCI layout's marker."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return False
    return bool(found == json.loads(MARKER))


def look(layout: Layout, item: Descriptor, found: Reach) -> Iterator[Problem]:
    """What is wrong with one needed object, as far as its size and, of a manifest, its bytes tell."""
    images = tuple(sorted(found.images[item.digest]))
    try:
        size = layout.blobs.path(item.digest).stat().st_size
    except FileNotFoundError:
        yield Problem(Hurt.MISSING, item.digest, images, f"it is not there ({item.media_type})")
        return
    if size < item.size:
        yield Problem(Hurt.TRUNCATED, item.digest, images, f"it has {size} bytes instead of {item.size}")
    elif size > item.size:
        yield Problem(Hurt.DAMAGED, item.digest, images, f"it has {size} bytes instead of {item.size}")
    elif item.digest in found.problems:
        yield Problem(Hurt.DAMAGED, item.digest, images, found.problems[item.digest])


def flipped(digest: str, real: str, found: Reach) -> Problem:
    """An object of the right length whose bytes are others."""
    images = tuple(sorted(found.images.get(digest, ())))
    return Problem(Hurt.DAMAGED, digest, images, f"its bytes have the digest {real}")


def stray(layout: Layout, path: Path) -> Problem:
    """A file among the objects that is none."""
    what = (
        "an unfinished write, of a process that runs or was killed"
        if path.name.startswith(PREFIX)
        else "no object"
    )
    return Problem(Hurt.STRAY, str(path.relative_to(layout.directory)), (), f"it is {what}")
