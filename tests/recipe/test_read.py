"""Includes, variables, and what a read recipe holds."""

import os
from pathlib import Path

import pytest

from goldsmith.errors import InputError, UsageError
from goldsmith.model.recipe import Recipe
from goldsmith.recipe.beside import local_inputs
from goldsmith.recipe.read import read_recipe

HEAD = "name: web\nversion: 1.0.0\nfrom: debian:trixie\n"
CORPUS = Path(__file__).parent.parent / "corpus" / "recipes"


def write(directory: Path, **files: str) -> Path:
    """Files by name (``__`` is ``/``, ``_yaml`` is ``.yaml``); the path of recipe.yaml."""
    for name, text in files.items():
        path = directory / (name.replace("__", "/").removesuffix("_yaml") + ".yaml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return directory / "recipe.yaml"


@pytest.fixture(name="shop")
def _shop() -> Recipe:
    return read_recipe(CORPUS / "good-include-and-variables" / "recipe.yaml")


def test_scalars_of_the_including_file_win(shop: Recipe) -> None:
    assert str(shop.base) == "debian:trixie"
    assert shop.customizations.hostname == "shop"
    assert shop.recommends is True


def test_lists_are_joined_with_fragments_first_and_no_text_twice(shop: Recipe) -> None:
    assert [str(package) for package in shop.packages] == ["htop", "openssh-server", "nginx", "curl"]


def test_a_fragment_that_is_reached_twice_counts_once(shop: Recipe) -> None:
    assert [file.path for file in shop.customizations.files] == ["/etc/motd", "/etc/profile.d/hello.sh"]


def test_paths_in_a_fragment_start_from_it(shop: Recipe) -> None:
    assert shop.customizations.files[0].source == "common/motd"


def test_variables_are_put_in(shop: Recipe) -> None:
    assert shop.description == "Shop on port 8080"
    assert shop.customizations.user[0].uid == 1500
    assert shop.customizations.files[1].data == 'echo "hello ${USER} $HOME $(id)"\n'


def test_settings_win_over_defaults() -> None:
    folder = CORPUS / "good-include-and-variables"
    recipe = read_recipe(folder / "recipe.yaml", {"port": "9000", "extra": "y"})
    assert recipe.description == "Shop on port 9000"


def test_a_setting_without_a_variable_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        read_recipe(CORPUS / "good-include-and-variables" / "recipe.yaml", {"prot": "1"})
    assert caught.value.message == "--set prot: the recipe has no variable 'prot'"
    assert caught.value.hint == "did you mean 'port'?"


def test_a_setting_of_a_recipe_without_variables_is_refused() -> None:
    with pytest.raises(UsageError, match="there are no variables here"):
        read_recipe(CORPUS / "good-smallest" / "recipe.yaml", {"port": "1"})


VARIABLES = [
    ("a number where a number is wanted", "disk: {headroom: '${v}'}", "0", lambda r: r.disk.headroom, 0),
    ("a size", "disk: {size: '${v}'}", "10 GiB", lambda r: r.disk.size, 10 << 30),
    ("a boolean", "recommends: ${v}", "true", lambda r: r.recommends, True),
    ("a number where a text is wanted", "description: ${v}", "42", lambda r: r.description, "42"),
    ("a boolean where a text is wanted", "customizations: {hostname: '${v}'}", "true", lambda r: r.customizations.hostname, "true"),
    ("a text with a reference in it is not read again", "description: ${v}", "${v}", lambda r: r.description, "${v}"),
    ("an escape", "description: $${v}", "x", lambda r: r.description, "${v}"),
    ("a double escape", "description: $$${v}", "x", lambda r: r.description, "$${v}"),
    ("two in one text", "description: ${v}-${v}", "x", lambda r: r.description, "x-x"),
    ("a part of a package's name", "packages: ['php${v}-cli']", "8.4", lambda r: str(r.packages[0]), "php8.4-cli"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "value", "get", "right"), [row[1:] for row in VARIABLES], ids=[row[0] for row in VARIABLES]
)
def test_references(tmp_path: Path, text: str, value: str, get: object, right: object) -> None:
    path = write(tmp_path, recipe_yaml=f"{HEAD}variables: {{v: none}}\n{text}\n")
    assert callable(get)
    assert get(read_recipe(path, {"v": value})) == right


def test_directory_is_the_recipes_and_absolute(tmp_path: Path) -> None:
    path = write(tmp_path, recipe_yaml=HEAD)
    assert read_recipe(Path(os.path.relpath(path))).directory == os.path.realpath(tmp_path)


def test_places_do_not_count_in_comparison(tmp_path: Path) -> None:
    first = write(tmp_path / "a", recipe_yaml=HEAD + "disk: {root: erofs}\n")
    second = write(tmp_path / "b", recipe_yaml="# moved\n" + HEAD + "\n\ndisk:\n  root: erofs\n")
    assert read_recipe(first) == read_recipe(second)


def test_an_id_is_made_from_the_address() -> None:
    recipe = read_recipe(CORPUS / "good-everything" / "recipe.yaml")
    assert [row.id for row in recipe.repositories] == ["packages.example.invalid-apt", "flat"]


def test_local_inputs_are_what_decides_the_result() -> None:
    folder = CORPUS / "good-everything"
    names = [str(path.relative_to(folder)) for path in local_inputs(read_recipe(folder / "recipe.yaml"))]
    assert names == ["components/agent.yml", "files/app.sh", "keys/archive.asc", "keys/ca.pem"]


def test_a_nested_fragment_may_look_above_itself(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        recipe_yaml=HEAD + "include: [a/b/deep.yaml]\n",
        a__b__deep_yaml="include: [../side.yaml]\ncomponents: [../../agent.yaml]\n",
        a__side_yaml="tests: [check.yaml]\n",
        a__check_yaml="",
        agent_yaml="name: agent\n",
    )
    recipe = read_recipe(path)
    assert [use.path for use in recipe.components] == ["agent.yaml"]
    assert recipe.tests == ("a/check.yaml",)


def test_a_fragment_that_is_broken_names_itself(tmp_path: Path) -> None:
    path = write(tmp_path, recipe_yaml=HEAD + "include: [f.yaml]\n", f_yaml="a: [\n")
    with pytest.raises(InputError) as caught:
        read_recipe(path)
    assert caught.value.where is not None
    assert caught.value.where.file == str(tmp_path / "f.yaml")


def test_a_recipe_that_is_a_directory(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Is a directory"):
        read_recipe(tmp_path)


def test_a_recipe_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file or directory"):
        read_recipe(tmp_path / "recipe.yaml")
