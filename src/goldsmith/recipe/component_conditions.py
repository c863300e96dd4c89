"""Reading conditions (``if``, ``Assert``) and loops."""

import re
from typing import Literal

from goldsmith.model.action import COMPARISONS
from goldsmith.model.component import (
    Branch,
    Comparison,
    Condition,
    Counting,
    If,
    Listing,
    Logic,
    Loop,
    Splitting,
)
from goldsmith.recipe.component_nodes import choice, entries, items, nearest, shown, text, wrong
from goldsmith.recipe.component_values import has_reference, rounds
from goldsmith.recipe.document import Node

LOGIC = ("and", "or", "not")
BRANCHES: dict[str, Branch] = {"Abort": "Abort", "Execute": "Execute", "Skip": "Skip"}
DELIMITERS = (".", ",", ";", ":", "\n", "\t", " ", "-", "_")
MAX_DEPTH = 4
"""How deep ``and``, ``or`` and ``not`` may be nested."""


def read_if(node: Node) -> If:
    """``if``: one condition, and what follows from it.

    Raises:
        InputError: at the first thing that is wrong.
    """
    found = _only(node, "'if'")
    condition = read_condition(found, "'if'", extra=("then", "else"))
    then, otherwise = found.get("then"), found.get("else")
    return If(
        condition,
        BRANCHES[choice(then, "'then'", tuple(BRANCHES))] if then else "Execute",
        BRANCHES[choice(otherwise, "'else'", tuple(BRANCHES))] if otherwise else "Skip",
    )


def read_asserted(node: Node) -> tuple[Condition, ...]:
    """The inputs of ``Assert``: a condition, or a list of them.

    Raises:
        InputError: at the first thing that is wrong.
    """
    if node.kind == "map":
        return (read_condition(node, "the inputs of Assert"),)
    return tuple(read_condition(item, "the inputs of Assert") for item in items(node, "the inputs of Assert"))


def _only(node: Node, what: str) -> Node:
    """A map, or the one map in a list."""
    if node.kind == "list":
        if len(node.items) != 1:
            raise wrong(
                node.place,
                f"{what} must hold one condition, not {len(node.items)}",
                "join conditions by 'and' or 'or'",
            )
        return node.items[0]
    return node


def read_condition(node: Node, what: str, *, extra: tuple[str, ...] = (), depth: int = 0) -> Condition:
    """One comparison, or ``and``, ``or``, ``not`` over others.

    Raises:
        InputError: at the first thing that is wrong.
    """
    if node.kind != "map":
        raise wrong(
            node.place,
            f"a condition must be a map, not {shown(node)}",
            "write it as in 'fileExists: /etc/hosts'",
        )
    operators = [key for key, _ in node.entries if key.raw not in {"value", *extra}]
    for key in operators:
        if key.raw not in COMPARISONS and key.raw not in LOGIC:
            raise wrong(key.place, f"unknown operator {key.raw!r}", nearest(key.raw, [*COMPARISONS, *LOGIC]))
    if len(operators) != 1:
        raise wrong(
            operators[1].place if operators else node.place,
            f"{what} must have one operator, not {len(operators)}",
            "join comparisons by 'and' or 'or'; each is a map of its own"
            if operators
            else "add a comparison",
        )
    operator, operand, second = operators[0], node.get(operators[0].raw), node.get("value")
    assert operand is not None
    if operator.raw in LOGIC:
        if second is not None:
            raise wrong(
                second.place, f"{operator.raw!r} takes no 'value'", "put it beside the comparison it is for"
            )
        return _logic(operator, operand, depth + 1)
    row = COMPARISONS[operator.raw]
    if row.operands == 1 and second is not None:
        raise wrong(second.place, f"{row.name!r} takes no 'value'", "remove it")
    if row.operands > 1 and second is None:
        raise wrong(operator.place, f"{row.name!r} needs a 'value'", "add 'value:' beside it")
    if row.name == "patternMatches" and second is not None and not has_reference(second.raw):
        _check_pattern(second)
    return Comparison(
        row.name,
        text(operand, f"{row.name!r}"),
        text(second, "'value'") if second else None,
        operator.place,
    )


def _check_pattern(node: Node) -> None:
    try:
        re.compile(text(node, "'value'"))
    except (re.error, OverflowError, RecursionError) as error:
        raise wrong(
            node.place,
            f"the pattern {node.raw!r} is no regular expression: {error}",
            "escape special characters with '\\'",
        ) from error


def _logic(operator: Node, operand: Node, depth: int) -> Logic:
    name = operator.raw
    if depth > MAX_DEPTH:
        raise wrong(
            operator.place,
            f"conditions are nested more than {MAX_DEPTH} deep",
            "split the step, or compute the condition in a step before",
        )
    word: Literal["and", "or", "not"] = "and" if name == "and" else "or" if name == "or" else "not"
    if word == "not":
        parts = [_only(operand, "'not'")]
    elif operand.kind == "map":
        raise wrong(operand.place, f"{name!r} must be a list, not a map", "write '- ' before each condition")
    else:
        parts = list(items(operand, f"{name!r}"))
    return Logic(
        word, tuple(read_condition(part, f"{name!r}", depth=depth) for part in parts), operator.place
    )


def read_loop(node: Node) -> Loop:
    """``loop``: ``for`` or ``forEach``, and a name.

    Raises:
        InputError: at the first thing that is wrong.
    """
    found = entries(node, "'loop'", ("name", "for", "forEach"))
    kinds = [key for key in ("for", "forEach") if key in found]
    if len(kinds) != 1:
        raise wrong(
            node.place,
            "a loop has both 'for' and 'forEach'" if kinds else "a loop has neither 'for' nor 'forEach'",
            "keep one of them"
            if kinds
            else "add 'forEach:' with a list, or 'for:' with start, end and updateBy",
        )
    name = text(found["name"], "a loop's 'name'", empty=False) if "name" in found else "loop"
    over = _counting(found["for"]) if "for" in found else _each(found["forEach"])
    loop = Loop(over, name, node.place)
    if isinstance(over, Counting) and not any(map(has_reference, (over.start, over.end, over.update_by))):
        rounds(loop, str)
    return loop


def _counting(node: Node) -> Counting:
    keys = ("start", "end", "updateBy")
    found = entries(node, "'for'", keys, keys)
    start, end, update_by = (text(found[key], f"{key!r}", empty=False) for key in keys)
    return Counting(start, end, update_by)


def _each(node: Node) -> Listing | Splitting:
    if node.kind != "map":
        return Listing(tuple(text(item, "a value of 'forEach'") for item in items(node, "'forEach'")))
    found = entries(node, "'forEach'", ("list", "delimiter"), ("list",))
    delimiter = text(found["delimiter"], "'delimiter'") if "delimiter" in found else ","
    if delimiter not in DELIMITERS:
        raise wrong(
            found["delimiter"].place,
            f"'delimiter' must be one of . , ; : - _ a space, a tab or a line break, not {delimiter!r}",
            'write a tab as "\\t" and a line break as "\\n", in double quotes',
        )
    return Splitting(text(found["list"], "'list'"), delimiter)
