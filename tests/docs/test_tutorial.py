"""The tutorial is run: every command of a ``console`` block, and what the page says that it prints."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from goldsmith.model.oci import Descriptor
from goldsmith.store.home import Home
from goldsmith.store.images import layout_of

TUTORIAL = Path(__file__).parent.parent.parent / "docs/tutorial.md"
TIMEOUT = 900


@dataclass(frozen=True, slots=True)
class Command:
    """A command and the lines that it must print, in this order; others may stand between."""

    line: int
    words: str
    expected: tuple[str, ...]


def commands(page: str) -> Iterator[Command]:
    """The commands of a page's ``console`` blocks."""
    inside, line, words, expected = False, 0, "", list[str]()
    for number, text in enumerate([*page.splitlines(), "```"], start=1):
        if text.startswith("```") or (inside and text.startswith("$ ")):
            if words:
                yield Command(line, words, tuple(expected))
            words, expected = "", []
            inside = text == "```console" or (inside and not text.startswith("```"))
            if inside and text.startswith("$ "):
                line, words = number, text.removeprefix("$ ")
        elif inside:
            expected.append(text)


def first_missing(expected: tuple[str, ...], printed: str) -> str | None:
    """The first expected line that is not printed after those before it; ``…`` is any text, and so are spaces around."""
    lines = iter(printed.splitlines())
    for want in expected:
        pattern = re.compile(re.escape(want.strip()).replace("…", ".*").replace(r"\ ", r"\s+"))
        if not any(pattern.search(line) for line in lines):
            return want
    return None


@pytest.mark.image
def test_the_tutorial(shared_home: Home, tmp_path: Path) -> None:
    paths = [str(Path(sys.executable).parent), os.environ["PATH"]]
    environment = {**os.environ, "GOLDSMITH_HOME": str(shared_home.path), "PATH": os.pathsep.join(paths)}

    # Images of this name are numbered from those that are kept; earlier runs of this test must not count.
    def forget(refs: dict[str, Descriptor]) -> None:
        for name in [name for name in refs if name.startswith("hello:")]:
            del refs[name]

    layout_of(shared_home).change(forget)
    for command in commands(TUTORIAL.read_text()):
        done = subprocess.run(
            ["sh", "-c", command.words],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=TIMEOUT,
            text=True,
            check=False,
        )
        printed = done.stderr + done.stdout
        place = f"docs/tutorial.md:{command.line}: {command.words}\n{printed}"
        assert done.returncode == 0, place
        missing = first_missing(command.expected, printed)
        assert missing is None, f"{missing!r} is not printed by {place}"


def test_the_tutorial_has_commands_of_every_main_verb() -> None:
    page = [command.words.split() for command in commands(TUTORIAL.read_text())]
    verbs = {words[1] for words in page if words[0] == "goldsmith"}
    assert {"init", "lock", "build", "explain", "component"} <= verbs


@pytest.mark.parametrize(
    ("expected", "printed", "missing"),
    [
        (("a … c", "d"), "x\n  a b  c \nd", None),
        (("d", "a"), "a\nd", "a"),
        (("a.c",), "abc", "a.c"),
        ((), "anything", None),
    ],
    ids=["what is expected is there", "in another order", "a point is a point", "nothing is expected"],
)
def test_the_comparison(expected: tuple[str, ...], printed: str, missing: str | None) -> None:
    assert first_missing(expected, printed) == missing


def test_the_reader_of_the_page() -> None:
    page = "text\n```console\n$ one\nsays\n$ two\n```\n```\n$ not run\n```\n"
    assert list(commands(page)) == [Command(3, "one", ("says",)), Command(5, "two", ())]
