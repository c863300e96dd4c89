"""The recipe's own test files."""

import os
from collections.abc import Iterator
from pathlib import Path

from goldsmith.effects.files import sha256_file
from goldsmith.errors import InputError
from goldsmith.model.recipe import Recipe

KINDS = (".sh", ".py")
"""Shell scripts run inside, modules of tests for pytest-testinfra run here."""


def test_files(recipe: Recipe) -> Iterator[Path]:
    """The files that ``tests`` names, those of a pattern by name.

    Raises:
        InputError: a file is not there, or of another kind.
    """
    directory = Path(recipe.directory)
    for pattern in recipe.tests:
        files = sorted(directory.glob(pattern)) if set(pattern) & set("*?[") else [directory / pattern]
        for path in files:
            if not path.is_file():
                raise InputError(
                    f"the test {pattern!r} is not there",
                    hint="see `tests` in the recipe",
                    where=recipe.where,
                )
            if path.suffix not in KINDS:
                raise InputError(
                    f"the test {str(path.relative_to(directory))!r} is neither .py nor .sh",
                    hint="write it for pytest-testinfra, or as a shell script",
                    where=recipe.where,
                )
            yield path


def test_digests(recipe: Recipe) -> dict[str, str]:
    """SHA-256 of each test file, and of the modules beside those of Python, which they may import; by path.

    Raises:
        InputError: a file is not there, of another kind, or cannot be read.
    """
    paths = set(test_files(recipe))
    paths |= {beside for path in paths if path.suffix == ".py" for beside in path.parent.glob("*.py")}
    try:
        return {os.path.relpath(path, recipe.directory): sha256_file(path) for path in sorted(paths)}
    except OSError as error:
        raise InputError(
            f"the test {error.filename!r} cannot be read: {error.strerror}",
            hint="the recipe names it, or it lies beside one that is named",
        ) from error
