"""A tree: a root file system as entries with digests."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from json.encoder import encode_basestring_ascii as quoted

COLUMNS = 11
"""Of a row."""
TYPES = [str, str, int, int, int, int, int, str, str]
"""Of a row's columns before the extended attributes and the link."""


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """One path of a tree, and all that a disk keeps of it."""

    path: str
    """Absolute; the root itself is ``/``."""
    kind: str
    """``file``, ``dir``, ``symlink``, ``fifo``, ``socket``, ``char`` or ``block``."""
    mode: int
    """Permission bits."""
    uid: int
    gid: int
    mtime: int
    """Seconds since 1970."""
    size: int = 0
    """Bytes of a regular file."""
    sha256: str = ""
    """Of a regular file's bytes, in hexadecimal."""
    target: str = ""
    """Where a symbolic link points; of a device its numbers, ``MAJOR:MINOR``."""
    xattrs: tuple[tuple[str, str], ...] = ()
    """Extended attributes by name, sorted; values in hexadecimal."""
    link: str = ""
    """Files with the same text here are hard links to one another; empty for a file with one name."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What a layer does to the tree below it."""

    removed: tuple[str, ...]
    """Paths that are gone, with all below them; applied before ``entries``."""
    entries: tuple[TreeEntry, ...]
    """Paths that are new or different; parents before children."""


def apply(tree: Mapping[str, TreeEntry], changes: Changes) -> dict[str, TreeEntry]:
    """The tree after a layer: a new mapping of path → entry."""
    result = dict(tree)
    gone = tuple(changes.removed)
    if gone:
        prefixes = tuple(f"{path.rstrip('/')}/" for path in gone)
        exact = set(gone)
        result = {
            path: entry
            for path, entry in result.items()
            if path not in exact and not path.startswith(prefixes)
        }
    for entry in changes.entries:
        old = result.get(entry.path)
        if old is not None and old.kind == "dir" and entry.kind != "dir":
            below = f"{entry.path.rstrip('/')}/"
            result = {path: kept for path, kept in result.items() if not path.startswith(below)}
        result[entry.path] = entry
    return result


def rows(tree: Iterable[TreeEntry]) -> list[list[object]]:
    """The tree as sorted rows for JSON; link groups are named by their first path, and groups of one dissolve."""
    ordered = sorted(tree, key=lambda entry: entry.path)
    first: dict[str, str] = {}
    count: dict[str, int] = {}
    for entry in ordered:
        if entry.link:
            first.setdefault(entry.link, entry.path)
            count[entry.link] = count.get(entry.link, 0) + 1
    return [
        row_of(entry, first[entry.link] if entry.link and count[entry.link] > 1 else "") for entry in ordered
    ]


def row_of(entry: TreeEntry, link: str) -> list[object]:
    """An entry as a row for JSON, with another name for its link group."""
    return [
        entry.path,
        entry.kind,
        entry.mode,
        entry.uid,
        entry.gid,
        entry.mtime,
        entry.size,
        entry.sha256,
        entry.target,
        [list(pair) for pair in entry.xattrs],
        link,
    ]


def of_row(row: Sequence[object]) -> TreeEntry:
    """An entry from its row; what stands behind the row is left out.

    Rows come from anywhere, so every column's type is looked at: a text where a number belongs could write the digest of
    another tree.

    Raises:
        ValueError, TypeError: it is none.
    """
    *plain, xattrs, link = row[:COLUMNS]
    pairs = tuple((name, value) for name, value in xattrs)  # type: ignore[attr-defined] # a list of pairs, or it raises
    if list(map(type, plain)) != TYPES or not all(
        type(text) is str for pair in (*pairs, (link,)) for text in pair
    ):
        raise ValueError(f"a row with columns of wrong types: {row!r:.200}")
    return TreeEntry(*plain, pairs, link)  # type: ignore[arg-type, call-arg] # their types were looked at


def normal(tree: Iterable[TreeEntry]) -> dict[str, TreeEntry]:
    """The same entries by path, sorted; link groups are named by their first path, and groups of one dissolve."""
    return {entry.path: entry for entry in map(of_row, rows(tree))}


def tree_digest(tree: Iterable[TreeEntry]) -> str:
    """``sha256:`` over the tree's rows, one JSON array a line."""
    digest = hashlib.sha256()
    for row in rows(tree):
        digest.update(line(row).encode() + b"\n")
    return f"sha256:{digest.hexdigest()}"


def line(row: Sequence[object]) -> str:
    """A row as JSON without spaces, all of it ASCII: as ``json.dumps`` writes it, in a quarter of its time.

    Raises:
        ValueError, TypeError: a column is not of its type.
    """
    path, kind, mode, uid, gid, mtime, size, sha256, target, xattrs, link = row
    pairs = json.dumps(xattrs, separators=(",", ":")) if xattrs else "[]"
    begins = f"{quoted(path)},{quoted(kind)},{mode:d},{uid:d},{gid:d},{mtime:d},{size:d}"  # type: ignore[arg-type] # C refuses what is no text
    return f"[{begins},{quoted(sha256)},{quoted(target)},{pairs},{quoted(link)}]"  # type: ignore[arg-type] # as above
