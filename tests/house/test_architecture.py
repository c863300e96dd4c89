"""The rules of the house that no linter knows: where effects may stand, how large things may be, who says what."""

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from goldsmith import errors

ROOT = Path(__file__).parent.parent.parent
SOURCE = ROOT / "src/goldsmith"
FILES = sorted(SOURCE.rglob("*.py"))
TREES = {path.relative_to(SOURCE): ast.parse(path.read_text()) for path in FILES}
LONGEST_FILE = 400
LONGEST_FUNCTION = 50

EFFECTS = {
    "subprocess": "processes",
    "socket": "sockets",
    "http": "sockets",
    "select": "sockets",
    "ssl": "sockets",
    "urllib.request": "sockets",
    "urllib3": "sockets",
    "random": "randomness",
    "secrets": "randomness",
    "time": "the clock",
    "datetime.datetime.now": "the clock",
    "datetime.datetime.today": "the clock",
    "datetime.datetime.utcnow": "the clock",
    "datetime.date.today": "the clock",
    "os.fork": "processes",
    "os.forkpty": "processes",
    "os.execv": "processes",
    "os.execve": "processes",
    "os.execvp": "processes",
    "os.execvpe": "processes",
    "os.posix_spawn": "processes",
    "os.popen": "processes",
    "os.system": "processes",
    "os.kill": "processes",
    "os.getrandom": "randomness",
    "os.urandom": "randomness",
    "uuid.uuid1": "randomness",
    "uuid.uuid4": "randomness",
    "os.fsync": "durable writes",
    "os.fdatasync": "durable writes",
    "os.sync": "durable writes",
    "os.replace": "durable writes",
}
"""What has effects outside goldsmith's own directories, by dotted name: only ``effects/`` may use it."""

ALLOWED: dict[tuple[str, str], str] = {}
"""Uses elsewhere, each with its reason."""

LONG = {
    "cli/build.py:command": "the verb from its options to its last line, in the order in which things happen",
    "lock/aptroot.py:configuration": "apt's settings, one a line",
}
"""Files past 400 lines (``builder/x.py``) and functions past 50 (``builder/x.py:name``), each with its reason."""


@dataclass(frozen=True, slots=True)
class Use:
    """A name of ``EFFECTS`` in a file."""

    name: str
    line: int


def uses(tree: ast.Module) -> Iterator[Use]:
    """Where a module imports or mentions what has effects."""
    known: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                known[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
                yield from listed(alias.name, node.lineno)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                known[alias.asname or alias.name] = f"{node.module}.{alias.name}"
                yield from listed(f"{node.module}.{alias.name}", node.lineno)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            head, _, rest = ast.unparse(node).partition(".")
            if head in known:
                yield from listed(f"{known[head]}.{rest}", node.lineno)


def listed(name: str, line: int) -> Iterator[Use]:
    """The entries of ``EFFECTS`` that a dotted name is, or lies below."""
    for effect in EFFECTS:
        if name == effect or name.startswith(f"{effect}."):
            yield Use(effect, line)


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function, methods and inner ones too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def statements(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function's body, its docstring and its signature left out."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_effects_stand_under_effects_only() -> None:
    found = [
        f"{path}:{use.line} {use.name}: {EFFECTS[use.name]}"
        for path, tree in TREES.items()
        if path.parts[0] != "effects"
        for use in uses(tree)
        if (str(path), use.name) not in ALLOWED
    ]
    assert found == []


def test_every_allowed_effect_is_still_used() -> None:
    there = {(str(path), use.name) for path, tree in TREES.items() for use in uses(tree)}
    assert set(ALLOWED) - there == set()


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import subprocess", ["subprocess"]),
        ("import subprocess as sp\nsp.run([])", ["subprocess", "subprocess"]),
        ("from subprocess import run", ["subprocess"]),
        ("import os\nos.replace('a', 'b')", ["os.replace"]),
        ("from os import fsync", ["os.fsync"]),
        ("from datetime import datetime as D\nD.now()", ["datetime.datetime.now"]),
        ("import urllib.request", ["urllib.request"]),
        ("import urllib.parse\nimport os\nos.rename('a', 'b')\n'a'.replace('a', 'b')", []),
        ("import timeit", []),
    ],
    ids=[
        "a module is imported",
        "a module is imported under another name",
        "a function is imported from a module",
        "an attribute of a harmless module",
        "a function of a harmless module is imported",
        "a method of an imported class",
        "a module in a package",
        "harmless names that look alike",
        "a module whose name begins alike",
    ],
)
def test_the_check_for_effects_finds(source: str, names: list[str]) -> None:
    assert [use.name for use in uses(ast.parse(source))] == names


