"""The recipe's JSON Schema, made from the model; editors complete and check recipes by it.

A schema knows one file: it cannot follow includes or compare values. ``read_recipe`` has the last word, and
accepts nothing that the schema refuses, but for fragments, which need no name.
"""

from collections.abc import Mapping
from dataclasses import is_dataclass

from goldsmith.model.recipe import Preamble, Recipe
from goldsmith.recipe.keys import Key, keys_of
from goldsmith.recipe.scalars import SCALARS

DRAFT = "https://json-schema.org/draft/2020-12/schema"
VARIABLE = r"\$\{"
TYPES: Mapping[type, str] = {str: "string", int: "integer", bool: "boolean"}
TEXT = {"type": ["string", "number", "boolean"]}


def json_schema() -> dict[str, object]:
    """The schema, draft 2020-12; classes are ``$defs``."""
    definitions: dict[str, object] = {}
    root = _of_class(Recipe, definitions, further=keys_of(Preamble))
    # A recipe that includes may have its required keys in a fragment.
    required = root.pop("required")
    return {
        "$schema": DRAFT,
        "title": "goldsmith recipe",
        **root,
        "if": {"not": {"required": ["include"]}},
        "then": {"required": required},
        "$defs": dict(sorted(definitions.items())),
    }


def _of_class(cls: type, definitions: dict[str, object], further: tuple[Key, ...] = ()) -> dict[str, object]:
    keys = (*keys_of(cls), *further)
    return {
        "description": (cls.__doc__ or "").strip(),
        "type": "object",
        "additionalProperties": False,
        "required": [key.name for key in keys if key.required],
        "properties": {key.name: _of_key(key, definitions) for key in keys},
    }


def _of_key(key: Key, definitions: dict[str, object]) -> dict[str, object]:
    if key.shape == "texts":
        return {"description": key.says.doc, "type": "object", "additionalProperties": TEXT}
    value = _of_value(key, definitions)
    if key.shape == "list":
        return {"description": key.says.doc, "type": "array", "items": value}
    return {"description": key.says.doc, **value}


def _of_value(key: Key, definitions: dict[str, object]) -> dict[str, object]:
    forms: list[Mapping[str, object]] = []
    if key.says.scalar:
        forms.append(SCALARS[key.says.scalar].schema)
    if is_dataclass(key.type) and keys_of(key.type):
        name = key.type.__name__
        if name not in definitions:
            # Taken before the class is read, so that a class may hold itself.
            definitions[name] = {}
            definitions[name] = _of_class(key.type, definitions)
        forms.append({"$ref": f"#/$defs/{name}"})
    if not forms:
        forms.append(_of_plain(key))
    if len(forms) == 1 and "$ref" in forms[0]:
        return dict(forms[0])
    free = len(forms) == 1 and forms[0] == {"type": "string"}
    return dict(forms[0]) if free else {"anyOf": [*forms, {"type": "string", "pattern": VARIABLE}]}


def _of_plain(key: Key) -> dict[str, object]:
    says = key.says
    rules: dict[str, object] = {"type": TYPES[key.type]}
    if says.pattern:
        rules["pattern"] = f"^(?:{says.pattern})$"
    if says.choices:
        rules["enum"] = list(says.choices)
    if says.minimum is not None:
        rules["minimum"] = says.minimum
    if says.maximum is not None:
        rules["maximum"] = says.maximum
    return rules
