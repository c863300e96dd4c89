"""Pages that are made from the code, or must name what is in it."""

import ast
import re
from pathlib import Path

import pytest

from goldsmith import errors
from goldsmith.cli.main import VERBS
from goldsmith.cli.reference import reference

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"
MODEL = ROOT / "src/goldsmith/model"


def test_the_page_of_the_command_line_is_up_to_date() -> None:
    assert (DOCS / "cli.md").read_text() == reference(), (
        "renew it: python -m goldsmith.cli.reference > docs/cli.md"
    )


def test_the_page_of_the_command_line_has_every_exit_code() -> None:
    page = (DOCS / "cli.md").read_text()
    rows = {
        name: int(code) for code, name in re.findall(r"^\| (\d+) \| .* \| `(\w+)` \|$", page, re.MULTILINE)
    }
    classes = {
        name: kind.exit_code
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, errors.GoldsmithError)
    }
    del classes["GoldsmithError"]
    assert rows == classes


@pytest.mark.parametrize("verb", VERBS)
def test_the_page_of_the_command_line_has_every_verb(verb: str) -> None:
    assert f"## goldsmith {verb}\n" in (DOCS / "cli.md").read_text()


def model_classes() -> list[str]:
    """The public classes of the models."""
    return sorted(
        {
            node.name
            for path in MODEL.glob("*.py")
            for node in ast.parse(path.read_text()).body
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
        }
    )


@pytest.mark.parametrize("name", model_classes())
def test_the_glossary_names_every_class_of_the_model(name: str) -> None:
    words = re.findall(r"\*\*(\w+)\*\*|`(\w+)`", (DOCS / "glossary.md").read_text())
    assert name in {word for pair in words for word in pair}


@pytest.mark.parametrize("name", ["Recipe", "Lock", "Plan", "Customizations", "Document"])
def test_the_models_that_matter_have_a_row_of_their_own(name: str) -> None:
    assert re.search(rf"^\| .*\*\*{name}\*\*", (DOCS / "glossary.md").read_text(), re.MULTILINE)


def pages() -> list[Path]:
    """All pages for people."""
    return [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text())
    broken = [
        target for target in targets if "://" not in target and not (page.parent / target).resolve().exists()
    ]
    assert broken == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    known, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in known or page.suffix != ".md" or not page.exists():
            continue
        known.add(page)
        waiting += [
            (page.parent / target).resolve()
            for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text())
            if "://" not in target
        ]
    assert sorted(set(pages()) - known) == []


@pytest.mark.parametrize("command", ["script/demo", "script/test"])
def test_the_commands_of_the_readme_are_there(command: str) -> None:
    assert command in (ROOT / "README.md").read_text()
    assert (ROOT / command).stat().st_mode & 0o111


def test_the_libraries_are_those_that_their_adr_explains() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    listed = re.search(r"^dependencies = \[(.*?)^\]", project, re.MULTILINE | re.DOTALL)
    assert listed is not None
    names = re.findall(r'"([a-z0-9-]+)', listed[1])
    assert len(names) > 3
    page = (DOCS / "adr/0003-libraries.md").read_text()
    assert [name for name in names if f"**{name}**" not in page] == []


def proofs() -> list[tuple[str, str]]:
    """``file, function`` of every test that the page of promises names; a function alone is of the file before it."""
    found, file = list[tuple[str, str]](), ""
    for named in re.findall(r"`((?:tests/[\w/]+\.py)?(?:::\w+)?)`", (DOCS / "promises.md").read_text()):
        path, _, function = named.partition("::")
        file = path or file
        found.append((file, function))
    return found


@pytest.mark.parametrize(("file", "function"), proofs(), ids=lambda value: str(value) or "the whole file")
def test_every_promise_names_a_test_that_exists(file: str, function: str) -> None:
    tree = ast.parse((ROOT / file).read_text())
    tests = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert function in tests if function else any(name.startswith("test_") for name in tests)


def test_every_promise_has_a_proof() -> None:
    table = (DOCS / "promises.md").read_text().partition("## What is not promised")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 10
    assert [row for row in rows if "`tests/" not in row] == []
