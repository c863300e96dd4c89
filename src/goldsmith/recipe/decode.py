"""From nodes to the model's frozen classes, driven by what the classes say of their fields.

Every mistake of a document is collected, so that a person mends them in one go.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, TypeVar

from goldsmith.errors import InputError
from goldsmith.model.said import Says
from goldsmith.recipe.document import Node, plain_scalar
from goldsmith.recipe.found import found, wants_bool, wants_list, wants_map, wants_number, wants_text
from goldsmith.recipe.keys import Key, keys_of
from goldsmith.recipe.problems import nearest, one_error, suggestion
from goldsmith.recipe.scalars import SCALARS, ScalarKind

T = TypeVar("T")
SCALAR_KINDS = frozenset({"str", "int", "float", "bool"})


def decode(cls: type[T], node: Node, *, scalars: Mapping[str, ScalarKind] = SCALARS) -> T:
    """A document's map as a model class.

    Args:
        cls: a dataclass whose fields are ``Annotated[..., Says(...)]``; a ``where`` field gets the place.
        node: the map.
        scalars: the parsers that ``Says(scalar=...)`` names.

    Raises:
        InputError: all that is wrong, as one error.
    """
    problems: list[InputError] = []
    value = decode_into(cls, node, problems, scalars=scalars)
    if problems or value is None:
        raise one_error(problems, node.place.file)
    return value


def decode_into(
    cls: type[T], node: Node, problems: list[InputError], *, scalars: Mapping[str, ScalarKind] = SCALARS
) -> T | None:
    """As ``decode``, but adds to ``problems`` what is wrong; None where no value could be made at all."""
    return _Decoder(scalars, problems).of_class(cls, node, "")


@dataclass(frozen=True, slots=True)
class _Decoder:
    """One pass over a document; a value that could not be read is None, and a problem more."""

    scalars: Mapping[str, ScalarKind]
    problems: list[InputError]

    def of_class(self, cls: type[T], node: Node, name: str) -> T | None:
        """A map as a class; ``name`` is the key it stands under, empty for the file."""
        model: type = cls
        keys = keys_of(model)
        names = [key.name for key in keys]
        if node.kind != "map":
            self.problems.append(wants_map(node, name, names))
            return None
        self._refuse_unknown(node, name, names)
        missing = [key for key in keys if key.required and node.get(key.name) is None]
        if missing:
            self.problems.append(_missing(missing, node, name))
        values: dict[str, object] = {}
        for key in keys:
            written = node.get(key.name)
            value = None if written is None else self._of_key(key, written)
            if value is not None:
                values[key.field] = value
            elif key.required:
                values[key.field] = _BAD
        if _BAD in values.values():
            return None
        if any(field.name == "where" for field in fields(cls)):  # type: ignore[arg-type]  # T is a dataclass
            values["where"] = node.place
        return cls(**values)

    def _refuse_unknown(self, node: Node, name: str, names: list[str]) -> None:
        place = f" in {name!r}" if name else ""
        for key, _ in node.entries:
            if key.raw not in names:
                hint = suggestion(key.raw, names, "keys")
                self.problems.append(
                    InputError(f"unknown key {key.raw!r}{place}", hint=hint, where=key.place)
                )

    def _of_key(self, key: Key, node: Node) -> object:
        if key.shape == "texts":
            return self._texts(key.name, node)
        if key.shape == "value":
            return self._value(key, node)
        if node.kind != "list":
            self.problems.append(wants_list(node, key.name))
            return None
        values = [self._value(key, item) for item in node.items]
        return tuple(value for value in values if value is not None)

    def _texts(self, name: str, node: Node) -> Mapping[str, str] | None:
        """A map of texts; numbers and booleans count as they are written, since kernels and labels want text."""
        if node.kind != "map":
            self.problems.append(wants_map(node, name, []))
            return None
        for key, value in node.entries:
            if value.kind not in SCALAR_KINDS:
                self.problems.append(wants_text(value, key.raw))
        return {key.raw: value.raw for key, value in node.entries}

    def _value(self, key: Key, node: Node) -> object:
        if is_dataclass(key.type) and (not key.says.scalar or (node.kind == "map" and keys_of(key.type))):
            return self.of_class(key.type, node, key.name)
        try:
            value = self._scalar(key, node)
            _check(key.name, key.says, value, node)
        except InputError as problem:
            self.problems.append(problem)
            return None
        return value

    def _scalar(self, key: Key, node: Node) -> object:
        if node.is_spliced and (key.says.scalar or key.type is not str):
            node = plain_scalar(node.raw, node.place)
        if key.says.scalar:
            value = self.scalars[key.says.scalar].parse(node, key.name)
            if value is None and not key.optional:
                hint = "write a size, as in 512 MiB"
                raise InputError(f"{key.name!r} cannot be {node.raw!r}", hint=hint, where=node.place)
            return value
        if key.type is bool:
            return _of_kind(node, "bool", wants_bool(node, key.name))
        if key.type is int:
            return _of_kind(node, "int", wants_number(node, key.name))
        if node.kind in {"int", "float", "bool"} and not _fits(key.says, node.raw):
            raise _misfit(key.name, key.says, node)
        return _of_kind(node, "str", wants_text(node, key.name, key.says.wants))


_BAD: Any = object()
"""Stands for a required value that could not be read."""


def _of_kind(node: Node, kind: str, problem: InputError) -> object:
    if node.kind != kind:
        raise problem
    return node.value


def _missing(keys: list[Key], node: Node, name: str) -> InputError:
    names = ", ".join(repr(key.name) for key in keys)
    subject = f"the key {names} is" if len(keys) == 1 else f"the keys {names} are"
    place = f" in {name!r}" if name else ""
    examples = "; ".join(
        f"{key.name}: {key.says.example}"
        if key.says.example
        else f"{key.name}: ... ({key.says.doc.rstrip('.')})"
        for key in keys
    )
    return InputError(f"{subject} missing{place}", hint=f"add {examples}", where=node.place)


def _fits(says: Says, text: str) -> bool:
    if says.choices:
        return text in says.choices
    return not says.pattern or re.fullmatch(says.pattern, text) is not None


def _misfit(name: str, says: Says, node: Node) -> InputError:
    """A text that is none of the choices, or not of the pattern."""
    if says.choices:
        listed = ", ".join(says.choices)
        right = says.wants or f"one of {listed}"
        near = nearest(node.raw, says.choices)
        hint = (
            f"did you mean {near!r}?"
            if near
            else f"write {says.wants}"
            if says.wants
            else f"write one of: {listed}"
        )
        return InputError(f"{name!r} wants {right}, and found {found(node)}", hint=hint, where=node.place)
    words = says.wants or f"a text that matches {says.pattern}"
    example = f", as in {says.example}" if says.example and "as in" not in words else ""
    return InputError(
        f"{name!r} wants {words}, and found {found(node)}", hint=f"write {words}{example}", where=node.place
    )


def _check(name: str, says: Says, value: object, node: Node) -> None:
    """The rules that a value of the right type must keep."""
    if isinstance(value, str) and not says.scalar:
        if not _fits(says, value):
            raise _misfit(name, says, node)
    elif isinstance(value, int) and not isinstance(value, bool):
        low = says.minimum is not None and value < says.minimum
        high = says.maximum is not None and value > says.maximum
        if low or high:
            limit = says.minimum if low else says.maximum
            words = f"{(limit or 0) >> 20} MiB" if says.scalar in {"size", "budget"} else str(limit)
            bound = f"at least {words}" if low else f"at most {words}"
            raise InputError(
                f"{name!r} is {node.raw}, and must be {bound}",
                hint=f"write a larger one{_as_in(says)}" if low else f"write a smaller one{_as_in(says)}",
                where=node.place,
            )


def _as_in(says: Says) -> str:
    return f", as in {says.example}" if says.example else ""
