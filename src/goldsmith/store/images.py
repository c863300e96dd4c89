"""Images by name: versions and build numbers, and what a reference means.

Every image has a ref of its own, ``NAME:VERSION-bN``, beside which ``index.json`` says how it was built. ``NAME:VERSION``
is a ref too and moves to what was built last. All other refs are tags that people have given.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from goldsmith.errors import IntegrityError, UsageError
from goldsmith.model import oci
from goldsmith.model.canonical import canonical
from goldsmith.model.oci import Descriptor
from goldsmith.store import notes
from goldsmith.store.home import Home
from goldsmith.store.layout import Layout, named
from goldsmith.store.machines import refuse_used

REFERENCE = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9._-]*)"
    r"(:(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127})|@sha256:(?P<digest>[0-9a-f]{8,64}))?"
)
VERSION = r"(?P<name>[a-z0-9][a-z0-9._-]*):(?P<version>\d+\.\d+\.\d+)"
MOVING = re.compile(VERSION)
NUMBERED = re.compile(VERSION + r"-b(?P<build>[1-9]\d*)")
VERSIONED = re.compile(VERSION + r"(?:-b([1-9]\d*))?")
Refs = dict[str, Descriptor]
TEXTS = {
    "architecture": notes.ARCHITECTURE,
    "created": notes.CREATED,
    "tree_digest": notes.TREE,
    "disk_digest": notes.DISK,
    "disk_sha256": notes.DISK_SHA256,
}
NUMBERS = {"disk_size": notes.DISK_SIZE, "tree_size": notes.TREE_SIZE, "tree_entries": notes.TREE_ENTRIES}


@dataclass(frozen=True, slots=True)
class StoredImage:
    """An image in the store."""

    name: str
    version: str
    build: int
    """Counts the images of one version."""
    entry: Descriptor
    """What ``index.json`` says of it."""
    newest: bool
    """Whether ``NAME:VERSION`` means this one."""

    @property
    def reference(self) -> str:
        """``NAME:VERSION``, with the build number where it is needed to mean this image."""
        plain = f"{self.name}:{self.version}"
        return plain if self.build == 1 and self.newest else f"{plain}-b{self.build}"

    @property
    def own(self) -> str:
        """The ref that always means this image."""
        return f"{self.name}:{self.version}-b{self.build}"

    @property
    def index(self) -> Descriptor:
        """The object that stands for the whole image."""
        return replace(self.entry, annotations=())

    @property
    def digest(self) -> str:
        """The image's identity."""
        return identity(self.entry)

    @property
    def facts(self) -> Mapping[str, object]:
        """Name, version, build, digests and sizes; and, if it was built here, how."""
        told = dict(self.entry.annotations)
        facts: dict[str, object] = {"name": self.name, "version": self.version, "build": self.build}
        facts |= {fact: told.get(note) for fact, note in TEXTS.items()}
        numbers = {fact: notes.number(told.get(note, "")) for fact, note in NUMBERS.items()}
        facts |= {fact: number for fact, number in numbers.items() if number is not None}
        with suppress(ValueError, TypeError):
            facts.update(json.loads(told.get(notes.BUILD, "{}")))
        return {**facts, "digest": self.digest}


def layout_of(home: Home) -> Layout:
    """The store of a data directory."""
    return Layout(home / "store")


def all_images(layout: Layout) -> Iterator[StoredImage]:
    """Every image: by name, version, and build, but the newest of a version last."""
    return images_of(layout, layout.refs())


def images_of(layout: Layout, refs: Mapping[str, Descriptor]) -> Iterator[StoredImage]:
    """The images that refs name."""
    found: dict[tuple[str, str], dict[int, Descriptor]] = {}
    moving: list[tuple[str, str]] = []
    for reference, item in refs.items():
        if match := VERSIONED.fullmatch(reference):
            name, version, build = match.groups()
            if build:
                found.setdefault((name, version), {})[int(build)] = item
            else:
                moving.append((name, version))
    for name, version in moving:
        builds, item = found.setdefault((name, version), {}), refs[f"{name}:{version}"]
        if all(item.digest != build.digest for build in builds.values()):
            # put there by another program, which knows no build numbers
            builds[max(builds, default=0) + 1] = layout.noted(item)
    for name, version in sorted(found, key=lambda key: (key[0], *map(int, key[1].split(".")))):
        builds = found[name, version]
        if len(builds) == 1:
            ((build, item),) = builds.items()
            yield StoredImage(name, version, build, item, newest=True)
            continue
        last = refs.get(f"{name}:{version}")
        newest = next((n for n, item in builds.items() if last and item.digest == last.digest), max(builds))
        for build in sorted(builds, key=lambda build: (build == newest, build)):
            yield StoredImage(name, version, build, builds[build], build == newest)


