"""What is to be proved: a disk, what identifies it, and the recipe it was built from."""

from dataclasses import dataclass
from pathlib import Path

from goldsmith.builder.inputs import Inputs, read_inputs
from goldsmith.disk.stored import raw_disk
from goldsmith.errors import UsageError
from goldsmith.machine.overlay import disk_format
from goldsmith.model.canonical import digest
from goldsmith.model.recipe import Recipe
from goldsmith.store.home import Home
from goldsmith.store.images import find


@dataclass(frozen=True, slots=True)
class Subject:
    """An image or a disk, ready to be booted."""

    ref: str
    """As it was named."""
    disk: Path
    """A raw or qcow2 disk, which is only read."""
    digest: str
    """The image's digest; for a path that of its name, size and time."""
    inputs: Inputs | None = None
    """The recipe and what it names; ``None`` where it is not known, as for a vendor's disk."""


def find_subject(home: Home, ref: str, recipe: Recipe | None) -> Subject:
    """What REF means.

    Args:
        home: the data directory.
        ref: an image, or the path of a disk where it has a slash or exists.
        recipe: the recipe, where one was named.

    Raises:
        UsageError: there is no such image, or the recipe is not the one that it was built from.
    """
    inputs = read_inputs(recipe) if recipe else None
    path = Path(ref)
    if "/" in ref or path.exists():
        disk_format(path)
        facts = path.stat()
        mark = digest([str(path.resolve()), facts.st_size, facts.st_mtime_ns])
        return Subject(ref, path, mark, inputs)
    image = find(home, ref)
    if inputs and inputs.digest != image.facts.get("recipe_digest"):
        raise UsageError(
            f"{image.reference} was not built from this recipe as it is now",
            hint="build it again, or name the recipe as it was; leave --recipe out to test without one",
        )
    return Subject(ref, raw_disk(home, image), image.digest, inputs)
