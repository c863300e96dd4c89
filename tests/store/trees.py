"""Small trees for tests: entries and the bytes behind them, made up or by hypothesis."""

import hashlib
import io
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, BinaryIO

from hypothesis import strategies as st

from goldsmith.model.tree import TreeEntry

EPOCH = 1_700_000_000
Tree = tuple[dict[str, TreeEntry], dict[str, bytes]]


def noise(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


def directory(path: str, mode: int = 0o755, mtime: int = EPOCH) -> TreeEntry:
    return TreeEntry(path, "dir", mode, 0, 0, mtime)


def file(path: str, data: bytes, mtime: int = EPOCH - 5) -> TreeEntry:
    return TreeEntry(path, "file", 0o644, 0, 0, mtime, len(data), hashlib.sha256(data).hexdigest())


def tree_of(files: Mapping[str, bytes], others: Sequence[TreeEntry] = ()) -> Tree:
    """A tree of files with their directories, and what else is wanted."""
    entries = {path: file(path, data) for path, data in files.items()}
    entries |= {entry.path: entry for entry in others}
    for path in list(entries):
        above = path.rpartition("/")[0]
        while above and above not in entries:
            entries[above] = directory(above)
            above = above.rpartition("/")[0]
    return dict(sorted(entries.items())), dict(files)


def opener(contents: Mapping[str, bytes]) -> Callable[[str], BinaryIO]:
    return lambda path: io.BytesIO(contents[path])


def nothing(path: str) -> BinaryIO:
    raise AssertionError(f"{path} was opened")


def linked(tree: Tree, first: str, second: str, group: str) -> Tree:
    """The same tree with one more name for a file."""
    entries, contents = tree
    entries = {**entries, first: replace(entries[first], link=group)}
    entries[second] = replace(entries[first], path=second)
    return dict(sorted(entries.items())), {**contents, second: contents[first]}


names = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=60
).filter(lambda name: name not in {".", ".."})
bodies = st.one_of(
    st.binary(max_size=300),
    st.integers(0, 40_000).map(lambda size: noise(size, size)),
    st.integers(120_000, 300_000).map(lambda size: noise(1, 5000).ljust(size, b"\0")),
    st.just(bytes(140_000)),
)
values = st.dictionaries(
    st.sampled_from(["security.capability", "user.note", "user.möhre"]),
    st.binary(min_size=1, max_size=40).map(bytes.hex),
).map(lambda found: tuple(sorted(found.items())))


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    """Trees with directories, files, links of both kinds, pipes, attributes and odd numbers."""
    entries: dict[str, TreeEntry] = {}
    contents: dict[str, bytes] = {}
    rooms = [""]
    for number, name in enumerate(draw(st.lists(names, max_size=12))):
        path = f"{draw(st.sampled_from(rooms))}/{number}{name}"
        kind = draw(st.sampled_from(["file", "file", "file", "dir", "symlink", "fifo", "socket", "link"]))
        common: dict[str, Any] = {
            "mode": draw(st.integers(0, 0o7777)),
            "uid": draw(st.sampled_from([0, 1000, 0o7777777, 0o10000000, (1 << 32) - 2])),
            "gid": draw(st.integers(0, 70_000)),
            "mtime": draw(st.sampled_from([0, 1, EPOCH - 1, EPOCH, 1 << 34])),
        }
        if kind == "link" and contents:
            first = draw(st.sampled_from(sorted(contents)))
            group = entries[first].link or first
            entries[first] = replace(entries[first], link=group)
            entries[path] = replace(entries[first], path=path)
            contents[path] = contents[first]
        elif kind in {"file", "link"}:
            body = draw(bodies)
            entries[path] = replace(file(path, body), **common, xattrs=draw(values))
            contents[path] = body
        elif kind == "symlink":
            entries[path] = TreeEntry(
                path, kind, **{**common, "mode": 0o777}, target=draw(names) * draw(st.integers(1, 3))
            )
        else:
            entries[path] = TreeEntry(path, kind, **common, xattrs=draw(values) if kind == "dir" else ())
            if kind == "dir":
                rooms.append(path)
    return dict(sorted(entries.items())), contents


def newc(files: dict[str, bytes]) -> bytes:
    """A cpio archive as the kernel unpacks it."""
    result = b""
    for name, data in {**files, "TRAILER!!!": b""}.items():
        sizes = (0, 0o100644, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
        head = b"070701" + b"".join(b"%08X" % size for size in sizes) + name.encode() + b"\0"
        result += head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)
    return result + bytes(-len(result) % 512)