def images_named(home: Home, name: str) -> list[StoredImage]:
    """The images of a name: by version, and within one the newest last."""
    layout = layout_of(home)
    return list(images_of(layout, layout.refs(name)))


def find(home: Home, reference: str) -> StoredImage:
    """The image that a reference names.

    ``web`` is the newest of the highest version, ``web:1.2.0`` the newest of that version, ``web:1.2.0-b2`` one build;
    ``web:TAG`` what a person has tagged, ``web@sha256:…`` what has this digest (8 digits or more of it).

    Raises:
        UsageError: there is none, or the text is no reference.
    """
    return find_with_names(home, reference)[0]


def find_with_names(home: Home, reference: str) -> tuple[StoredImage, list[str]]:
    """The image that a reference names, as ``find`` has it, and all the names that it has, sorted."""
    match = REFERENCE.fullmatch(reference)
    if match is None:
        raise UsageError(
            f"{reference!r} is no image",
            hint="name one as in web, web:1.2.0, web:1.2.0-b2 or web@sha256:…, or give a disk's path",
        )
    layout = layout_of(home)
    refs = layout.refs(match["name"])
    images = list(images_of(layout, refs))
    found = choose(images, refs, match)
    if not found:
        names = [image.reference for image in images or all_images(layout)]
        hint = (
            f"there are: {', '.join(names[-8:])}"
            if names
            else "none has been built yet: goldsmith build RECIPE"
        )
        raise UsageError(f"there is no image {reference!r} in {home.path}", hint=hint)
    return found[-1], sorted(ref for ref, item in refs.items() if item.digest == found[-1].index.digest)


def choose(
    images: Sequence[StoredImage], refs: Mapping[str, Descriptor], match: re.Match[str]
) -> list[StoredImage]:
    """Those of a name's images that a reference means, the best one last."""
    if match["digest"]:
        wanted = f"sha256:{match['digest']}"
        return [i for i in images if i.digest.startswith(wanted) or i.index.digest.startswith(wanted)]
    if not match["tag"]:
        return list(images)
    tagged = refs.get(match[0])
    return [
        image for image in images if match[0] == image.own or (tagged and tagged.digest == image.index.digest)
    ]


def name_image(
    layout: Layout, name: str, version: str, index: Descriptor, built: Mapping[str, object] | None = None
) -> StoredImage:
    """Give a stored image its names: a build number of its own, and ``NAME:VERSION``. The same content is kept once.

    Args:
        layout: the store, ``used`` since before the image's objects were stored.
        name: the image's name.
        version: its version.
        index: the image.
        built: how it was built here; replaces what was known of the same content.

    Raises:
        UsageError: the name cannot be one.
    """
    new = layout.noted(index)
    result: list[StoredImage] = []

    def change(refs: Refs) -> None:
        mine = {ref: item for ref, item in refs.items() if ref.startswith(f"{name}:{version}")}
        images = [image for image in images_of(layout, mine) if image.version == version]
        known = next((image for image in images if image.digest == identity(new)), None)
        build = known.build if known else max((image.build for image in images), default=0) + 1
        item = known.index if known and whole(layout, known.index) else index
        before = refs.get(f"{name}:{version}-b{build}")
        told = canonical(built).decode() if built is not None else before.note(notes.BUILD) if before else ""
        annotations = [*layout.noted(item).annotations, *([(notes.BUILD, told)] if told else [])]
        refs[f"{name}:{version}-b{build}"] = replace(item, annotations=tuple(sorted(annotations)))
        refs[f"{name}:{version}"] = replace(item, annotations=())
        own = named(refs[f"{name}:{version}-b{build}"], f"{name}:{version}-b{build}")
        result.append(StoredImage(name, version, build, own, newest=True))

    layout.change(change)
    return result[-1]


