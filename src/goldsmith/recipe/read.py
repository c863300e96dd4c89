"""Read a recipe: its file, its fragments, its variables, and everything that can be checked without a package index."""

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

from goldsmith.errors import InputError
from goldsmith.model.recipe import Recipe, Repository
from goldsmith.recipe.beside import missing_files
from goldsmith.recipe.checks import problems_of
from goldsmith.recipe.decode import decode_into
from goldsmith.recipe.include import assemble
from goldsmith.recipe.later import refused
from goldsmith.recipe.problems import elsewhere, one_error
from goldsmith.recipe.variables import substitute

NO_SETTINGS: Mapping[str, str] = MappingProxyType({})
LONGEST_ID = 63


def read_recipe(path: Path, settings: Mapping[str, str] = NO_SETTINGS) -> Recipe:
    """The recipe in a file, ready to be locked.

    Args:
        path: the recipe; places in messages name it as it is given here.
        settings: variables by name, from ``--set``.

    Raises:
        InputError: the file, or one it includes or names, is missing or wrong; the message has up to ten mistakes.
        UsageError: a setting names no variable of the recipe.
    """
    problems: list[InputError] = []
    root = substitute(assemble(path), settings, problems)
    problems += elsewhere(refused(root), problems)
    misread: list[InputError] = []
    recipe = decode_into(Recipe, root, misread)
    problems += elsewhere(misread, problems)
    # The checks find places by index, which holds only if every item could be read.
    if recipe is not None and not problems:
        recipe = replace(recipe, repositories=tuple(map(_with_id, recipe.repositories)))
        problems += problems_of(recipe, root)
    problems += elsewhere(missing_files(root, path.parent), problems)
    if problems or recipe is None:
        raise one_error(problems, str(path))
    return replace(recipe, directory=os.path.realpath(path.parent))


def _with_id(repository: Repository) -> Repository:
    """A repository's id from its address, where the recipe gives none."""
    if repository.id:
        return repository
    try:
        parts = urlsplit(repository.uri)
        text = f"{parts.hostname or ''}{parts.path}"
    except ValueError:
        text = repository.uri
    return replace(
        repository, id=re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.")[:LONGEST_ID] or "extra"
    )
