from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from goldsmith.lock.inputs import inputs_digest
from goldsmith.model.component import Download
from goldsmith.model.recipe import (
    Base,
    ComponentUse,
    Customizations,
    DiskSpec,
    PackageRequest,
    Recipe,
    Remove,
    Repository,
    Stage,
)

REPOSITORY = Repository("http://e.invalid/apt", "key.asc", suite="trixie", components=("main",), id="mine")
RECIPE = Recipe(
    "web",
    "1.0.0",
    Base("debian", "trixie"),
    repositories=(REPOSITORY,),
    packages=(PackageRequest("nginx"), PackageRequest("jq")),
    stages=(Stage("compile", (PackageRequest("gcc"),)),),
)
FILES = (Download("http://f.invalid/a", "aa" * 32, "sha256"),)


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    (tmp_path / "key.asc").write_text("a key")
    return replace(RECIPE, directory=str(tmp_path))


def changed(**how: object) -> Callable[[Recipe], Recipe]:
    return lambda recipe: replace(recipe, **how)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(changed(base=Base("debian", "bookworm")), id="another suite"),
        pytest.param(changed(packages=RECIPE.packages[:1]), id="a package less"),
        pytest.param(
            changed(packages=(*RECIPE.packages, PackageRequest("vim", forbidden=True))), id="a forbidden one"
        ),
        pytest.param(
            changed(packages=(PackageRequest("nginx", version="1"), RECIPE.packages[1])), id="a version"
        ),
        pytest.param(changed(recommends=True), id="recommended packages"),
        pytest.param(changed(repositories=()), id="a repository less"),
        pytest.param(changed(repositories=(replace(REPOSITORY, suite="sid"),)), id="a repository's suite"),
        pytest.param(changed(stages=()), id="a stage less"),
        pytest.param(changed(stages=(Stage("compile", ()),)), id="a stage's packages"),
        pytest.param(
            changed(packages=(*RECIPE.packages, PackageRequest("linux-image-amd64"))), id="another kernel"
        ),
    ],
)
def test_what_a_lock_resolves_makes_it_stale(change: Callable[[Recipe], Recipe], recipe: Recipe) -> None:
    assert inputs_digest(change(recipe), FILES) != inputs_digest(recipe, FILES)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(
            changed(name="shop", version="2.0.0", description="x", labels={"a": "b"}), id="its name"
        ),
        pytest.param(changed(mirror="http://m.invalid/debian"), id="a mirror"),
        pytest.param(changed(customizations=Customizations(hostname="web")), id="a setting"),
        pytest.param(changed(components=(ComponentUse("c.yml"),)), id="a component without downloads"),
        pytest.param(changed(disk=DiskSpec(size=1 << 34, boot="uefi")), id="the disk"),
        pytest.param(changed(remove=Remove(docs=True)), id="what is removed"),
        pytest.param(changed(outputs=("raw",)), id="the outputs"),
        pytest.param(changed(packages=RECIPE.packages[::-1]), id="the packages' order"),
        pytest.param(
            changed(
                repositories=(
                    replace(REPOSITORY, uri="http://e.invalid/apt/", credentials="env:X", proxy="p"),
                )
            ),
            id="how a repository is reached",
        ),
    ],
)
def test_what_it_does_not_resolve_does_not(change: Callable[[Recipe], Recipe], recipe: Recipe) -> None:
    assert inputs_digest(change(recipe), FILES) == inputs_digest(recipe, FILES)


def test_a_repositorys_key_counts_by_its_content(recipe: Recipe) -> None:
    before = inputs_digest(recipe, FILES)
    Path(recipe.directory, "key.asc").write_text("another key")
    assert inputs_digest(recipe, FILES) != before


def test_downloads_count_by_address_and_checksum(recipe: Recipe) -> None:
    other = Download("http://f.invalid/b", "bb" * 32, "sha256")
    before = inputs_digest(recipe, FILES)
    assert inputs_digest(recipe, ()) != before
    assert inputs_digest(recipe, (replace(FILES[0], checksum="cc" * 32),)) != before
    assert inputs_digest(recipe, (other, *FILES)) == inputs_digest(recipe, (*FILES, other))
