"""``goldsmith init`` and ``goldsmith schema``, as they are run."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from goldsmith.recipe.read import read_recipe
from goldsmith.recipe.scaffold import image_name, scaffold
from goldsmith.recipe.schema import json_schema

FILES = ["components/motd.yml", "recipe.schema.json", "recipe.yaml", "site/index.html", "tests/test_web.py"]


def goldsmith(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    code = "from goldsmith.cli.main import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *words], cwd=cwd, capture_output=True, text=True, check=False
    )


def files(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file())


def test_init_writes_a_recipe_that_reads(tmp_path: Path) -> None:
    result = goldsmith("init", "My Web", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout == ""
    assert files(tmp_path / "My Web") == FILES
    assert "goldsmith build 'My Web/recipe.yaml'" in result.stderr
    recipe = read_recipe(tmp_path / "My Web" / "recipe.yaml")
    assert recipe.name == "my-web"
    assert str(recipe.base) == "debian:trixie"
    assert {"nginx", "openssh-server", "cloud-init"} <= {package.name for package in recipe.packages}
    assert recipe.customizations.user


def test_init_without_a_directory_is_here(tmp_path: Path) -> None:
    assert goldsmith("init", cwd=tmp_path).returncode == 0
    assert files(tmp_path) == FILES


def test_init_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("mine")
    result = goldsmith("init", ".", cwd=tmp_path)
    assert result.returncode == 2
    assert "'.' already has recipe.yaml; nothing was written" in result.stderr
    assert "--force" in result.stderr
    assert files(tmp_path) == ["recipe.yaml"]
    assert (tmp_path / "recipe.yaml").read_text() == "mine"


def test_init_with_force_overwrites(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("mine")
    assert goldsmith("init", "--force", cwd=tmp_path).returncode == 0
    assert read_recipe(tmp_path / "recipe.yaml")


def test_init_where_a_file_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "components").write_text("a file")
    result = goldsmith("init", cwd=tmp_path)
    assert result.returncode == 2
    assert "cannot write 'components/motd.yml'" in result.stderr
    assert "Traceback" not in result.stderr


def test_init_json_prints_one_object(tmp_path: Path) -> None:
    result = goldsmith("init", "--json", "new", cwd=tmp_path)
    assert json.loads(result.stdout) == {"directory": "new", "files": FILES}
    assert result.stderr == ""


def test_the_editors_schema_is_the_one_beside_the_recipe(tmp_path: Path) -> None:
    goldsmith("init", cwd=tmp_path)
    first = (tmp_path / "recipe.yaml").read_text().splitlines()[0]
    assert first == "# yaml-language-server: $schema=recipe.schema.json"
    assert json.loads((tmp_path / "recipe.schema.json").read_text()) == json_schema()


def test_schema_prints_the_schema(tmp_path: Path) -> None:
    for words in (["schema"], ["schema", "--json"]):
        result = goldsmith(*words, cwd=tmp_path)
        assert json.loads(result.stdout) == json_schema()


NAMES = [
    ("web", "web"),
    ("My Web!", "my-web"),
    ("…", "web"),
    ("..", "web"),
    ("a" * 80, "a" * 63),
    ("-x_", "x"),
]


@pytest.mark.parametrize(("directory", "name"), NAMES, ids=[row[0][:10] for row in NAMES])
def test_an_images_name_from_a_directorys(directory: str, name: str) -> None:
    assert image_name(directory) == name


def test_the_component_that_is_scaffolded_is_valid(tmp_path: Path) -> None:
    goldsmith("init", cwd=tmp_path)
    result = goldsmith("component", "validate", "components/motd.yml", cwd=tmp_path)
    assert result.returncode == 0, result.stderr


def test_the_test_that_is_scaffolded_is_python() -> None:
    compile(scaffold("web")["tests/test_web.py"], "test_web.py", "exec")
