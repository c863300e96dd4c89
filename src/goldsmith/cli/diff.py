"""``goldsmith diff REF REF``: what differs between two images."""

import json
from collections.abc import Iterator
from functools import partial

import click

from goldsmith.assay.compare import Difference, FactChange, FileChange, Seen, compare
from goldsmith.assay.seen import content_of, see
from goldsmith.cli.units import bytes_of, visible
from goldsmith.model.tree import TreeEntry
from goldsmith.store.contents import Contents, contents_of
from goldsmith.store.home import find_home
from goldsmith.store.images import StoredImage, find

SIGNS = {"added": "+", "removed": "-"}


@click.command("diff", short_help="Say what differs between two images.")
@click.argument("before")
@click.argument("after")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(before: str, after: str, *, as_json: bool) -> None:
    """Say what AFTER has that BEFORE has not: packages, files, how it boots, disk and sizes.

    Of a file that differs it is told whose it is, what kind of content it has, and what of it differs. Both are
    images: web, web:1.2.0, web:1.2.0-b2, web:TAG or web@sha256:…
    """
    home = find_home()
    images = [find(home, before), find(home, after)]
    both = [contents_of(home, image) for image in images]
    seen = [see(contents, image) for contents, image in zip(both, images, strict=True)]
    found = compare(seen[0], seen[1], content=partial(content, seen[0], both))
    if as_json:
        print(json.dumps(as_object(images, found), indent=2))
    else:
        print("\n".join([f"{images[0].own} → {images[1].own}", *map(visible, in_words(found))]))


def content(first: Seen, both: list[Contents], seen: Seen, path: str) -> str:
    """The kind of content that a path of one of two images has."""
    return content_of(both[0] if seen is first else both[1], path)


def as_object(images: list[StoredImage], found: Difference) -> dict[str, object]:
    """The difference for machines."""
    return {
        "before": images[0].own,
        "after": images[1].own,
        "same": found.same,
        "packages": [
            {"name": c.name, "before": c.before or None, "after": c.after or None, "size": c.size}
            for c in found.packages
        ],
        "files": [file_object(change) for change in found.files],
        "times": found.times,
        **{
            name: {c.name: {"before": c.before, "after": c.after} for c in changes}
            for name, changes in (("boot", found.boot), ("disk", found.disk), ("size", found.size))
        },
    }


def file_object(change: FileChange) -> dict[str, object]:
    """A path that differs, for machines."""
    return {
        "path": change.path,
        "what": list(change.what),
        "package": change.package or None,
        "content": change.content or None,
        "before": entry_object(change.before),
        "after": entry_object(change.after),
    }


def entry_object(entry: TreeEntry | None) -> dict[str, object] | None:
    """A path of a tree for machines; what does not hold for its kind is left out."""
    if entry is None:
        return None
    facts: dict[str, object] = {
        "kind": entry.kind,
        "mode": f"{entry.mode:04o}",
        "uid": entry.uid,
        "gid": entry.gid,
        "mtime": entry.mtime,
    }
    if entry.kind == "file":
        facts |= {"size": entry.size, "sha256": entry.sha256}
    if entry.kind == "symlink":
        facts["target"] = entry.target
    if entry.xattrs:
        facts["xattrs"] = dict(entry.xattrs)
    if entry.link:
        facts["link"] = entry.link
    return facts


def in_words(found: Difference) -> Iterator[str]:
    """The difference for people."""
    if found.same:
        yield "nothing differs"
        return
    if found.packages:
        yield f"packages ({len(found.packages)})"
        for package in found.packages:
            sign = "+" if not package.before else "-" if not package.after else "~"
            versions = " → ".join(version for version in (package.before, package.after) if version)
            yield f"  {sign} {package.name} {versions} ({signed(package.size)})"
    if found.files:
        yield f"files ({len(found.files)})"
        for change in found.files:
            yield f"  {file_words(change)}"
    if found.times:
        yield f"{found.times} more paths differ by their time alone"
    for name, changes in (("boot", found.boot), ("disk", found.disk), ("size", found.size)):
        if changes:
            yield name
            for fact in changes:
                yield from fact_words(fact, size=name == "size")


def file_words(change: FileChange) -> str:
    """A path that differs, for people."""
    sign = SIGNS.get(change.what[0], "~")
    old, new = change.before, change.after
    details = [*(change.what if sign == "~" else ())]
    if old and new and old.mode != new.mode:
        details[details.index("mode")] = f"mode {old.mode:04o} → {new.mode:04o}"
    if old and new and (old.uid, old.gid) != (new.uid, new.gid):
        details[details.index("owner")] = f"owner {old.uid}:{old.gid} → {new.uid}:{new.gid}"
    if old and new and old.target != new.target:
        details[details.index("target")] = f"target {old.target} → {new.target}"
    kind = change.content or (new or old or TreeEntry("", "", 0, 0, 0, 0)).kind
    size = (new.size if new else 0) - (old.size if old else 0)
    facts = [kind, *details, *([signed(size)] if size else []), *([change.package] if change.package else [])]
    return f"{sign} {change.path} ({', '.join(facts)})"


def fact_words(fact: FactChange, *, size: bool) -> Iterator[str]:
    """A fact that differs, for people; of lists and tables only the rows that differ."""
    old, new = fact.before, fact.after
    if isinstance(old, dict) or isinstance(new, dict):
        rows_old, rows_new = old if isinstance(old, dict) else {}, new if isinstance(new, dict) else {}
        for name in sorted({*rows_old, *rows_new}):
            if rows_old.get(name) != rows_new.get(name):
                sign = "+" if name not in rows_old else "-" if name not in rows_new else "~"
                yield f"  {sign} {fact.name}: {name}"
    elif isinstance(old, list) or isinstance(new, list):
        for sign, rows, others in (("-", old, new), ("+", new, old)):
            for row in rows or [] if isinstance(rows, list) else []:
                if not isinstance(others, list) or row not in others:
                    yield f"  {sign} {fact.name}: {row}"
    elif size and fact.name != "paths" and isinstance(old, int) and isinstance(new, int):
        yield f"  ~ {fact.name}: {bytes_of(old)} → {bytes_of(new)} ({signed(new - old)})"
    else:
        yield f"  ~ {fact.name}: {old} → {new}"


def signed(count: int) -> str:
    """Bytes more or less."""
    return f"{'+' if count >= 0 else ''}{bytes_of(count)}"
