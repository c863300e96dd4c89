"""Built images: one directory a build, found by name, version and build number."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from goldsmith.effects.files import locked, sync_directory, write_durably
from goldsmith.errors import UsageError
from goldsmith.store.home import Home

REFERENCE = re.compile(r"(?P<name>[a-z0-9][a-z0-9._-]*?)(:(?P<version>\d+\.\d+\.\d+)(-b(?P<build>\d+))?)?")


@dataclass(frozen=True, slots=True)
class StoredImage:
    """A built image as it lies in the store."""

    name: str
    version: str
    build: int
    directory: Path
    facts: Mapping[str, object]
    """What ``image.json`` says: digests, artifacts, warnings."""

    @property
    def disk(self) -> Path:
        """The raw disk."""
        return self.directory / "disk.raw"

    @property
    def sequence(self) -> int:
        """Counts the builds of its name; the greatest is the newest, whatever its build number."""
        number = self.facts.get("sequence", 0)
        return number if isinstance(number, int) else 0

    @property
    def reference(self) -> str:
        """``name:version``, with the build number from the second on."""
        return f"{self.name}:{self.version}" + (f"-b{self.build}" if self.build > 1 else "")


def all_images(home: Home) -> Iterator[StoredImage]:
    """Every image, oldest version and build first within a name."""
    for path in sorted(home.path.glob("images/*/*/image.json")):
        with suppress(FileNotFoundError, ValueError):
            facts = json.loads(path.read_bytes())
            yield StoredImage(facts["name"], facts["version"], facts["build"], path.parent, facts)


def images_named(home: Home, name: str) -> list[StoredImage]:
    """The images of a name: by version, and within one by when a build last gave them."""
    found = [image for image in all_images_of(home, name) if image.name == name]
    return sorted(found, key=lambda image: (*map(int, image.version.split(".")), image.sequence, image.build))


def all_images_of(home: Home, name: str) -> Iterator[StoredImage]:
    """The images in one name's directory, in no order."""
    for path in (home / "images" / name).glob("*/image.json"):
        with suppress(FileNotFoundError, ValueError):
            facts = json.loads(path.read_bytes())
            yield StoredImage(facts["name"], facts["version"], facts["build"], path.parent, facts)


def find(home: Home, reference: str) -> StoredImage:
    """The image that a reference names: ``web`` (the newest), ``web:1.2.0`` (its newest build), ``web:1.2.0-b2``.

    Raises:
        UsageError: there is none, or the text is no reference.
    """
    match = REFERENCE.fullmatch(reference)
    if match is None:
        raise UsageError(
            f"{reference!r} is no image",
            hint="name one as in web, web:1.2.0 or web:1.2.0-b2, or give a disk's path",
        )
    found = images_named(home, match["name"])
    if match["version"]:
        found = [image for image in found if image.version == match["version"]]
    if match["build"]:
        found = [image for image in found if image.build == int(match["build"])]
    if not found:
        names = sorted({image.reference for image in all_images(home)})
        hint = (
            f"there are: {', '.join(names[-8:])}"
            if names
            else "none has been built yet: goldsmith build RECIPE"
        )
        raise UsageError(f"there is no image {reference!r} in {home.path}", hint=hint)
    return found[-1]


def same_content(home: Home, name: str, version: str, digest: str) -> StoredImage | None:
    """The build of this version that has this content."""
    for image in all_images_of(home, name):
        if image.version == version and image.facts.get("digest") == digest:
            return image
    return None


def keep(
    home: Home, name: str, version: str, facts: Mapping[str, object], disk: Path, files: Mapping[str, bytes]
) -> StoredImage:
    """Record a build: its disk is moved in, then ``image.json`` makes it count. The same content is kept once.

    Args:
        home: the data directory.
        name: the image's name.
        version: its version.
        facts: with ``digest``; ``build`` is added.
        disk: the raw disk, on the file system of ``home``; it is gone from there afterwards.
        files: further files beside it.
    """
    room = home / "images" / name
    with locked(room / ".lock"):
        known = same_content(home, name, version, str(facts["digest"]))
        builds = [image.build for image in all_images_of(home, name) if image.version == version]
        build = known.build if known else max(builds, default=0) + 1
        directory = room / f"{version}-b{build}"
        directory.mkdir(exist_ok=True)
        for filename, data in files.items():
            write_durably(directory / filename, data)
        os.replace(disk, directory / "disk.raw")
        sync_directory(directory)
        written = known.facts.get("written", {}) if known else {}
        own = {"build": build, "written": written, "sequence": next_sequence(home, name)}
        image = StoredImage(name, version, build, directory, {**facts, **own})
        update(image, image.facts)
        return image


def next_sequence(home: Home, name: str) -> int:
    """The number after the newest image's."""
    return max((image.sequence for image in all_images_of(home, name)), default=0) + 1


def make_newest(home: Home, image: StoredImage) -> StoredImage:
    """Note that a build has given an image again: names without a build number mean it from now on."""
    if image.sequence == next_sequence(home, image.name) - 1:
        return image
    with locked(home / "images" / image.name / ".lock"):
        facts = {**image.facts, "sequence": next_sequence(home, image.name)}
        update(image, facts)
    return StoredImage(image.name, image.version, image.build, image.directory, facts)


def update(image: StoredImage, facts: Mapping[str, object]) -> None:
    """Write ``image.json`` anew."""
    text = json.dumps({**facts, "build": image.build}, indent=1, sort_keys=True)
    write_durably(image.directory / "image.json", text.encode())
