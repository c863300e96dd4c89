"""What is in a stored image: its tree by path, its files' bytes, and the parts of its disk that come from no file."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from goldsmith.errors import IntegrityError, UsageError
from goldsmith.model.tree import TreeEntry
from goldsmith.store.home import Home
from goldsmith.store.images import StoredImage, layout_of
from goldsmith.store.layout import Layout
from goldsmith.store.record import Recorded, parts_of
from goldsmith.store.tree import TreeIndex, open_path, pieces, read_index

LINKS = 40
"""How many symbolic links a path may lead through; as in Linux."""


@dataclass(frozen=True, slots=True)
class Contents:
    """An image whose tree was read."""

    layout: Layout
    """Where it lies."""
    parts: Recorded
    """Its objects."""
    index: TreeIndex
    """What is in its tree."""

    def read(self, path: str) -> bytes:
        """A file's bytes, verified; links are followed.

        Raises:
            UsageError: there is no such file.
            IntegrityError: its bytes are not what the index says.
        """
        return open_path(self.layout, self.index, resolve(self.index.entries, path)).read()

    def stream(self, path: str) -> Iterator[memoryview]:
        """A file's bytes, piece by piece; links are followed.

        Raises:
            UsageError: there is no such file.
            IntegrityError: its bytes were not what the index says; known at the end only.
        """
        real = resolve(self.index.entries, path)
        entry = self.index.entries.get(real)
        if entry is None or entry.kind != "file":
            what = f"is a {entry.kind}, not a file" if entry else "is not in the image"
            raise UsageError(f"{path!r} {what}", hint="goldsmith tree lists what there is")
        state = hashlib.sha256()
        for piece in pieces(self.layout, self.index, [real]):
            state.update(piece.data)
            yield piece.data
        if state.hexdigest() != entry.sha256:
            raise IntegrityError(
                f"file {path!r} in the store has the SHA-256 {state.hexdigest()} instead of {entry.sha256}",
                hint="goldsmith store check --read tells which images it hurts",
            )


def contents_of(home: Home, image: StoredImage) -> Contents:
    """Read an image's tree.

    Raises:
        UsageError: it is an image without a tree that goldsmith knows.
        IntegrityError: an object is missing or damaged.
    """
    layout = layout_of(home)
    parts = parts_of(layout, image.index, image.reference)
    return Contents(layout, parts, read_index(layout, parts.tree_index.digest))


def resolve(entries: Mapping[str, TreeEntry], path: str) -> str:
    """The path that a path means, without symbolic links; links lead nowhere out of the tree.

    Raises:
        UsageError: the links run in a circle, or there are too many.
    """
    left = [part for part in reversed(path.split("/")) if part not in {"", "."}]
    done: list[str] = []
    followed = 0
    while left:
        part = left.pop()
        if part == "..":
            del done[-1:]
            continue
        entry = entries.get("/" + "/".join([*done, part]))
        if entry is None or entry.kind != "symlink":
            done.append(part)
            continue
        followed += 1
        if followed > LINKS:
            raise UsageError(
                f"{path!r} leads through more than {LINKS} symbolic links", hint="name the file itself"
            )
        if entry.target.startswith("/"):
            done = []
        left += [piece for piece in reversed(entry.target.split("/")) if piece not in {"", "."}]
    return "/" + "/".join(done)


def below(entries: Mapping[str, TreeEntry], path: str) -> list[TreeEntry]:
    """A path of a tree and all below it, sorted; links on the way to it are followed, what it is itself is not.

    Raises:
        UsageError: there is no such path.
    """
    parent, _, name = path.rstrip("/").rpartition("/")
    real = f"{resolve(entries, parent).rstrip('/')}/{name}" if name else "/"
    if real == "/":
        return [entries[found] for found in sorted(entries)]
    if real not in entries:
        raise UsageError(f"{path!r} is not in the image", hint="goldsmith tree REF lists what there is")
    return [entries[found] for found in sorted(entries) if found == real or found.startswith(f"{real}/")]
