"""Files beside a recipe: where a recipe names them, whether they are there, and which of them decide the result."""

import dataclasses
import os
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from goldsmith.errors import InputError
from goldsmith.model.recipe import Recipe
from goldsmith.recipe.document import Node
from goldsmith.recipe.nodes import ITEM, change, find_all
from goldsmith.recipe.problems import nearest


@dataclass(frozen=True, slots=True)
class Reference:
    """A place in a recipe that names a file beside it."""

    path: tuple[str, ...]
    """Keys and ``ITEM`` from the top of the recipe."""
    noun: str
    """What the file is, for messages."""
    must_exist: bool = True
    """Whether it must be there when the recipe is read; secrets need not be."""
    wildcards: bool = False
    """Whether ``*``, ``?`` and ``[…]`` stand for what they match."""
    prefix: str = ""
    """What stands before the path, as in ``file:PATH``; texts without it name no file."""


REFERENCES = (
    Reference(("repositories", ITEM, "key"), "key"),
    Reference(("repositories", ITEM, "ca"), "certificate"),
    Reference(("repositories", ITEM, "credentials"), "credentials", must_exist=False, prefix="file:"),
    Reference(("secrets", ITEM, "file"), "secret", must_exist=False),
    Reference(("components", ITEM), "component"),
    Reference(("components", ITEM, "path"), "component"),
    Reference(("stages", ITEM, "components", ITEM), "component"),
    Reference(("stages", ITEM, "components", ITEM, "path"), "component"),
    Reference(("customizations", "files", ITEM, "source"), "source"),
    Reference(("tests", ITEM), "test", wildcards=True),
    Reference(("from",), "image", must_exist=False, prefix="./"),
)
"""Every place that names a file."""


def rebase(root: Node, directory: str) -> Node:
    """A fragment's document with its paths as seen from the recipe that includes it.

    Args:
        root: the fragment.
        directory: the fragment's directory, relative to the recipe's.
    """
    for reference in REFERENCES:
        prefix = reference.prefix

        def moved(node: Node, prefix: str = prefix) -> Node:
            if node.kind != "str" or not node.raw.startswith(prefix) or not node.raw:
                return node
            path = posixpath.normpath(posixpath.join(directory, node.raw[len(prefix) :]))
            return dataclasses.replace(node, value=prefix + path, raw=prefix + path)

        root = change(root, reference.path, moved)
    return root


def missing_files(root: Node, directory: Path) -> Iterator[InputError]:
    """A problem for each file that the recipe names and that is not there."""
    for reference in REFERENCES:
        if reference.must_exist:
            for node in find_all(root, reference.path):
                if node.kind == "str" and not (reference.wildcards and _matches(node.raw, directory)):
                    yield from _missing(node, reference.noun, directory)


def _matches(text: str, directory: Path) -> bool:
    """Whether a text is a pattern that a file matches."""
    try:
        return bool(set(text) & set("*?[")) and any(path.is_file() for path in directory.glob(text))
    except (OSError, ValueError, NotImplementedError):
        return False


def _missing(node: Node, noun: str, directory: Path) -> Iterator[InputError]:
    if not node.raw:
        hint = "write the path of a file beside the recipe, or remove the key"
        yield InputError(f"the path of the {noun} is empty", hint=hint, where=node.place)
        return
    path = directory / node.raw
    try:
        if path.is_file():
            return
        wrong = "is a directory, and must be a file" if path.is_dir() else "does not exist"
        if path.exists() and not path.is_dir():
            wrong = "is no regular file"
        near = nearest(path.name, sorted(os.listdir(path.parent))) if path.parent.is_dir() else None
    except (OSError, ValueError):
        wrong, near = "cannot be a path", None
    meant = posixpath.join(posixpath.dirname(node.raw), near) if near else ""
    hint = (
        f"did you mean {meant!r}?"
        if meant and meant != node.raw
        else "paths start from the directory of the file that names them"
    )
    yield InputError(f"the {noun} {node.raw!r} {wrong}", hint=hint, where=node.place)


def local_inputs(recipe: Recipe) -> tuple[Path, ...]:
    """Every file beside the recipe whose content decides the result, sorted; tests and secrets do not."""
    uses = [*recipe.components, *(use for stage in recipe.stages for use in stage.components)]
    names = [
        *(repository.key for repository in recipe.repositories),
        *(repository.ca for repository in recipe.repositories),
        *(use.path for use in uses),
        *(file.source for file in recipe.customizations.files),
    ]
    return tuple(sorted({Path(recipe.directory) / name for name in names if name}))
