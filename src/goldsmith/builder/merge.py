"""Many unpacked packages as one tree, of hard links into their cache.

The tree is only ever the lower side of an overlay, so nothing writes through the links. Planning what goes where is
pure (``plan_merge``); ``make_tree`` does it.
"""

import os
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from goldsmith.builder.debs import Unpacked
from goldsmith.model.package import Entry

ALIASES = ("bin", "sbin", "lib", "lib32", "lib64", "libx32", "libo32")
"""Directories of the root that are symbolic links into ``usr`` on every system we build (merged /usr)."""

MADE_WITH = 0o755
"""The mode of directories as they are made; few packages want another."""


def real_path(path: str) -> str:
    """Where a packaged path lies on a merged-/usr system: ``lib/udev`` is ``usr/lib/udev``."""
    head, slash, _ = path.partition("/")
    return f"usr/{path}" if slash and head in ALIASES else path


@dataclass(frozen=True, slots=True)
class Merge:
    """What a tree of several packages consists of."""

    directories: Mapping[str, Entry]
    """By real path, parents before children; of several packages' the first in the order given counts."""
    files: Mapping[str, tuple[Unpacked, Entry]]
    """Everything that is no directory, by real path."""
    refused: tuple[Unpacked, ...]
    """Packages that dpkg itself has to unpack: they overlap with others, or divert files."""


def diverts(unpacked: Unpacked) -> bool:
    """Whether a package renames other packages' files before its own are unpacked."""
    script = unpacked.control / "preinst"
    if "preinst" not in unpacked.package.scripts:
        return False
    text = script.read_text(errors="replace").replace("--no-rename", "")
    calls = [line for line in text.replace("\\\n", " ").splitlines() if "dpkg-divert" in line]
    return any("--rename" in call and "--remove" not in call for call in calls)


def plan_merge(
    packages: Iterable[Unpacked],
    taken: Mapping[str, str] = MappingProxyType({}),
    apart: Container[str] = (),
) -> Merge:
    """Decide what goes where.

    Args:
        packages: in the order in which they are asked.
        taken: the kind of each path of earlier groups.
        apart: names of packages that dpkg has to unpack, because the tree has them already.
    """
    held = {path for path, kind in taken.items() if kind != "dir"}
    directories: dict[str, Entry] = {}
    files: dict[str, tuple[Unpacked, Entry]] = {}
    refused: list[Unpacked] = []
    parents: set[str] = set()
    for unpacked in packages:
        own_directories, own_files = _split(unpacked)
        own_parents = {*own_directories, *_parents([*own_directories, *own_files])}
        overlap = any(path in files or path in parents or path in taken for path in own_files) or any(
            path in files or path in held for path in own_parents
        )
        if overlap or unpacked.package.name in apart or diverts(unpacked):
            refused.append(unpacked)
            continue
        parents |= own_parents
        for path, entry in own_directories.items():
            directories.setdefault(path, entry)
        files.update({path: (unpacked, entry) for path, entry in own_files.items()})
    return Merge(dict(sorted(directories.items())), files, tuple(refused))


def _split(unpacked: Unpacked) -> tuple[dict[str, Entry], dict[str, Entry]]:
    directories: dict[str, Entry] = {}
    files: dict[str, Entry] = {}
    for entry in unpacked.package.entries:
        if entry.path in ALIASES:
            if entry.kind == "dir":
                directories.setdefault(f"usr/{entry.path}", entry)
            continue
        path = real_path(entry.path)
        (directories if entry.kind == "dir" else files)[path] = entry
    return directories, files


def _parents(paths: Iterable[str]) -> Iterator[str]:
    seen: set[str] = {""}
    for path in paths:
        parent = os.path.dirname(path)
        missing = []
        while parent not in seen:
            seen.add(parent)
            missing.append(parent)
            parent = os.path.dirname(parent)
        yield from reversed(missing)


def make_tree(merge: Merge, target: Path) -> Mapping[str, Entry]:
    """Make the tree at ``target``, an empty directory: directories with their modes and owners, files as hard links.

    ``target`` and the packages' cache must be on one file system. Gives all directories, by path.
    """
    wanted = dict(merge.directories)
    for path in _parents([*wanted, *merge.files]):
        wanted.setdefault(path, Entry(path=path, kind="dir", mode=MADE_WITH, uid=0, gid=0, mtime=0))
    base = os.open(target, os.O_PATH | os.O_DIRECTORY)
    try:
        for path in sorted(wanted):
            if path:
                os.mkdir(path, MADE_WITH, dir_fd=base)
        for path, (unpacked, entry) in merge.files.items():
            os.link(f"{unpacked.root}/{entry.path}", path, dst_dir_fd=base, follow_symlinks=False)
        for path, entry in wanted.items():
            _finish_directory(base, path, entry)
    finally:
        os.close(base)
    return wanted


def _finish_directory(base: int, path: str, entry: Entry) -> None:
    where = path or "."
    if entry.uid or entry.gid:
        os.chown(where, entry.uid, entry.gid, dir_fd=base)
    if entry.mode != MADE_WITH:
        os.chmod(where, entry.mode, dir_fd=base)


def make_aliases(target: Path, names: Iterable[str]) -> list[str]:
    """The merged-/usr links of a tree, where no package ships them (up to Debian 12); gives the directories made."""
    made = []
    for name in names:
        if not os.path.lexists(target / name):
            if not (target / "usr" / name).is_dir():
                os.makedirs(target / "usr" / name)
                made.append(f"usr/{name}")
            os.symlink(f"usr/{name}", target / name)
    return made
