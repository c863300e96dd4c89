"""``goldsmith list``: the images of the store."""

import json
from collections.abc import Mapping, Sequence

import click

from goldsmith.cli.units import bytes_of, visible
from goldsmith.effects.allocator import garbage_kept
from goldsmith.model.oci import Descriptor
from goldsmith.store import notes
from goldsmith.store.home import find_home
from goldsmith.store.images import StoredImage, images_of, layout_of

SHORT = 19
"""Letters of a digest that are shown."""
FACTS = ("digest", "architecture", "created", "tree_size", "disk_size", "reproducible")


@click.command("list", short_help="List the images.")
@click.argument("name", default="")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(name: str, *, as_json: bool) -> None:
    """List all images, or those of NAME: by name, version and build; the newest of a version last."""
    with garbage_kept():
        refs = layout_of(find_home()).refs(name)
        images = list(images_of(layout_of(find_home()), refs))
        tags = tags_of(refs, images)
        if as_json:
            print(json.dumps({"images": [as_object(image, tags) for image in images]}, indent=1))
        elif not images:
            print("there is no image yet: goldsmith build RECIPE")
        else:
            print("\n".join(table(images, tags)))


def tags_of(refs: Mapping[str, Descriptor], images: Sequence[StoredImage]) -> dict[str, list[str]]:
    """By digest: the tags that people have given."""
    own = {name for image in images for name in (image.own, f"{image.name}:{image.version}")}
    found: dict[str, list[str]] = {}
    for reference, item in refs.items():
        if reference not in own:
            found.setdefault(item.digest, []).append(reference)
    return found


def as_object(image: StoredImage, tags: Mapping[str, list[str]]) -> dict[str, object]:
    """One image for machines."""
    facts = image.facts
    return {
        "ref": image.own,
        "name": image.name,
        "version": image.version,
        "build": image.build,
        "newest": image.newest,
        "tags": tags.get(image.index.digest, []),
        **{fact: facts.get(fact) for fact in FACTS},
    }


def table(images: Sequence[StoredImage], tags: Mapping[str, list[str]]) -> list[str]:
    """The images for people, a line each."""
    rows = [("IMAGE", "TIME", "FILES", "DISK", "DIGEST", "TAGS")]
    for image in images:
        told = dict(image.entry.annotations)  # not image.facts, which reads more than is shown of thousands
        rows.append(
            (
                image.reference,
                told.get(notes.CREATED, "")[:10],
                told_bytes(told.get(notes.TREE_SIZE, "")),
                told_bytes(told.get(notes.DISK_SIZE, "")),
                told.get(notes.DIGEST, image.entry.digest)[:SHORT],
                " ".join(tags.get(image.entry.digest, ())),
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    form = "  ".join(f"%-{width}s" for width in widths)
    return [visible(form % row).rstrip() for row in rows]


def told_bytes(text: str) -> str:
    """A number of bytes as an annotation has it, for people."""
    return bytes_of(notes.number(text))
