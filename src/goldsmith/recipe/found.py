"""What a node is in words, for the sentence 'wants this, and found that'."""

from goldsmith.errors import InputError
from goldsmith.recipe.document import Node

YES = frozenset({"yes", "y", "on", "true"})
NO = frozenset({"no", "n", "off", "false"})
LONG = 60


def found(node: Node) -> str:
    """As in ``the text 'yes'``, ``the number 1.0``, ``a list``, ``nothing``."""
    if node.kind == "null":
        return "nothing"
    if node.kind in {"list", "map"}:
        return f"a {node.kind}"
    if node.raw.startswith("-----BEGIN"):
        # It may be a private key, and messages end up in logs.
        return "a text in PEM"
    raw = node.raw if len(node.raw) <= LONG else f"{node.raw[:LONG]}…"
    if node.kind == "str":
        return f"the text {raw!r}"
    return f"the {'boolean' if node.kind == 'bool' else 'number'} {raw}"


def wants_text(node: Node, key: str, words: str = "") -> InputError:
    """The key wants a text, and the node is none."""
    if node.kind == "null":
        hint = f"write a value after {key!r}, or remove the key"
    elif node.kind in {"list", "map"}:
        hint = "write one value; quote a text that holds ': ', or starts with '[', '{' or '-'"
    else:
        hint = f'put it in quotes: "{node.raw}"'
    return InputError(
        f"{key!r} wants {words or 'a text'}, and found {found(node)}", hint=hint, where=node.place
    )


def wants_number(node: Node, key: str) -> InputError:
    """The key wants a whole number, and the node is none."""
    digits = node.raw.replace("_", "").lstrip("0") or "0"
    if node.kind == "str" and digits.isdecimal():
        hint = f"write it without quotes, underscores and leading zeros: {digits}"
    else:
        hint = "write a whole number, as in 10"
    return InputError(f"{key!r} wants a whole number, and found {found(node)}", hint=hint, where=node.place)


def wants_bool(node: Node, key: str) -> InputError:
    """The key wants true or false, and the node is neither."""
    word = node.raw.lower()
    if word in YES | NO:
        right = "true" if word in YES else "false"
        hint = f"write {right}{', without quotes' if word == right else ''}"
    else:
        hint = "write true or false"
    return InputError(f"{key!r} wants true or false, and found {found(node)}", hint=hint, where=node.place)


def wants_list(node: Node, key: str) -> InputError:
    """The key wants a list, and the node is none."""
    if node.kind == "null":
        hint = f"write a value after {key!r}, or remove the key"
    elif node.kind == "map":
        hint = "put '- ' before the first key of each item"
    else:
        hint = f"write [{node.raw}]"
    return InputError(f"{key!r} wants a list, and found {found(node)}", hint=hint, where=node.place)


def wants_map(node: Node, key: str, names: list[str]) -> InputError:
    """The key wants a map of certain keys, and the node is none."""
    if node.kind == "null" and key:
        hint = f"write a value after {key!r}, or remove the key"
    elif names:
        hint = f"write its keys one a line, indented; they are: {', '.join(names)}"
    else:
        hint = "write 'name: value' lines, indented"
    subject = repr(key) if key else "the file"
    return InputError(f"{subject} wants a map, and found {found(node)}", hint=hint, where=node.place)