def test_no_command_goes_through_a_shell() -> None:
    found = [
        f"{path}:{node.lineno}"
        for path, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.keyword) and node.arg == "shell" and ast.unparse(node.value) == "True"
    ]
    assert found == []


def test_files_are_short_or_have_a_reason() -> None:
    lengths = {str(path.relative_to(SOURCE)): len(path.read_text().splitlines()) for path in FILES}
    long = {path for path, lines in lengths.items() if lines > LONGEST_FILE}
    assert long == {name for name in LONG if ":" not in name}


def test_functions_are_short_or_have_a_reason() -> None:
    long = {
        f"{path}:{function.name}"
        for path, tree in TREES.items()
        for function in functions(tree)
        if statements(function) > LONGEST_FUNCTION
    }
    assert long == {name for name in LONG if ":" in name}


def test_no_file_is_a_drawer_for_everything() -> None:
    words = {"util", "utils", "helper", "helpers", "misc", "common", "manager", "context"}
    assert [str(path) for path in TREES if path.stem in words] == []
    classes = [
        f"{path}:{node.lineno} {node.name}"
        for path, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and re.search(r"Manager|Context|Helper|Util", node.name)
    ]
    assert classes == []


def test_no_module_keeps_state() -> None:
    found = [
        f"{path}:{node.lineno}"
        for path, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Global)
    ]
    assert found == []


def said_sentences() -> Iterator[tuple[str, str]]:
    """``place, text`` of every ``Says("...")`` and of every ``does`` of a table's row, in the models."""
    for path, tree in TREES.items():
        for node in ast.walk(tree) if path.parts[0] == "model" else ():
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Says" and node.args:
                yield f"{path}:{node.lineno}", ast.literal_eval(node.args[0])


def test_every_said_sentence_is_one() -> None:
    said = list(said_sentences())
    assert len(said) > 100
    assert [f"{place} {text!r}" for place, text in said if not text.endswith(".") or text[0].islower()] == []


def docstrings() -> Iterator[tuple[str, str]]:
    """``place, text`` of every docstring, those of fields and constants too."""
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                text = node.value.value
                if isinstance(text, str):
                    yield f"{path}:{node.lineno}", text


def test_every_docstring_begins_with_a_sentence() -> None:
    found = []
    for place, text in docstrings():
        first = inspect.cleandoc(text).split("\n\n")[0].rstrip()
        if not first.endswith((".", ":", "?", "...", "…")):
            found.append(f"{place} {first[-60:]!r}")
    assert found == []


def test_every_field_of_a_model_has_its_sentence() -> None:
    found = []
    for path, tree in TREES.items():
        if path.parts[0] != "model":
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and "dataclass" in " ".join(
                map(ast.unparse, node.decorator_list)
            ):
                found += [f"{path}:{line} {node.name}.{name}" for name, line in without_sentence(node)]
    assert found == []


KNOWN_BY_NAME = {"where", "uid", "gid"}
"""Fields that are the same everywhere: the place in a file, for messages; ids as Unix has them."""


def without_sentence(node: ast.ClassDef) -> Iterator[tuple[str, int]]:
    """Fields of a dataclass with neither a docstring below nor ``Says`` in the annotation."""
    for field, after in zip(node.body, [*node.body[1:], None], strict=True):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            if field.target.id in KNOWN_BY_NAME:
                continue
            has_docstring = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
            if not has_docstring and "Says(" not in ast.unparse(field.annotation):
                yield field.target.id, field.lineno


def drawn() -> dict[str, tuple[int, int, str]]:
    """The tree in the docstring of ``errors``: name → exit code, HTTP status, name of the base."""
    found: dict[str, tuple[int, int, str]] = {}
    above: list[tuple[int, str]] = [(-1, "GoldsmithError")]
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"(?P<bars>[ │├└─]+)(?P<name>[A-Z]\w+) +(?P<code>\d+) +(?P<status>\d+)  \S", line)
        if match:
            depth = len(match["bars"])
            while above[-1][0] >= depth:
                above.pop()
            found[match["name"]] = (int(match["code"]), int(match["status"]), above[-1][1])
            above.append((depth, match["name"]))
    return found


def test_the_tree_of_errors_is_as_it_is_drawn() -> None:
    classes = {
        name: (item.exit_code, item.http_status, item.__base__.__name__ if item.__base__ else "")
        for name, item in vars(errors).items()
        if inspect.isclass(item)
        and issubclass(item, errors.GoldsmithError)
        and item is not errors.GoldsmithError
    }
    assert drawn() == classes


def test_every_error_that_is_raised_has_a_hint() -> None:
    names = {*drawn(), "GoldsmithError"}
    found = [
        f"{path}:{node.lineno}"
        for path, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).rpartition(".")[2] in names
        and not any(keyword.arg in {"hint", None} for keyword in node.keywords)
    ]
    assert found == []
