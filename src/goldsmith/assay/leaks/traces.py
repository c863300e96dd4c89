"""Traces in a tree: whatever the seal's operations would remove and that gives something away."""

import stat
from collections.abc import Callable, Collection, Iterator

from goldsmith.assay.leaks.listed import ListedTree
from goldsmith.assay.leaks.masking import masked_line
from goldsmith.builder.match import children
from goldsmith.builder.seal.run import survey
from goldsmith.model.leak import Leak, Where

HEAD = 4096
"""Bytes of a file from which its excerpt is made."""


def traces(
    tree: ListedTree,
    *,
    declared: frozenset[str],
    keep: Collection[str],
    vouched: Callable[[str], bool],
) -> Iterator[Leak]:
    """What sealing would remove from a tree.

    Args:
        tree: the tree.
        declared: paths that the recipe declares.
        keep: operations that the recipe switches off.
        vouched: whether a file is as its package ships it.
    """
    for operation, seen in survey(tree, declared):
        if not operation.default or operation.name in keep:
            continue
        for path in seen.found:
            if not operation.is_leak(tree, path):
                continue
            if stat.S_ISREG(tree.lstat(path).st_mode) and vouched(path):
                continue
            yield Leak(path, 0, operation.name, "trace", Where.FILE, told(tree, path))


def told(tree: ListedTree, path: str) -> str:
    """What is at a path, masked; of a directory, how much is in it."""
    mode = tree.lstat(path).st_mode
    if stat.S_ISDIR(mode):
        count = sum(1 for _ in files_below(tree, path))
        return f"a directory with {count} file{'s' if count != 1 else ''}"
    return masked_line(tree.read(path, HEAD)) if stat.S_ISREG(mode) else ""


def files_below(tree: ListedTree, path: str) -> Iterator[str]:
    """Everything below a directory that is none."""
    for child in children(tree, path):
        if child.is_directory:
            yield from files_below(tree, child.path)
        else:
            yield child.path
