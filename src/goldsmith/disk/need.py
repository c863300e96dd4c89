"""What a tree needs of a file system, counted from its entries."""

import os
from collections.abc import Iterable, Mapping, Sequence

from goldsmith.disk.source import Opener
from goldsmith.model.disk import BLOCK, TreeNeed
from goldsmith.model.tree import TreeEntry

SPARSE_FROM = 64 << 20
"""Files from this size are read to see which of their blocks are zeros; all others lie on the disk as a whole."""
FAST_LINK = 59
"""Symbolic links up to this length live in their inode."""
ENTRY_HEAD = 8
LARGEST_ENTRY = 264
CHECKSUM_ENTRY = 12
ZERO = bytes(BLOCK)
WINDOW = 256


def blocks_of(size: int) -> int:
    """Blocks for ``size`` bytes."""
    return -(-size // BLOCK)


def directory_blocks(names: Iterable[str]) -> int:
    """Blocks that entries of these names fill at most: entries do not cross blocks, so each may waste one entry's length."""
    used = sum(ENTRY_HEAD + (len(os.fsencode(name)) + 3 & ~3) for name in [*names, ".", ".."])
    return max(1, -(-used // (BLOCK - CHECKSUM_ENTRY - LARGEST_ENTRY)))


def solid_runs(entry: TreeEntry, open_file: Opener) -> Sequence[tuple[int, int]]:
    """The runs of a file's blocks that lie on the disk, in order: first block and how many.

    Of a large file, blocks of zeros are holes. They are found by reading: what a file system says differs.
    """
    if entry.size < SPARSE_FROM:
        return ((0, blocks_of(entry.size)),)
    runs: list[tuple[int, int]] = []
    with open_file(entry.path) as stream:
        descriptor = stream.fileno()
        position = 0
        while position < entry.size:
            try:
                data = os.lseek(descriptor, position, os.SEEK_DATA) & -BLOCK
            except OSError:
                break
            position = max(position, data)
            chunk = os.pread(descriptor, WINDOW * BLOCK, position)
            if not chunk:
                break
            for at in range(0, len(chunk), BLOCK):
                if chunk[at : at + BLOCK] != ZERO[: len(chunk) - at]:
                    add(runs, (position + at) // BLOCK)
            position += len(chunk)
    return runs


def add(runs: list[tuple[int, int]], block: int) -> None:
    """One more block, which lengthens the last run if it follows it."""
    if runs and sum(runs[-1]) == block:
        runs[-1] = (runs[-1][0], runs[-1][1] + 1)
    else:
        runs.append((block, 1))


def measure(entries: Mapping[str, TreeEntry], open_file: Opener) -> TreeNeed:
    """Count what a tree takes.

    Args:
        entries: the tree by path.
        open_file: the bytes of its large files.
    """
    names: dict[str, list[str]] = {path: [] for path, entry in entries.items() if entry.kind == "dir"}
    names["/"] = []
    linked: set[str] = set()
    inodes, blocks, boot = int("/" not in entries), 0, 0
    for path, entry in entries.items():
        parent, _, name = path.rpartition("/")
        if name:
            names[parent or "/"].append(name)
        if parent == "/boot" and entry.kind == "file" and name.startswith(("vmlinuz", "initrd.img")):
            boot += entry.size
        if entry.link:
            if entry.link in linked:
                continue
            linked.add(entry.link)
        inodes += 1
        blocks += bool(entry.xattrs)
        if entry.kind == "file":
            blocks += sum(count for _, count in solid_runs(entry, open_file))
        elif entry.kind == "symlink" and len(os.fsencode(entry.target)) > FAST_LINK:
            blocks += 1
    blocks += sum(directory_blocks(found) for found in names.values())
    return TreeNeed(inodes, blocks, boot)
