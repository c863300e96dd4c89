"""The recipe reference, ``docs/recipe.md``, made from the model; ``python -m goldsmith.recipe.reference`` prints it."""

import sys
from collections.abc import Iterator
from dataclasses import is_dataclass

from goldsmith.model.recipe import Preamble, Recipe
from goldsmith.model.said import Says
from goldsmith.recipe.keys import Key, keys_of
from goldsmith.recipe.later import REFUSALS
from goldsmith.recipe.nodes import ITEM
from goldsmith.recipe.paths import RESERVED
from goldsmith.recipe.scalars import SCALARS

HEAD = """# The recipe

<!-- Made from src/goldsmith/model by `python -m goldsmith.recipe.reference`; a test compares it. -->

A recipe is one YAML file, UTF-8, usually `recipe.yaml`. The rules are YAML 1.2's: `true` and `false` are the
booleans, and `yes`, `no`, `on`, `off`, `0644`, `1_000`, `12:30` and dates are texts. An unknown key, a key that
stands twice, a tab in the indentation, a merge key (`<<`) and a second document are errors. All errors name file,
line and column. `goldsmith schema` prints the JSON Schema for editors; `goldsmith init` writes a recipe to start from.

```yaml
name: web
version: 1.0.0
from: debian:trixie
packages: [nginx, openssh-server, cloud-init]
customizations:
  files:
    - path: /var/www/html/index.html
      data: "<h1>hello</h1>\\n"
```
"""

INCLUDES = """## Fragments and variables

`include` names fragments: recipes with any keys missing. Their paths start from the file that has the `include`, and
all other paths in a fragment start from the fragment. Lists are joined, the fragments' items first; maps are merged;
where both have a value, the including file wins. A fragment that is reached twice counts once. Includes go at most
eight deep and never in a circle.

`${name}` in a value is the text of the variable `name`, from `variables` or `--set name=value`. A value with a
reference is a text, and counts as a number or a boolean where one is wanted. `$${` is a plain `${`, as in shell scripts under `data`. Keys, `include` and `variables` themselves hold
no references. Between braces or brackets a reference needs quotes: `{uid: "${uid}"}`.
"""

PATHS = """## Files beside the recipe

Paths of keys, certificates, components, sources and tests start from the recipe's directory, and the files must be
there. Secrets need not be until the build.

## Paths that are not the recipe's to write

`files`, `directories` and `copy_from` take absolute paths without `..`, and none of these or below them:

| path | reason | instead |
|---|---|---|
"""

NOT_YET = """
## What is refused by name

| key | instead |
|---|---|
"""

MINE = {str: "text", int: "whole number", bool: "boolean"}


def reference() -> str:
    """The whole page, in Markdown."""
    parts = [HEAD, *_section("The recipe's keys", Recipe, Preamble)]
    parts.append(INCLUDES)
    parts.extend(part for title, cls in _classes(Recipe, "") for part in _section(f"`{title}`", cls))
    parts.append(PATHS + "".join(f"| `{row.path}` | {row.reason} | {row.hint} |\n" for row in RESERVED))
    parts.append(NOT_YET + "".join(_refusals()))
    return "\n".join(part.strip("\n") + "\n" for part in parts)


def _classes(cls: type, path: str) -> Iterator[tuple[str, type]]:
    """Every class below ``cls`` with the path of its key, in the order of the keys."""
    for key in keys_of(cls):
        if is_dataclass(key.type) and keys_of(key.type):
            name = f"{path}{key.name}{'[]' if key.shape == 'list' else ''}"
            if path.startswith("stages"):
                # A stage's components are those of the recipe.
                continue
            yield name, key.type
            yield from _classes(key.type, f"{name}.")


def _section(title: str, *classes: type) -> Iterator[str]:
    sentence = (classes[0].__doc__ or "").strip()
    yield f"## {title}\n\n{sentence}\n"
    rows = [_row(key) for cls in classes for key in keys_of(cls)]
    yield "| key | type | default | meaning | example |\n|---|---|---|---|---|\n" + "".join(rows)


def _row(key: Key) -> str:
    example = f"`{key.says.example}`" if key.says.example else ""
    cells = (f"`{key.name}`", _type(key), _default(key), key.says.doc + _limits(key.says), example)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _limits(says: Says) -> str:
    """The rules for a value, in words."""
    if says.choices and not says.wants:
        return f" One of {', '.join(f'`{choice}`' for choice in says.choices)}."
    if says.wants and says.wants.lower() not in says.doc.replace("`", "").lower():
        return f" {says.wants[0].upper()}{says.wants[1:]}."
    if says.scalar in {"size", "budget"} or (says.minimum is None and says.maximum is None):
        return ""
    return f" At least {says.minimum}." if says.maximum is None else f" {says.minimum} to {says.maximum}."


def _type(key: Key) -> str:
    if key.shape == "texts":
        return "map of texts"
    if is_dataclass(key.type) and keys_of(key.type):
        words = f"{SCALARS[key.says.scalar].words} or map" if key.says.scalar else "map"
    else:
        words = SCALARS[key.says.scalar].words if key.says.scalar else MINE[key.type]
    return f"list of {words.replace(' or', 's or')}s" if key.shape == "list" else words


def _default(key: Key) -> str:
    if key.required:
        return "**required**"
    if key.says.scalar == "mode" and isinstance(key.default, int):
        return f"`{key.default:04o}`"
    if key.says.scalar == "size":
        return "`minimal`" if key.default is None else f"`{int(str(key.default)) >> 20} MiB`"
    if isinstance(key.default, bool):
        return f"`{str(key.default).lower()}`"
    if isinstance(key.default, tuple) and key.default:
        return f"`[{', '.join(map(str, key.default))}]`"
    return f"`{key.default}`" if key.default and isinstance(key.default, str | int) else ""


def _refusals() -> Iterator[str]:
    for row in REFUSALS:
        name = ".".join(step for step in row.path if step != ITEM)
        values = f": {', '.join(row.values)}" if row.values else ""
        yield f"| `{name}`{values} | {row.hint} |\n"


if __name__ == "__main__":
    sys.stdout.write(reference())
