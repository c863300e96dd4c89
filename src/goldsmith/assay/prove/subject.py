"""What is to be proved: a disk, what identifies it, and the recipe it was built from."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from goldsmith.builder.inputs import Inputs, read_inputs
from goldsmith.disk.stored import raw_disk
from goldsmith.errors import GoldsmithError, UsageError
from goldsmith.machine.overlay import disk_format
from goldsmith.model.canonical import digest
from goldsmith.model.recipe import Recipe
from goldsmith.recipe.read import read_recipe
from goldsmith.store.home import Home
from goldsmith.store.images import StoredImage, find


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


def find_subject(home: Home, ref: str, recipe: Recipe | None, *, note: Callable[[str], None]) -> Subject:
    """What REF means.

    Args:
        home: the data directory.
        ref: an image, or the path of a disk where it has a slash or exists.
        recipe: the recipe, where one was named; else the one that the image was built from, if it is still there.
        note: is called with what a person should know.

    Raises:
        UsageError: there is no such image, or the recipe that was named is another image's.
    """
    inputs = read_inputs(recipe) if recipe else None
    path = Path(ref)
    if "/" in ref or (ref and path.exists()):
        disk_format(path)
        facts = path.stat()
        mark = digest([str(path.resolve()), facts.st_size, facts.st_mtime_ns])
        return Subject(ref, path, mark, inputs)
    image = find(home, ref)
    if inputs and inputs.recipe.name != image.name:
        raise UsageError(
            f"{image.reference} was not built from this recipe, which makes {inputs.recipe.name!r}",
            hint="name the recipe of this image, or leave --recipe out",
        )
    inputs = inputs or built_from(image, note)
    if inputs and inputs.digest != image.facts.get("recipe_digest"):
        note(
            f"the recipe has changed since {image.reference} was built; the image is tested against it as it is now"
        )
    return Subject(ref, raw_disk(home, image), image.digest, inputs)


def built_from(image: StoredImage, note: Callable[[str], None]) -> Inputs | None:
    """The recipe that an image was built from; ``None`` where it is not there any more, or cannot be read."""
    told = image.facts.get("recipe")
    if not isinstance(told, str) or not told or not Path(told).is_file():
        return None
    try:
        inputs = read_inputs(read_recipe(Path(told)))
    except GoldsmithError as error:
        note(
            f"{error.where or told}: {error.message}; so what the recipe asks for is not tested: "
            "mend it, or name it with --recipe and --set"
        )
        return None
    return inputs if inputs.recipe.name == image.name else None
