"""Every recipe of the corpus: the bad ones give exactly their expected message, the good ones a recipe."""

from pathlib import Path

import pytest

from goldsmith.errors import UsageError
from goldsmith.model.recipe import Recipe
from goldsmith.recipe.read import read_recipe

CORPUS = Path(__file__).parent.parent / "corpus" / "recipes"
BAD = sorted(path.parent for path in CORPUS.glob("*/expected.txt"))
GOOD = sorted(CORPUS.glob("good-*"))


def said(folder: Path) -> str:
    """The error's text as a person sees it who stands in the folder."""
    with pytest.raises(UsageError) as caught:
        read_recipe(folder / "recipe.yaml")
    return str(caught.value).replace(f"{folder}/", "") + "\n"


@pytest.mark.parametrize("folder", BAD, ids=lambda folder: folder.name)
def test_a_bad_recipe_gives_its_message(folder: Path) -> None:
    assert said(folder) == (folder / "expected.txt").read_text()


@pytest.mark.parametrize("folder", BAD, ids=lambda folder: folder.name)
def test_a_bad_recipe_has_a_remedy(folder: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read_recipe(folder / "recipe.yaml")
    assert len(caught.value.hint) > 5
    assert caught.value.where is not None


@pytest.mark.parametrize("folder", GOOD, ids=lambda folder: folder.name)
def test_a_good_recipe_is_read(folder: Path) -> None:
    assert isinstance(read_recipe(folder / "recipe.yaml"), Recipe)


def test_every_folder_is_a_case() -> None:
    assert {path.name for path in CORPUS.iterdir()} == {path.name for path in [*BAD, *GOOD]}
    assert len(BAD) >= 80
    assert len(GOOD) >= 6
