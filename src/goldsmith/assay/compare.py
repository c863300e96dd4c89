"""What differs between two images: packages, files, how they boot, disks and sizes. Pure."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from goldsmith.assay.packages import Installed
from goldsmith.model.tree import TreeEntry


@dataclass(frozen=True, slots=True)
class Seen:
    """What is compared of an image."""

    entries: Mapping[str, TreeEntry]
    """Its tree, by path."""
    packages: Mapping[str, Installed]
    """By name."""
    owners: Mapping[str, str]
    """The package of each path that has one."""
    boot: Mapping[str, object]
    """How it boots, by a fact's name."""
    disk: Mapping[str, object]
    """What its disk is, by a fact's name."""
    size: Mapping[str, int]
    """Its sizes in bytes, by what is measured."""


@dataclass(frozen=True, slots=True)
class PackageChange:
    """A package that is not the same."""

    name: str
    before: str
    """Its version; empty if it was not there."""
    after: str
    """Its version; empty if it is gone."""
    size: int
    """Bytes that it takes more, as the packages' makers say."""


@dataclass(frozen=True, slots=True)
class FileChange:
    """A path that is not the same."""

    path: str
    what: tuple[str, ...]
    """``added`` or ``removed``; else what differs of: kind, content, mode, owner, target, attributes, links, time."""
    before: TreeEntry | None
    after: TreeEntry | None
    package: str
    """Whose it is; empty for nobody's."""
    content: str
    """What kind of content it has; empty for what is no file."""


@dataclass(frozen=True, slots=True)
class FactChange:
    """A fact that is not the same."""

    name: str
    before: object
    after: object


@dataclass(frozen=True, slots=True)
class Difference:
    """All that differs."""

    packages: tuple[PackageChange, ...]
    files: tuple[FileChange, ...]
    """Without those that differ by their time alone."""
    times: int
    """How many paths differ by their time alone."""
    boot: tuple[FactChange, ...]
    disk: tuple[FactChange, ...]
    size: tuple[FactChange, ...]

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return not (self.packages or self.files or self.times or self.boot or self.disk or self.size)


def compare(before: Seen, after: Seen, *, content: Callable[[Seen, str], str]) -> Difference:
    """What differs.

    Args:
        before: one image.
        after: the other.
        content: tells the kind of content of a file of one of them; asked for files that differ only.
    """
    changes = list(files(before, after, content))
    listed = tuple(change for change in changes if change.what != ("time",))
    return Difference(
        tuple(packages(before.packages, after.packages)),
        listed,
        len(changes) - len(listed),
        tuple(facts(before.boot, after.boot)),
        tuple(facts(before.disk, after.disk)),
        tuple(facts(before.size, after.size)),
    )


def packages(before: Mapping[str, Installed], after: Mapping[str, Installed]) -> Iterator[PackageChange]:
    """Packages that differ, by name."""
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        versions = (old.version if old else "", new.version if new else "")
        if versions[0] != versions[1]:
            yield PackageChange(name, *versions, (new.size if new else 0) - (old.size if old else 0))


def files(before: Seen, after: Seen, content: Callable[[Seen, str], str]) -> Iterator[FileChange]:
    """Paths that differ, sorted."""
    first_old, first_new = first_names(before.entries), first_names(after.entries)
    for path in sorted({*before.entries, *after.entries}):
        old, new = before.entries.get(path), after.entries.get(path)
        if old == new:
            continue
        what = differing(old, new) if old and new else (("added",) if new else ("removed",))
        if first_old.get(path, path) != first_new.get(path, path) and old and new:
            what = (*what, "links")
        if not what:
            continue
        seen, entry = (after, new) if new else (before, old)
        kind = content(seen, path) if entry and entry.kind == "file" and what != ("time",) else ""
        yield FileChange(path, what, old, new, seen.owners.get(path, ""), kind)


def differing(old: TreeEntry, new: TreeEntry) -> tuple[str, ...]:
    """What differs of a path that both have; hard links aside."""
    pairs = {
        "kind": (old.kind, new.kind),
        "content": ((old.sha256, old.size), (new.sha256, new.size)),
        "mode": (old.mode, new.mode),
        "owner": ((old.uid, old.gid), (new.uid, new.gid)),
        "target": (old.target, new.target),
        "attributes": (old.xattrs, new.xattrs),
        "time": (old.mtime, new.mtime),
    }
    return tuple(name for name, (one, other) in pairs.items() if one != other)


def first_names(entries: Mapping[str, TreeEntry]) -> dict[str, str]:
    """By path: the first name of its hard links, for files that have several."""
    first: dict[str, str] = {}
    return {
        path: first.setdefault(entries[path].link, path) for path in sorted(entries) if entries[path].link
    }


def facts(before: Mapping[str, object], after: Mapping[str, object]) -> Iterator[FactChange]:
    """Facts that differ, in the order of the second image."""
    for name in dict.fromkeys([*after, *before]):
        if before.get(name) != after.get(name):
            yield FactChange(name, before.get(name), after.get(name))
