"""Find, change and join nodes by their path in a document."""

import dataclasses
from collections.abc import Callable
from typing import Final

from goldsmith.errors import Place
from goldsmith.recipe.document import Node

ITEM: Final = "*"
"""In a path: every item of a list."""

Step = str | int


def find(root: Node, *path: Step) -> Node | None:
    """The node at a path of keys and indices, if there is one."""
    node: Node | None = root
    for step in path:
        if node is None:
            return None
        if isinstance(step, str):
            node = node.get(step)
        else:
            node = node.items[step] if step < len(node.items) else None
    return node


def find_all(root: Node, path: tuple[str, ...]) -> list[Node]:
    """The nodes at a path of keys and ``ITEM``; nothing where the document has no such path."""
    if not path:
        return [root]
    if path[0] == ITEM:
        return [found for item in root.items for found in find_all(item, path[1:])]
    child = root.get(path[0])
    return [] if child is None else find_all(child, path[1:])


def place_of(root: Node, *path: Step) -> Place:
    """The place of a node, or of the nearest map or list around it that exists."""
    for length in range(len(path), -1, -1):
        node = find(root, *path[:length])
        if node is not None:
            return node.place
    return root.place


def change(root: Node, path: tuple[str, ...], how: Callable[[Node], Node]) -> Node:
    """The same document with every node at a path of keys and ``ITEM`` changed."""
    if not path:
        return how(root)
    if path[0] == ITEM:
        return dataclasses.replace(root, items=tuple(change(item, path[1:], how) for item in root.items))
    entries = tuple(
        (key, change(value, path[1:], how) if key.raw == path[0] else value) for key, value in root.entries
    )
    return dataclasses.replace(root, entries=entries)


def without(root: Node, *keys: str) -> Node:
    """A map without some of its keys."""
    kept = tuple((key, value) for key, value in root.entries if key.raw not in keys)
    return dataclasses.replace(root, entries=kept)


def merge(under: Node, over: Node) -> Node:
    """Two nodes as one: lists joined, maps merged, and else the second.

    A scalar that both lists hold is kept once, where the second has it.
    """
    if under.kind == over.kind == "list":
        ours = {(item.kind, item.raw) for item in over.items if item.kind not in {"list", "map"}}
        items = tuple(item for item in under.items if (item.kind, item.raw) not in ours)
        return dataclasses.replace(over, items=items + over.items)
    if under.kind == over.kind == "map":
        theirs = {key.raw for key, _ in under.entries}
        merged = tuple(
            (key, value) if (mine := over.get(key.raw)) is None else (key, merge(value, mine))
            for key, value in under.entries
        )
        added = tuple((key, value) for key, value in over.entries if key.raw not in theirs)
        return dataclasses.replace(over, entries=merged + added)
    return over
