"""The keys of a model class: what its fields' annotations say, in one row each."""

import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from functools import cache
from typing import Annotated, Literal, get_args, get_origin, get_type_hints

from goldsmith.model.said import Says

Shape = Literal["value", "list", "texts"]


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a map in a file."""

    name: str
    """As it is written."""
    field: str
    """The dataclass's field."""
    shape: Shape
    """One value, a list of values, or a map of texts by name."""
    type: type
    """The value's type, or that of each value of a list."""
    optional: bool
    """Whether the field may be None (the key is then left out; an empty value is an error all the same)."""
    required: bool
    """Whether the key must be there."""
    default: object
    """What the field is without the key; None where the key is required."""
    says: Says
    """The rules for its text."""


@cache
def keys_of(cls: type) -> tuple[Key, ...]:
    """The keys in the fields' order; fields without ``Says`` (places) are no keys.

    Raises:
        TypeError: a field's type is none that a file can hold; a mistake of the model.
    """
    hints = get_type_hints(cls, include_extras=True)
    rows = []
    for field in fields(cls):
        hint = hints[field.name]
        if get_origin(hint) is not Annotated:
            continue
        inner, *rest = get_args(hint)
        says = next(item for item in rest if isinstance(item, Says))
        shape, kind, optional = _shape(inner)
        required = field.default is MISSING and field.default_factory is MISSING
        if field.default is not MISSING:
            default = field.default
        else:
            default = None if field.default_factory is MISSING else field.default_factory()
        name = says.key or field.name
        rows.append(Key(name, field.name, shape, kind, optional, required, default, says))
    return tuple(rows)


def _shape(hint: object) -> tuple[Shape, type, bool]:
    """What a type says: ``tuple[T, ...]`` is a list, ``Mapping[str, str]`` a map of texts, ``T | None`` optional."""
    origin = get_origin(hint)
    if origin is tuple:
        return "list", get_args(hint)[0], False
    if origin is Mapping:
        return "texts", str, False
    if origin in {types.UnionType, typing.Union}:
        (inner,) = (item for item in get_args(hint) if item is not type(None))
        shape, kind, _ = _shape(inner)
        return shape, kind, True
    if not isinstance(hint, type):
        raise TypeError(f"no file holds a {hint!r}")
    return "value", hint, False
