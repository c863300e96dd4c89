"""The inputs of a step, checked against the row of its action; texts with references are checked when they are used."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from goldsmith.errors import Place
from goldsmith.model.action import (
    ACTIONS,
    LATER_ACTIONS,
    OPTIONAL_INPUTS,
    WINDOWS_ACTIONS,
    Action,
    Input,
    Kind,
)
from goldsmith.model.component import Inputs, Value
from goldsmith.recipe.component_nodes import items, nearest, shown, text, wrong
from goldsmith.recipe.component_values import has_reference
from goldsmith.recipe.document import Node

CODECS: Mapping[str, str] = {
    "utf8": "utf-8",
    "utf16": "utf-16",
    "utf16le": "utf-16-le",
    "utf16be": "utf-16-be",
    "utf32": "utf-32",
    "utf32le": "utf-32-le",
    "utf32be": "utf-32-be",
}
"""An encoding's name, without dashes and in lower case, and what Python calls it."""
ALGORITHMS: Mapping[str, int] = {"md5": 32, "sha1": 40, "sha256": 64, "sha512": 128}
"""A checksum's name in lower case, and how many hexadecimal digits it has."""


def codec(name: str) -> str | None:
    """Python's name of an encoding, or None."""
    return CODECS.get(re.sub(r"[-_]", "", name.lower()))


def _good_path(value: str) -> bool:
    return bool(value) and "\0" not in value


def _good_url(value: str) -> bool:
    return re.fullmatch(r"https?://[^\s/]+\S*", value) is not None


@dataclass(frozen=True, slots=True)
class Check:
    """What one kind of input must be."""

    holds: Callable[[str], bool]
    wants: str
    """The rest of ``must be ...``."""
    hint: str = "write it so, or use a variable that holds it"
    """What to do."""


CHECKS: Mapping[Kind, Check] = {
    "path": Check(_good_path, "a path"),
    "url": Check(_good_url, "an http or https address", "other kinds of addresses are not downloaded"),
    "bool": Check(
        lambda value: value.lower() in {"true", "false"},
        "true or false",
        "'yes', 'no', 0 and 1 are texts here",
    ),
    "count": Check(lambda value: re.fullmatch(r"\d{1,9}", value) is not None, "a whole number from 0"),
    "mode": Check(
        lambda value: re.fullmatch(r"0?[0-7]{3,4}", value) is not None,
        "permission bits in octal, as in 0644",
        "write three or four digits from 0 to 7",
    ),
    "encoding": Check(
        lambda value: codec(value) is not None, "utf8, utf16, utf16-LE, utf16-BE, utf32, utf32-LE or utf32-BE"
    ),
    "algorithm": Check(lambda value: value.lower() in ALGORITHMS, "MD5, SHA1, SHA256 or SHA512"),
}


def mistake(row: Input, value: str) -> str | None:
    """What is wrong with a text that has no references (any more), or None."""
    check = CHECKS.get(row.kind)
    if check is None or check.holds(value):
        return None
    return f"{row.name!r} must be {check.wants}, not {value!r}"


def known_action(node: Node) -> Action:
    """The row of an action.

    Raises:
        InputError: there is no such action, or none that runs here.
    """
    name = text(node, "'action'")
    if name in ACTIONS:
        return ACTIONS[name]
    if name in WINDOWS_ACTIONS:
        raise wrong(
            node.place,
            f"{name!r} is a Windows module, and goldsmith makes Linux images",
            "remove the step, or do the same with ExecuteBash",
        )
    if name in LATER_ACTIONS:
        hint = "use WebDownload with a checksum" if name == "S3Download" else "do the same with ExecuteBash"
        if name == "ExecuteDocument":
            hint = "name the other document in the recipe's 'components', or copy its steps"
        raise wrong(node.place, f"{name!r} is not supported yet", hint)
    raise wrong(node.place, f"unknown action {name!r}", nearest(name, ACTIONS))


def read_inputs(action: Action, node: Node | None, place: Place) -> tuple[Inputs, ...]:
    """A step's sets of inputs.

    Raises:
        InputError: at the first thing that does not fit the action's row.
    """
    if node is None or (node.kind == "null" and action.name in OPTIONAL_INPUTS):
        if action.name in OPTIONAL_INPUTS:
            return ({},)
        wanted = ", ".join(row.name for row in action.inputs if row.required)
        raise wrong(place, f"{action.name} has no 'inputs'", f"add 'inputs:' with {wanted}")
    if not action.listed:
        if node.kind == "list":
            raise wrong(
                node.place,
                f"the inputs of {action.name} must be a map, not a list",
                "remove the '- ' before the keys; only file modules and WebDownload take a list",
            )
        return (_one_set(action, node),)
    if node.kind == "map":
        raise wrong(
            node.place,
            f"the inputs of {action.name} must be a list of maps, not a map",
            "write '- ' before the first key",
        )
    return tuple(_one_set(action, item) for item in items(node, f"the inputs of {action.name}"))


def _one_set(action: Action, node: Node) -> Inputs:
    rows = {row.name: row for row in action.inputs}
    if node.kind != "map":
        raise wrong(
            node.place,
            f"a set of inputs of {action.name} must be a map, not {shown(node)}",
            f"write its keys: {', '.join(rows)}",
        )
    for key, _ in node.entries:
        if key.raw not in rows:
            raise wrong(key.place, f"{action.name} has no input {key.raw!r}", nearest(key.raw, rows))
    found: dict[str, Value] = {}
    for name, row in rows.items():
        value = node.get(name)
        if value is not None:
            found[name] = _value(row, value)
        elif row.required:
            raise wrong(node.place, f"{action.name} needs {name!r}", f"add '{name}:' to its inputs")
    if action.name == "WebDownload":
        _check_checksum(found, node)
    return found


def _value(row: Input, node: Node) -> Value:
    if row.kind == "list":
        return tuple(text(item, f"a value of {row.name!r}") for item in items(node, f"{row.name!r}"))
    value = text(node, f"{row.name!r}", empty=not row.required)
    if not has_reference(value):
        problem = mistake(row, value)
        if problem:
            raise wrong(node.place, problem, CHECKS[row.kind].hint)
    return value


def _check_checksum(found: Mapping[str, Value], node: Node) -> None:
    """A checksum must look like one of its algorithm, since it could never match."""
    checksum, algorithm = str(found.get("checksum", "")), str(found.get("algorithm", "SHA256"))
    if not checksum:
        if "checksum" in found or "algorithm" in found:
            raise wrong(
                node.place,
                "WebDownload has an 'algorithm' but no 'checksum'",
                "add 'checksum:', or remove both",
            )
        return
    if has_reference(checksum) or has_reference(algorithm):
        return
    digits = ALGORITHMS[algorithm.lower()]
    if not re.fullmatch(rf"[0-9a-fA-F]{{{digits}}}", checksum):
        stands = node.get("checksum")
        raise wrong(
            stands.place if stands else node.place,
            f"a {algorithm.upper()} checksum has {digits} hexadecimal digits, not {checksum!r}",
            "copy it again, or name the right 'algorithm'",
        )
