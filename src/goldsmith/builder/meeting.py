"""Files of a later group that meet what scripts of earlier groups have made.

Groups are placed side by side, so what places one does not see what scripts of an earlier one do: a link where a
package has a directory, a file where it has one, diversions, overrides of owners. dpkg heeds all of these when it
unpacks. Packages that meet such a thing are taken out of the tree again, and unpacked by dpkg.
"""

import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from goldsmith.builder.copies import copy_one
from goldsmith.builder.debs import Unpacked
from goldsmith.builder.layers import Layer
from goldsmith.builder.merge import ALIASES, real_path
from goldsmith.effects.overlay import overlaid
from goldsmith.effects.root import Root

ADMIN = "/var/lib/dpkg"
DIVERSION_LINES = 3
"""Of each diversion: the path, where its files go, and whose files stay."""


def separate(
    tree: Root, placed: Sequence[Unpacked], below: Sequence[Layer], scratch: Path
) -> tuple[list[Unpacked], list[Unpacked]]:
    """The placed packages that meet nothing, and those that do; the latter's files are taken out of the tree.

    Args:
        tree: the tree, mounted to be changed.
        placed: the group's packages whose files are in the layer just below.
        below: the layers the tree stands on, lowest first.
        scratch: a directory outside the tree.
    """
    met = meeting(tree, placed, below) if len(below) > 1 else set()
    alone = [unpacked for unpacked in placed if unpacked.sha256 not in met]
    others = [unpacked for unpacked in placed if unpacked.sha256 in met]
    if others:
        mount = scratch / "before"
        mount.mkdir()
        with overlaid([layer.tree for layer in reversed(below[:-1])], mount), Root(mount) as before:
            for unpacked in others:
                withdraw(tree, before, unpacked)
    return alone, others


def meeting(tree: Root, placed: Sequence[Unpacked], below: Sequence[Layer]) -> set[str]:
    """SHA-256 of the packages with a path that scripts have made something else of."""
    earlier: dict[str, str] = {}
    for layer in below[:-1]:
        for path in layer.changes.removed:
            earlier.pop(path, None)
        earlier.update({entry.path: entry.kind for entry in layer.changes.entries})
    mine = [entry for entry in below[-1].changes.entries if entry.path in earlier]
    taken = {entry.path for entry in mine if entry.kind != "dir" or earlier[entry.path] != "dir"}
    diverted, overridden = diversions(tree), overrides(tree)
    found = set()
    for unpacked in placed:
        paths = set(paths_of(unpacked))
        if (
            paths & taken
            or paths & overridden
            or any(diverted.get(path, unpacked.package.name) != unpacked.package.name for path in paths)
        ):
            found.add(unpacked.sha256)
    return found


def paths_of(unpacked: Unpacked) -> Iterator[str]:
    """Every path of a package, and the directories above them, as they lie in the tree."""
    for entry in unpacked.package.entries:
        if entry.path not in ALIASES:
            path = PurePosixPath("/", real_path(entry.path))
            yield str(path)
            yield from map(str, list(path.parents)[:-1])


def diversions(tree: Root) -> Mapping[str, str]:
    """The diverted paths, with the package whose own files stay."""
    text = tree.read_text(f"{ADMIN}/diversions") if tree.exists(f"{ADMIN}/diversions") else ""
    lines = text.splitlines()
    return {
        f"/{real_path(path.lstrip('/'))}": package
        for path, package in zip(lines[::DIVERSION_LINES], lines[2::DIVERSION_LINES], strict=False)
    }


def overrides(tree: Root) -> set[str]:
    """The paths whose owner and mode were set once and for all."""
    text = tree.read_text(f"{ADMIN}/statoverride") if tree.exists(f"{ADMIN}/statoverride") else ""
    return {f"/{real_path(line.split(maxsplit=3)[3].lstrip('/'))}" for line in text.splitlines() if line}


def withdraw(tree: Root, before: Root, unpacked: Unpacked) -> None:
    """Undo the placing of a package.

    Args:
        tree: the tree, mounted to be changed.
        before: the tree without the group.
        unpacked: the package.
    """
    directories = {str(PurePosixPath(path).parent) for path in paths_of(unpacked)} - {"/"}
    for entry in unpacked.package.entries:
        path = f"/{real_path(entry.path)}"
        if entry.kind == "dir":
            directories |= {path} if entry.path not in ALIASES else set()
            continue
        tree.remove(path)
        _bring_back(tree, before, path)
    for path in sorted(directories, reverse=True):
        if tree.is_dir(path) and not tree.listdir(path) and not _is_directory(before, path):
            tree.remove(path)
            _bring_back(tree, before, path)
    prefix = f"{unpacked.package.info_name}."
    for name in tree.listdir(f"{ADMIN}/info"):
        if name.startswith(prefix):
            tree.remove(f"{ADMIN}/info/{name}")


def _bring_back(tree: Root, before: Root, path: str) -> None:
    # Not through a directory that stands in place of a link: its own turn comes later.
    if before.lexists(path) and str(PurePosixPath(path).parent) == _straight(before, path):
        copy_one(before, tree, path, path)


def _straight(root: Root, path: str) -> str:
    """The parent of a path, if no link leads to it; else nothing."""
    parent = PurePosixPath(path).parent
    steps = [str(step) for step in [parent, *parent.parents] if str(step) != "/"]
    return str(parent) if all(_is_directory(root, step) for step in steps) else ""


def _is_directory(root: Root, path: str) -> bool:
    """Whether a path is a directory itself, and not a link to one."""
    return root.lexists(path) and stat.S_ISDIR(root.lstat(path).st_mode)