def identity(item: Descriptor) -> str:
    """The digest of an image's content, or of the object that stands for it where that is not known."""
    return item.note(notes.DIGEST) or item.digest


def whole(layout: Layout, item: Descriptor) -> bool:
    """Whether all objects of an image are there, each as long as it should be, and its manifests sound."""
    pending = [item]
    while pending:
        there = pending.pop()
        if not layout.blobs.has(there.digest, there.size):
            return False
        if there.media_type in {oci.INDEX, oci.MANIFEST}:
            try:
                pending += layout.children(there.digest)
            except IntegrityError:
                return False
    return True


def make_newest(home: Home, image: StoredImage) -> StoredImage:
    """Note that a build has given an image again: names without a build number mean it from now on.

    Raises:
        UsageError: somebody has deleted it meanwhile.
    """
    if image.newest:
        return image

    def change(refs: Refs) -> None:
        refuse_gone(refs, image)
        refs[f"{image.name}:{image.version}"] = replace(image.index, annotations=())

    layout_of(home).change(change)
    return replace(image, newest=True)


def tag_image(home: Home, image: StoredImage, tag: str) -> str:
    """Give an image one more name, which it takes from another if that had it; tells the whole name.

    Args:
        home: the data directory.
        image: what gets the name.
        tag: ``TAG`` or ``NAME:TAG``. A version is a name that only the builds of that version can have.

    Raises:
        UsageError: it cannot be a name, or belongs to others; or somebody has deleted the image meanwhile.
    """
    reference = tag if ":" in tag else f"{image.name}:{tag}"
    moving = MOVING.fullmatch(reference)
    if NUMBERED.fullmatch(reference) or (moving and reference != f"{image.name}:{image.version}"):
        raise UsageError(
            f"{reference!r} is the name of a version, and {image.own} is not a build of it",
            hint="choose a word, as in web:golden; versions and build numbers come from recipes",
        )
    if REFERENCE.fullmatch(reference) and not reference.startswith(f"{image.name}:"):
        raise UsageError(
            f"{reference!r} would be a name of another image than {image.own}",
            hint=f"choose one of its own: {image.name}:{reference.partition(':')[2]}",
        )

    def change(refs: Refs) -> None:
        refuse_gone(refs, image)
        refs[reference] = image.index

    layout_of(home).change(change)
    return reference


def refuse_gone(refs: Refs, image: StoredImage) -> None:
    """Refuse to name an image that no ref names any more: what it is made of may be collected already."""
    if all(item.digest != image.index.digest for item in refs.values()):
        raise UsageError(f"{image.own} was deleted meanwhile", hint="build or pull it again")


def delete_image(home: Home, reference: str) -> list[str]:
    """Forget an image, or only a tag where the reference is one; tells the names that are gone.

    The objects stay until they are collected. ``NAME:VERSION`` means the next older build from now on, if there is one.

    Raises:
        UsageError: there is none, a tag still names the image, or local machines were made from it.
    """
    image = find(home, reference)
    gone: list[str] = []

    def change(refs: Refs) -> None:
        own = {name for name, item in refs.items() if item.digest == image.index.digest}
        tags = sorted(name for name in own if not NUMBERED.fullmatch(name) and not MOVING.fullmatch(name))
        if reference in tags:
            gone[:] = [reference]
        elif tags:
            raise UsageError(
                f"{image.own} is also called {', '.join(tags)}",
                hint=f"delete that name first: goldsmith delete {tags[0]}",
            )
        else:
            refuse_used(home, image.digest, image.own)
            gone[:] = sorted(own & {image.own, f"{image.name}:{image.version}"})
        for name in gone:
            del refs[name]
        left = [other for other in images_of(layout_of(home), refs) if same_version(other, image)]
        if left and f"{image.name}:{image.version}" in gone:
            refs[f"{image.name}:{image.version}"] = left[-1].index

    layout_of(home).change(change)
    return gone


def same_version(one: StoredImage, other: StoredImage) -> bool:
    """Whether two images are builds of one version."""
    return (one.name, one.version) == (other.name, other.version)
