"""The command line as a person meets it: every help works, and is quick."""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from goldsmith.cli.main import VERBS

GOLDSMITH = Path(sys.executable).with_name("goldsmith")
RUNS = 7
MOST_TIMES_BARE_PYTHON = 12
"""Measured: 5 to 7 times for all verbs; bare Python takes 15 ms, so this is far below what a person notices."""


def seconds(command: Sequence[str | Path], *, most: int = RUNS) -> float:
    """The median processor time of several runs; other work on the machine counts less in it than in wall time."""
    taken = []
    for _ in range(most):
        before = os.times()
        subprocess.run(command, check=True, capture_output=True)
        after = os.times()
        taken.append(
            after.children_user - before.children_user + after.children_system - before.children_system
        )
    return statistics.median(taken)


@pytest.mark.parametrize("verb", ["", *VERBS])
def test_every_help_works(verb: str) -> None:
    done = subprocess.run([GOLDSMITH, *verb.split(), "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stderr == ""
    assert done.stdout.startswith(f"Usage: goldsmith {verb}".strip())
    assert "--help" in done.stdout


@pytest.mark.parametrize(
    "words",
    [
        pytest.param("build", id="an argument is missing"),
        pytest.param("build recipe.yaml --jobs 0", id="a value is out of range"),
        pytest.param("component run --no-such-option", id="an option does not exist"),
        pytest.param("bild recipe.yaml", id="a verb does not exist"),
    ],
)
def test_a_machine_is_told_of_wrong_words_too(words: str) -> None:
    done = subprocess.run([GOLDSMITH, *words.split(), "--json"], capture_output=True, text=True, check=False)
    said = json.loads(done.stdout)
    assert (said["error"], said["exit_code"], done.returncode) == ("UsageError", 2, 2)
    assert said["message"] in done.stderr
    assert said["hint"].startswith("see: goldsmith")


def test_help_is_quick() -> None:
    bare = seconds([sys.executable, "-c", "pass"])
    assert seconds([GOLDSMITH, "--help"]) < MOST_TIMES_BARE_PYTHON * max(bare, 0.01)


def test_the_help_of_a_verb_loads_no_build() -> None:
    script = (
        "import sys; from goldsmith.cli.main import goldsmith; goldsmith(['--help'], standalone_mode=False);"
        "print(sorted(m for m in sys.modules if m.split('.')[0] in ('goldsmith', 'rich', 'urllib3', 'zstandard', 'yaml')))"
    )
    start = time.monotonic()
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = done.stdout.splitlines()[-1]
    assert "goldsmith.cli.main" in loaded
    for heavy in ("rich", "urllib3", "zstandard", "yaml", "goldsmith.builder", "goldsmith.lock"):
        assert f"'{heavy}" not in loaded
    assert time.monotonic() - start < 30


def test_every_verb_says_the_same_of_itself() -> None:
    overview = subprocess.run([GOLDSMITH, "--help"], capture_output=True, text=True, check=True).stdout
    for verb, (_, summary) in VERBS.items():
        assert verb in overview
        assert summary.endswith(".")
        assert summary.split()[0] in overview


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["nonsense"], 2, "No such command 'nonsense'"),
        (["build"], 2, "Missing argument 'RECIPE'"),
        (["build", "/nowhere/recipe.yaml"], 2, "/nowhere/recipe.yaml"),
        (["build", "x.yaml", "--jobs", "0"], 2, "Invalid value for '--jobs'"),
        (["boot", "nothing-of-that-name"], 2, "there is no image 'nothing-of-that-name'"),
        (["build", "x.yaml", "--set", "colour"], 2, "--set 'colour' is not of the form KEY=VALUE"),
    ],
    ids=[
        "an unknown verb",
        "a missing argument",
        "a recipe that is not there",
        "a number out of range",
        "an image that was never built",
        "a setting without a value",
    ],
)
def test_wrong_words_end_with_2_and_a_message(words: list[str], code: int, said: str, tmp_path: Path) -> None:
    environment = {**os.environ, "GOLDSMITH_HOME": str(tmp_path / "home")}
    done = subprocess.run([GOLDSMITH, *words], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr
