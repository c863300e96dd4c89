"""Which file goes into which layer: by owning package, so that what does not change keeps its layer between versions.

- The layer ``directories`` holds every directory with all that is known about it; it comes last, so its times count.
- A package with 3 % or more of all bytes has a layer of its own; the others share ``LEFT`` layers, by their names'
  digests, so a package stays where it is when others come and go.
- What no package owns is in ``unowned``. What the build has touched (its time is the build's own) changes most:
  Python's byte code is in ``bytecode``, files of 1 MiB and more (an initramfs) in ``large``, the rest in ``built``.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import BinaryIO

from goldsmith.model.tree import TreeEntry

BUDGET = 20
"""Layers of a tree, at most."""
FIXED = ("unowned", "bytecode", "large", "built", "directories")
"""Layers that are no package's; the last one is last."""
SHARED = 8
"""Layers for packages that are small."""
LARGE = 0.03
"""The share of all bytes from which a package has a layer of its own."""
LISTS = "/var/lib/dpkg/info/"
BIG = 1 << 20
"""Bytes from which a file that the build made is not kept among the small ones."""
UNSTORED = frozenset({"socket"})
"""Kinds that no archive holds; they are in the tree's index only."""


def partition(
    entries: Mapping[str, TreeEntry], owners: Mapping[str, str], *, epoch: int | None = None
) -> dict[str, tuple[str, ...]]:
    """The layers of a tree: name → sorted paths of all that is no directory; directories alone in the last one.

    Args:
        entries: the tree, by path.
        owners: the package that a path belongs to, where one does.
        epoch: the time that the build gives to what it touches.
    """
    home = homes(entries, owners, epoch=epoch)
    sizes: dict[str, int] = {}
    for path, name in home.items():
        sizes[name] = sizes.get(name, 0) + entries[path].size
    names = _layer_names(sizes)
    layers: dict[str, list[str]] = {}
    for path in sorted(home):
        layers.setdefault(names[home[path]], []).append(path)
    ordered = sorted(layers, key=lambda name: (FIXED.index(name) if name in FIXED else -1, name))
    directories = tuple(sorted(path for path, entry in entries.items() if entry.kind == "dir"))
    return {**{name: tuple(layers[name]) for name in ordered}, "directories": directories}


def homes(
    entries: Mapping[str, TreeEntry], owners: Mapping[str, str], *, epoch: int | None = None
) -> dict[str, str]:
    """Who each path belongs to that is no directory and is stored, as ``owner`` has it; all names of a file to the same.

    Args are those of ``partition``.
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
    """Who a file belongs to: one of three kinds of the build's own, a package, or nobody."""
    if epoch is None or entry.mtime < epoch:
        return owners.get(entry.path, "")
    if "/__pycache__/" in entry.path:
        return "<bytecode>"
    return "<large>" if entry.size >= BIG else "<built>"


def _layer_names(sizes: Mapping[str, int]) -> dict[str, str]:
    """The layer of each owner, by how many bytes it has."""
    total = sum(sizes.values())
    names = {"": "unowned", "<bytecode>": "bytecode", "<large>": "large", "<built>": "built"}
    own = [name for name in sizes if name not in names and sizes[name] >= LARGE * total]
    room = BUDGET - SHARED - len(FIXED)
    largest = set(sorted(own, key=lambda name: (-sizes[name], name))[:room])
    for name in sizes:
        if name in largest:
            names[name] = f"package {name}"
        elif name not in names:
            names[name] = f"packages {hashlib.sha256(name.encode()).digest()[0] % SHARED + 1}"
    return names


def dpkg_owners(entries: Mapping[str, TreeEntry], open_file: Callable[[str], BinaryIO]) -> dict[str, str]:
    """The package of each path, as the tree's own dpkg lists say; paths through merged directories are followed."""
    merged = {
        path: f"/{entry.target.strip('/')}"
        for path, entry in entries.items()
        if entry.kind == "symlink" and path.count("/") == 1
    }
    owners: dict[str, str] = {}
    for path in sorted(entries):
        if path.startswith(LISTS) and path.endswith(".list"):
            name = path.removeprefix(LISTS).removesuffix(".list").partition(":")[0]
            with open_file(path) as stream:
                listed = stream.read().decode(errors="surrogateescape").splitlines()
            for line in listed:
                top, slash, rest = line[1:].partition("/")
                real = f"{merged[f'/{top}']}/{rest}" if slash and f"/{top}" in merged else line
                owners[real] = name
    return owners
