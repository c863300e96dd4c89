"""``${name}`` in a recipe's values."""

import dataclasses
import re
from collections.abc import Mapping

from goldsmith.errors import InputError, UsageError
from goldsmith.model.recipe import Preamble
from goldsmith.recipe.decode import decode_into
from goldsmith.recipe.document import Node
from goldsmith.recipe.nodes import without
from goldsmith.recipe.problems import nearest, suggestion

NAME = r"[A-Za-z_][A-Za-z0-9_-]*"
REFERENCE = re.compile(r"\$\$\{|\$\{([^}]*)(\}?)")


def substitute(root: Node, settings: Mapping[str, str], problems: list[InputError]) -> Node:
    """The document with its variables put in; ``variables`` is gone from it.

    A value with a reference is a text, but counts as a number or a boolean where one is wanted.

    Args:
        root: the assembled recipe.
        settings: from ``--set``; they win over the recipe's defaults.
        problems: gets what is wrong with variables and references.

    Raises:
        UsageError: a setting names no variable.
    """
    others = (key.raw for key, _ in root.entries if key.raw != "variables")
    preamble = decode_into(Preamble, without(root, *others), problems)
    defaults = preamble.variables if preamble else {}
    _check_defaults(root, problems)
    for name in settings:
        if name not in defaults:
            hint = suggestion(name, defaults, "variables")
            raise UsageError(f"--set {name}: the recipe has no variable {name!r}", hint=hint)
    texts = {**defaults, **settings}
    return _Substitution(texts, problems).of(without(root, "variables"))


def _check_defaults(root: Node, problems: list[InputError]) -> None:
    written = root.get("variables")
    for key, value in written.entries if written else ():
        if not re.fullmatch(NAME, key.raw):
            hint = "use letters, digits, '_' and '-', starting with a letter"
            problems.append(InputError(f"{key.raw!r} names no variable", hint=hint, where=key.place))
        if "${" in value.raw:
            message = f"the variable {key.raw!r} refers to another: {value.raw!r}"
            problems.append(InputError(message, hint="write the text out", where=value.place))


@dataclasses.dataclass(frozen=True, slots=True)
class _Substitution:
    texts: Mapping[str, str]
    problems: list[InputError]

    def of(self, node: Node) -> Node:
        """A node with everything below it."""
        if node.kind == "list":
            return dataclasses.replace(node, items=tuple(self.of(item) for item in node.items))
        if node.kind == "map":
            entries = tuple((key, self.of(value)) for key, value in node.entries)
            return dataclasses.replace(node, entries=entries)
        if node.kind != "str" or "${" not in node.raw:
            return node
        return self._scalar(node)

    def _scalar(self, node: Node) -> Node:
        text = REFERENCE.sub(lambda match: self._text(match, node), node.raw)
        return dataclasses.replace(node, value=text, raw=text, is_spliced=True)

    def _text(self, match: re.Match[str], node: Node) -> str:
        if match[1] is None:
            return "${"
        if match[1] in self.texts and match[2]:
            return self.texts[match[1]]
        near = nearest(match[1], self.texts)
        escape = f"write '${match[0]}' for a plain '{match[0]}'"
        if not match[2]:
            message, hint = f"'${{' without a '}}' in {node.raw[:60]!r}", "write '$${' for a plain '${'"
        else:
            message = f"there is no variable {match[1]!r}"
            hint = (
                f"did you mean '${{{near}}}'? Else {escape}"
                if near
                else f"add it to 'variables', or {escape}"
            )
        self.problems.append(InputError(message, hint=hint, where=node.place))
        return match[0]
