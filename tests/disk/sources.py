"""Directories of a test as what a disk is made from."""

import os
from collections.abc import Iterator
from contextlib import nullcontext
from io import FileIO
from pathlib import Path

from goldsmith.builder.layers import tell
from goldsmith.disk.need import measure
from goldsmith.disk.source import Source
from goldsmith.model.disk import TreeNeed
from goldsmith.model.tree import TreeEntry


def entries_of(tree: Path) -> Iterator[TreeEntry]:
    """Everything below a directory, and itself."""
    yield tell("/", tree, tree.lstat())
    for directory, names, files in os.walk(tree):
        for name in [*names, *files]:
            path = Path(directory, name)
            yield tell(f"/{path.relative_to(tree)}", path, path.lstat())


def source_of(tree: Path) -> Source:
    """A directory as a tree."""
    entries = {entry.path: entry for entry in entries_of(tree)}
    return Source(entries, lambda path: FileIO(f"{tree}{path}"), lambda: nullcontext(tree))


def need_of(tree: Path) -> TreeNeed:
    """What a directory takes on a file system."""
    source = source_of(tree)
    return measure(source.entries, source.open_file)
