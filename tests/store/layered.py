"""Histories of trees, and what a container tool makes of an image's layers."""

import hashlib
import io
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import zstandard
from hypothesis import strategies as st
from tests.store.trees import EPOCH, Tree, directory, file, noise

from goldsmith.effects.drafts import Kernel
from goldsmith.model.tree import TreeEntry, normal
from goldsmith.store.layout import Layout
from goldsmith.store.pack import LARGE

WHITEOUT = ".wh."
KINDS = {
    tarfile.REGTYPE: "file",
    tarfile.DIRTYPE: "dir",
    tarfile.SYMTYPE: "symlink",
    tarfile.FIFOTYPE: "fifo",
}


class Hasty(Kernel):
    """A door that makes nothing durable: for hundreds of stores that no crash will ever hit."""

    def sync(self, path: Path) -> None:
        """Nothing."""


@dataclass(eq=False)
class Inode:
    """A file with all its names."""

    entry: TreeEntry
    layer: int


def lay(layout: Layout, digests: Iterable[str]) -> dict[str, TreeEntry]:
    """The tree that layers make, by the rules of the OCI image specification, "Applying Changesets"."""
    tree: dict[str, Inode] = {}
    for number, digest in enumerate(digests):
        data = zstandard.ZstdDecompressor().stream_reader(layout.blobs.read(digest), read_across_frames=True)
        with tarfile.open(fileobj=io.BytesIO(data.read())) as reader:
            for member in reader:
                apply(tree, number, reader, member)
    groups: dict[int, str] = {}
    result = [
        replace(
            node.entry, path=path, link=groups.setdefault(id(node), path) if node.entry.kind == "file" else ""
        )
        for path, node in sorted(tree.items())
    ]
    return normal(result)


def apply(tree: dict[str, Inode], number: int, reader: tarfile.TarFile, member: tarfile.TarInfo) -> None:
    path = f"/{member.name}"
    above, _, name = path.rpartition("/")
    assert not above or tree[above].entry.kind == "dir", f"{path} lies nowhere"
    if name.startswith(WHITEOUT):
        remove(tree, f"{above}/{name.removeprefix(WHITEOUT)}", number)
        return
    if member.islnk():
        remove(tree, path)
        tree[path] = tree[f"/{member.linkname}"]
        return
    entry = told(reader, member, path)
    there = tree.get(path)
    if there is None or there.entry.kind != "dir" or entry.kind != "dir":
        remove(tree, path)
    tree[path] = Inode(entry, number)


def remove(tree: dict[str, Inode], path: str, below: int = 1 << 30) -> None:
    """Take a path away with all that lies below it, as far as it comes from layers below a number."""
    for found in [x for x in tree if (x == path or x.startswith(f"{path}/")) and tree[x].layer < below]:
        del tree[found]


def told(reader: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> TreeEntry:
    body = reader.extractfile(member) if member.isfile() else None
    data = body.read() if body else b""
    xattrs = {
        name.removeprefix("SCHILY.xattr."): value.encode("utf-8", "surrogateescape").hex()
        for name, value in member.pax_headers.items()
        if name.startswith("SCHILY.xattr.")
    }
    kind = KINDS[member.type]
    size, digest = (len(data), hashlib.sha256(data).hexdigest()) if kind == "file" else (0, "")
    return TreeEntry(
        path, kind, member.mode, member.uid, member.gid, int(member.mtime), size, digest,
        member.linkname, tuple(sorted(xattrs.items())),
    )  # fmt: skip


NAMES = ("a", "b", "c", "d")
ROOMS = ("/usr", "/usr/lib", "/etc")
CHANGES = ("file", "file", "file", "dir", "symlink", "fifo", "socket", "link", "link", "gone")
attributes = st.sampled_from([(), (("security.capability", "0100"),), (("user.note", "ff00"),)])


@st.composite
def paths(draw: st.DrawFn) -> str:
    """One of few paths, so that one thing takes the place of another."""
    room = draw(st.sampled_from(ROOMS))
    return room + "".join(
        f"/{name}" for name in draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3))
    )


@st.composite
def histories(draw: st.DrawFn) -> list[Tree]:
    """Trees, each made of the one before by a few changes of every kind."""
    entries: dict[str, TreeEntry] = {room: directory(room) for room in ROOMS}
    contents: dict[str, bytes] = {}
    result = []
    for version in range(draw(st.integers(2, 5))):
        for number in range(4):  # what stays, packaged and built, so that layers are worth keeping
            path = f"/usr/share/{version}/{number}"
            contents[path] = noise(10 * version + number, 9000)
            entries[path] = file(path, contents[path], mtime=EPOCH - number % 2)
        for path in draw(st.lists(paths(), min_size=1, max_size=5)):
            kind = draw(
                st.sampled_from(["file", "file", "file", "dir", "symlink", "fifo", "socket", "link", "gone"])
            )
            change(draw, entries, contents, path, kind)
        for _ in range(draw(st.integers(0, 2))):
            drop(entries, contents, draw(st.sampled_from(sorted({*entries} - {*ROOMS, "/usr/share"}))))
        result.append((dict(sorted(full(entries).items())), dict(contents)))
    return result


def change(
    draw: st.DrawFn, entries: dict[str, TreeEntry], contents: dict[str, bytes], path: str, kind: str
) -> None:
    """Let a path be something else."""
    above = path.rpartition("/")[0]
    while above:
        if above in entries and entries[above].kind != "dir":
            drop(entries, contents, above)
        above = above.rpartition("/")[0]
    if kind != "dir" or entries.get(path, directory(path)).kind != "dir":
        drop(entries, contents, path)
    if kind == "gone":
        return
    common: dict[str, Any] = {
        "mode": draw(st.sampled_from([0o644, 0o4755])),
        "mtime": draw(st.sampled_from([5, EPOCH])),
    }
    first = draw(st.sampled_from(sorted(contents))) if contents else ""
    if kind == "link" and first:
        group = entries[first].link or f"group of {first}"
        entries[first] = replace(entries[first], link=group)
        entries[path], contents[path] = replace(entries[first], path=path), contents[first]
    elif kind in {"file", "link"}:
        size = draw(st.sampled_from([0, 10, 3000, LARGE + 1]))
        contents[path] = noise(draw(st.integers(0, 3)), size)
        entries[path] = replace(file(path, contents[path]), **common, xattrs=draw(attributes))
    elif kind == "symlink":
        entries[path] = TreeEntry(
            path, kind, 0o777, 0, 0, 5, target=draw(st.sampled_from(["lib", "/usr", "x" * 120]))
        )
    else:
        entries[path] = TreeEntry(path, kind, 0, 0, 0, 5)
        entries[path] = replace(entries[path], **common, xattrs=draw(attributes) if kind == "dir" else ())


def drop(entries: dict[str, TreeEntry], contents: dict[str, bytes], path: str) -> None:
    """Take a path away with all below it."""
    for found in [x for x in entries if x == path or x.startswith(f"{path}/")]:
        del entries[found]
        contents.pop(found, None)


def full(entries: dict[str, TreeEntry]) -> dict[str, TreeEntry]:
    """With the directories above everything."""
    result = dict(entries)
    for path in entries:
        above = path.rpartition("/")[0]
        while above:
            result.setdefault(above, directory(above))
            above = above.rpartition("/")[0]
    return result
