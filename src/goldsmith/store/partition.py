"""Which file goes into which layer: by owning package, so that what does not change keeps its layer between versions.

- The layer ``directories`` holds every directory with all that is known about it; it comes last, so its times count.
- A package with 3 % or more of all bytes has a layer of its own; the others share a layer for each 3 % that they have
  together, eight at most, by their names' digests, so a package stays where it is when others come and go.
- What no package owns, and all that is no program (settings, data), is in ``unowned``. What the build has touched (its
  time is the build's own) changes most: what is made of packages alone, the byte code of their Python and the lists of a
  kernel's modules, is in ``derived``, files of 1 MiB and more (an initramfs) in ``large``, the rest in ``built``. So the
  layers of packages hold what everybody has who has the package, dpkg's records of it too.
"""

import hashlib
import io
from collections.abc import Callable, Container, Mapping
from typing import BinaryIO

from goldsmith.model.tree import TreeEntry

BUDGET = 20
"""Layers of a tree, at most."""
FIXED = ("unowned", "derived", "large", "built", "directories")
"""Layers that are no package's; the last one is last."""
NAMES = {"": "unowned", "<derived>": "derived", "<large>": "large", "<built>": "built"}
"""The layers of what is no package's."""
SHARED = 8
"""Layers for packages that are small, at most."""
LARGE = 0.03
"""The share of all bytes from which a package has a layer of its own."""
LISTS = "/var/lib/dpkg/info/"
"""Where dpkg has its records of packages."""
LARGEST_LIST = 16 << 20
"""Bytes of the list of a package's files, at most; a larger one is none of dpkg's."""
PROGRAMS = ("/usr/", "/boot/", "/bin/", "/sbin/", "/lib", LISTS)
"""Where packages have what nobody is to change."""
BIG = 1 << 20
"""Bytes from which a file that the build made is not kept among the small ones."""
UNSTORED = frozenset({"socket"})
"""Kinds that no archive holds; they are in the tree's index only."""


def partition(
    entries: Mapping[str, TreeEntry], home: Mapping[str, str], kept: Container[str] = ()
) -> dict[str, tuple[str, ...]]:
    """The layers of a tree: name → sorted paths of all that is no directory; directories alone in the last one.

    Args:
        entries: the tree, by path.
        home: who each path belongs to, as ``homes`` has it.
        kept: paths that need no layer, for they have one; they count for what is large only.
    """
    sizes: dict[str, int] = {}
    for path, name in home.items():
        if path not in kept:
            sizes[name] = sizes.get(name, 0) + entries[path].size
    names = _layer_names(sizes, sum(entries[path].size for path in home))
    layers: dict[str, list[str]] = {}
    for path in sorted(home):
        if path not in kept:
            layers.setdefault(names[home[path]], []).append(path)
    ordered = sorted(layers, key=lambda name: (FIXED.index(name) if name in FIXED else -1, name))
    directories = tuple(sorted(path for path, entry in entries.items() if entry.kind == "dir"))
    return {**{name: tuple(layers[name]) for name in ordered}, "directories": directories}


def homes(
    entries: Mapping[str, TreeEntry], owners: Mapping[str, str], *, epoch: int | None = None
) -> dict[str, str]:
    """Who each path belongs to that is no directory and is stored, as ``owner`` has it; all names of a file to the same.

    Args:
        entries: the tree, by path.
        owners: the package that a path belongs to, where one does.
        epoch: the time that the build gives to what it touches.
    """
    first_of_group: dict[str, str] = {}
    for path in sorted(entries):
        if entries[path].link:
            first_of_group.setdefault(entries[path].link, path)
    home: dict[str, str] = {}
    for path, entry in entries.items():
        if entry.kind != "dir" and entry.kind not in UNSTORED:
            first = entries[first_of_group[entry.link]] if entry.link else entry
            home[path] = owner(first, owners, epoch=epoch)
    return home


def owner(entry: TreeEntry, owners: Mapping[str, str], *, epoch: int | None) -> str:
    """Who a file belongs to: one of three kinds of the build's own, a package whose program it is, or nobody."""
    above, _, name = entry.path.rpartition("/")
    recorded = name.rpartition(".")[0].partition(":")[0] if f"{above}/" == LISTS else ""
    if epoch is None or entry.mtime < epoch or (recorded and name.endswith(".list")):
        return recorded or (owners.get(entry.path, "") if entry.path.startswith(PROGRAMS) else "")
    if source_of(entry.path) in owners:
        return "<derived>"
    return "<large>" if entry.size >= BIG else "<built>"


def source_of(path: str) -> str:
    """The package's file that a file is made with, if it is byte code or a list of a kernel's modules; else nothing."""
    above, _, name = path.rpartition("/")
    top, _, directory = above.rpartition("/")
    if directory == "__pycache__":
        return f"{top}/{name.partition('.')[0]}.py"
    return f"{above}/modules.order" if top.endswith("/lib/modules") and name.startswith("modules.") else ""


def is_program(name: str) -> bool:
    """Whether ``owner`` means a package's programs, or what is made of them: what everybody has who has the package."""
    return name not in {"", "<large>", "<built>"}


def _layer_names(sizes: Mapping[str, int], total: int) -> dict[str, str]:
    """The layer of each owner, by how many bytes it has of all."""
    names = dict(NAMES)
    own = [name for name in sizes if name not in names and sizes[name] >= LARGE * total]
    room = BUDGET - SHARED - len(FIXED)
    largest = set(sorted(own, key=lambda name: (-sizes[name], name))[:room])
    small = [name for name in sizes if name not in largest and name not in names]
    shared = int(sum(sizes[name] for name in small) / (LARGE * total)) if total else 0
    shared = min(max(shared, 1), SHARED)
    names |= {name: f"package {name}" for name in largest}
    return names | {name: f"packages {_number(name) % shared + 1}" for name in small}


def _number(name: str) -> int:
    """A small number of a package's name, which may be no UTF-8."""
    return hashlib.sha256(name.encode(errors="surrogateescape")).digest()[0]


def dpkg_owners(entries: Mapping[str, TreeEntry], open_file: Callable[[str], BinaryIO]) -> dict[str, str]:
    """The package of each path, as the tree's own dpkg lists say; paths through merged directories are followed.

    Who made the tree may have made the lists too: only what is in the tree, or would be the source of it, is kept of them.
    """
    merged = {
        path: f"/{entry.target.strip('/')}"
        for path, entry in entries.items()
        if entry.kind == "symlink" and path.count("/") == 1
    }
    wanted = {*entries, *map(source_of, entries)}
    owners: dict[str, str] = {}
    for path in sorted(entries):
        entry = entries[path]
        is_list = path.startswith(LISTS) and path.endswith(".list")
        if is_list and entry.kind == "file" and entry.size <= LARGEST_LIST:
            name = path.removeprefix(LISTS).removesuffix(".list").partition(":")[0]
            with open_file(path) as stream:
                listed = io.BytesIO(stream.read())
            for raw in listed:
                line = raw.rstrip(b"\n").decode(errors="surrogateescape")
                top, slash, rest = line[1:].partition("/")
                real = f"{merged[f'/{top}']}/{rest}" if slash and f"/{top}" in merged else line
                if real in wanted:
                    owners[real] = name
    return owners
