"""Reading a component's nodes: maps with known keys, texts as they are written, and errors at their places."""

import difflib
from collections.abc import Iterable, Sequence

from goldsmith.errors import InputError, Place
from goldsmith.recipe.document import Node

KINDS = {
    "null": "nothing",
    "bool": "true or false",
    "int": "a number",
    "float": "a number",
    "str": "a text",
    "list": "a list",
    "map": "a map",
}


def wrong(place: Place, message: str, hint: str) -> InputError:
    """The error of a document."""
    return InputError(message, hint=hint, where=place)


def nearest(name: str, names: Iterable[str]) -> str:
    """A hint that says the nearest of the right names, or all of them where there are few."""
    known = list(names)
    folded = {right.lower(): right for right in reversed(known)}
    near = difflib.get_close_matches(name.lower(), list(folded), n=1, cutoff=0.6)
    if near:
        return f"did you mean {folded[near[0]]!r}?"
    return f"use one of: {', '.join(known)}" if known else "there is none to choose from"


def entries(node: Node, what: str, allowed: Sequence[str], required: Sequence[str] = ()) -> dict[str, Node]:
    """A map's values by key.

    Raises:
        InputError: it is no map, has a key that is not allowed, or lacks a required one.
    """
    if node.kind != "map":
        raise wrong(
            node.place,
            f"{what} must be a map, not {shown(node)}",
            f"write its keys below it: {', '.join(allowed)}",
        )
    for key, _ in node.entries:
        if key.raw not in allowed:
            raise wrong(key.place, f"unknown key {key.raw!r} in {what}", nearest(key.raw, allowed))
    found = {key.raw: value for key, value in node.entries}
    for name in required:
        if name not in found:
            raise wrong(node.place, f"{what} has no {name!r}", f"add '{name}:'")
    return found


def items(node: Node, what: str, *, empty: bool = False) -> tuple[Node, ...]:
    """A list's values.

    Raises:
        InputError: it is no list, or is empty and must not be.
    """
    if node.kind != "list":
        raise wrong(
            node.place, f"{what} must be a list, not {shown(node)}", "write '- ' before each of its values"
        )
    if not node.items and not empty:
        raise wrong(node.place, f"there is nothing in {what}", "add a value, or remove the key")
    return node.items


def text(node: Node, what: str, *, empty: bool = True) -> str:
    """A scalar's text as it is written, so that ``0700`` and ``1.0`` stay what they are.

    Raises:
        InputError: it is a list, a map, or nothing.
    """
    if node.kind in {"list", "map", "null"}:
        hint = "write one value"
        if node.kind == "map":
            hint = "write one value; quote a text that starts with '{' or holds ': '"
        raise wrong(node.place, f"{what} must be a text, not {shown(node)}", hint)
    if not node.raw and not empty:
        raise wrong(node.place, f"{what} is empty", "write a value")
    return node.raw


def choice(node: Node, what: str, choices: Sequence[str]) -> str:
    """One of several words.

    Raises:
        InputError: it is none of them.
    """
    word = text(node, what)
    if word not in choices:
        one_of = "one of " if len(choices) > 1 else ""
        raise wrong(
            node.place, f"{what} must be {one_of}{', '.join(choices)}, not {word!r}", nearest(word, choices)
        )
    return word


def shown(node: Node) -> str:
    """A node in an error message."""
    if node.kind in {"list", "map", "null"}:
        return KINDS[node.kind]
    return f"{KINDS[node.kind]} ({node.raw!r})"
