"""The JSON Schema agrees with the reader, and the reference page with the model."""

import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from goldsmith.recipe.document import load, read_document
from goldsmith.recipe.reference import reference
from goldsmith.recipe.schema import json_schema

ROOT = Path(__file__).parent.parent.parent
CORPUS = ROOT / "tests" / "corpus" / "recipes"
GOOD = sorted(CORPUS.glob("good-*"))
HEAD = "name: web\nversion: 1.0.0\nfrom: debian:trixie\n"

WRONG = [
    ("an unknown key", "pakages: []"),
    ("an unknown key of a user", "customizations: {user: [{name: ann, passwd: x}]}"),
    ("a text for a list", "packages: nginx"),
    ("a word for a boolean", "recommends: yes"),
    ("a package in capitals", "packages: [Nginx]"),
    ("a root that comes later", "disk: {root: xfs}"),
    ("an ambiguous size", "disk: {size: 10G}"),
    ("a mode with an eight", "customizations: {files: [{path: /a, data: '', mode: '0888'}]}"),
    ("a relative path", "customizations: {files: [{path: a, data: ''}]}"),
    ("a number that is too large", "customizations: {group: [{name: ops, gid: 70000}]}"),
    ("a component without a path", "components: [{network: true}]"),
    ("a port without a protocol", "customizations: {firewall: {ports: ['22']}}"),
    ("a label that is a list", "labels: {a: [b]}"),
]


@pytest.fixture(name="validator", scope="module")
def _validator() -> jsonschema.Draft202012Validator:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("folder", GOOD, ids=lambda folder: folder.name)
def test_a_good_recipe_is_valid(validator: jsonschema.Draft202012Validator, folder: Path) -> None:
    validator.validate(read_document(folder / "recipe.yaml").plain())


@pytest.mark.parametrize("text", [row[1] for row in WRONG], ids=[row[0] for row in WRONG])
def test_a_wrong_recipe_is_not_valid(validator: jsonschema.Draft202012Validator, text: str) -> None:
    assert not validator.is_valid(load(f"{HEAD}{text}\n", "f").plain())


def test_required_keys_are_required_unless_a_fragment_may_have_them(
    validator: jsonschema.Draft202012Validator,
) -> None:
    assert not validator.is_valid({"name": "web"})
    assert validator.is_valid({"include": ["base.yaml"]})


def test_a_variable_stands_anywhere(validator: jsonschema.Draft202012Validator) -> None:
    text = f"{HEAD}variables: {{a: 1}}\nrecommends: ${{a}}\ndisk: {{size: '${{a}} GiB', boot: '${{a}}'}}\n"
    validator.validate(load(text, "f").plain())


def test_every_key_has_a_sentence() -> None:
    def properties(schema: object) -> list[tuple[str, object]]:
        if isinstance(schema, dict):
            here = list(schema.get("properties", {}).items())
            return here + [row for value in schema.values() for row in properties(value)]
        return []

    rows = properties(json_schema())
    assert len(rows) > 80
    for name, row in rows:
        assert isinstance(row, dict)
        assert row["description"].endswith("."), name


def test_the_reference_page_is_the_models() -> None:
    assert (ROOT / "docs" / "recipe.md").read_text() == reference(), (
        "run: python -m goldsmith.recipe.reference > docs/recipe.md"
    )


def test_the_recipe_on_the_reference_page_is_valid(validator: jsonschema.Draft202012Validator) -> None:
    example = reference().split("```yaml\n")[1].split("```")[0]
    validator.validate(load(example, "docs").plain())


def test_the_module_prints_the_page() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "goldsmith.recipe.reference"], capture_output=True, text=True, check=True
    )
    assert result.stdout == reference()
