"""``goldsmith show REF``: all that is known of one image."""

import json
from collections.abc import Mapping, Sequence

import click

from goldsmith.cli.units import bytes_of, visible
from goldsmith.effects.allocator import garbage_kept
from goldsmith.model import oci
from goldsmith.store import notes
from goldsmith.store.home import find_home
from goldsmith.store.images import StoredImage, find_with_names, layout_of
from goldsmith.store.layout import Layout
from goldsmith.store.record import parts_of

BUILD = ("recipe_digest", "lock_digest", "key", "reproducible", "warnings")


@click.command("show", short_help="Show one image.")
@click.argument("ref")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(ref: str, *, as_json: bool) -> None:
    """Show what REF is: its names, digests, tree, disk and how it was built.

    REF is an image: web, web:1.2.0, web:1.2.0-b2, web:TAG or web@sha256:…
    """
    home = find_home()
    with garbage_kept():
        image, names = find_with_names(home, ref)
    facts = facts_of(layout_of(home), image, names)
    print(json.dumps(facts, indent=2) if as_json else "\n".join(map(visible, in_words(facts))))


def facts_of(layout: Layout, image: StoredImage, names: Sequence[str]) -> dict[str, object]:
    """The image for machines."""
    parts = parts_of(layout, image.index, image.reference)
    told = layout.read(image.index.digest).get("annotations")
    said = told if isinstance(told, dict) else {}
    _, *layers = layout.children(parts.container.digest)
    known = image.facts
    rest = [image.index, parts.container, parts.disk, parts.tree_index, parts.disk_map, *parts.literals]
    return {
        "ref": image.own,
        "name": image.name,
        "version": image.version,
        "build": image.build,
        "names": list(names),
        "newest": image.newest,
        "digest": image.digest,
        "oci_digest": image.index.digest,
        "architecture": known.get("architecture"),
        "created": known.get("created"),
        "description": said.get(notes.DESCRIPTION, ""),
        "labels": notes.labels(str(said.get(notes.LABELS, "{}"))) or {},
        "tree": {
            "digest": known.get("tree_digest"),
            "paths": known.get("tree_entries"),
            "size": known.get("tree_size"),
            "layers": [{"digest": layer.digest, "size": layer.size} for layer in layers],
        },
        "disk": {
            "digest": known.get("disk_digest"),
            "sha256": known.get("disk_sha256"),
            "size": known.get("disk_size"),
        },
        "stored": sum(item.size for item in [*rest, *layers]),
        "notes": {name: note for name, note in sorted(said.items()) if name not in SHOWN},
        "built": {name: known[name] for name in BUILD if name in known} or None,
        "adopted": known.get("adopted"),
        "base": {"name": said[notes.BASE_NAME], "digest": said[notes.BASE_DIGEST]}
        if {notes.BASE_NAME, notes.BASE_DIGEST} <= said.keys()
        else None,
    }


SHOWN = {*notes.LISTED, notes.BASE_NAME, notes.BASE_DIGEST, notes.DESCRIPTION, notes.LABELS, oci.REF_NAME}
"""Annotations that are shown under other names."""


def in_words(facts: Mapping[str, object]) -> list[str]:
    """The image for people."""
    tree, disk, built, labels = facts["tree"], facts["disk"], facts["built"], facts["labels"]
    assert isinstance(tree, dict)
    assert isinstance(disk, dict)
    assert isinstance(labels, dict)
    names = facts["names"]
    assert isinstance(names, list)
    lines = [
        str(facts["ref"]),
        f"  names         {', '.join(names)}",
        f"  digest        {facts['digest']}",
        f"  OCI digest    {facts['oci_digest']}",
        f"  architecture  {facts['architecture']}",
        f"  time          {facts['created']}",
    ]
    if facts["description"]:
        lines.append(f"  description   {facts['description']}")
    lines += [f"  label         {name}: {value}" for name, value in labels.items()]
    lines += [
        f"  tree          {tree['paths']} paths, {bytes_of(tree['size'])} in files",
        f"                {tree['digest']}",
        f"  disk          {bytes_of(disk['size'])}",
        f"                {disk['digest']}",
        f"  stored        {bytes_of(facts['stored'])} in {len(tree['layers'])} layers and a disk map",
    ]
    base, adopted = facts["base"], facts["adopted"]
    if isinstance(base, dict):
        lines += [f"  stands on     {base['name']}", f"                {base['digest']}"]
    if isinstance(adopted, dict):
        lines.append(f"  imported      from {adopted.get('file')}, {adopted.get('format')}")
    if isinstance(built, dict) and not isinstance(adopted, dict):
        lines.append(f"  built         {'reproducible' if built.get('reproducible') else 'not reproducible'}")
        lines.append(f"    recipe      {built.get('recipe_digest')}")
        lines.append(f"    lock        {built.get('lock_digest')}")
        lines += [f"    warning     {warning}" for warning in built.get("warnings", [])]
    return lines
