"""Fixtures for tests of real images: one data directory for all of them, and the example built once a run.

``tests/conftest.py`` makes them known to every folder. The data directory is kept between runs, because downloads
and unpacked packages are verified by digest anyway; ``GOLDSMITH_TEST_HOME`` names another.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from goldsmith.effects.files import locked
from goldsmith.store.home import Home

EXAMPLES = Path(__file__).parent.parent / "examples"
PROGRAM = Path(sys.executable).with_name("goldsmith")
"""The real command, as ``script/demo`` installs it."""
BUILD_TIMEOUT = 1200

Goldsmith = Callable[..., "subprocess.CompletedProcess[str]"]


def home_of_tests() -> Path:
    """Where images of tests are kept."""
    named = os.environ.get("GOLDSMITH_TEST_HOME")
    return Path(named).absolute() if named else Path(f"/var/tmp/goldsmith-tests-{os.getuid()}")


@pytest.fixture(scope="session")
def shared_home() -> Home:
    """One GOLDSMITH_HOME for all tests of real images, kept between runs."""
    home = Home(home_of_tests())
    home.path.mkdir(parents=True, exist_ok=True)
    return home


@pytest.fixture(scope="session")
def goldsmith(shared_home: Home) -> Goldsmith:
    """Runs the real command with the shared data directory; ``home=`` and ``env=`` change that."""

    def run(
        *words: str | Path,
        home: Path | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        timeout: float = BUILD_TIMEOUT,
    ) -> "subprocess.CompletedProcess[str]":
        environment = {**os.environ, "GOLDSMITH_HOME": str(home or shared_home.path), **(env or {})}
        command = [str(PROGRAM), *map(str, words)]
        return subprocess.run(
            command, env=environment, cwd=cwd, timeout=timeout, capture_output=True, text=True, check=False
        )

    return run


@pytest.fixture(scope="session")
def web_recipe(shared_home: Home) -> Path:
    """A copy of ``examples/web`` at a lasting place, so that tests cannot change the example itself."""
    place = shared_home / "recipes/web"
    with locked(shared_home / "recipes/.lock"):
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(EXAMPLES / "web", place)
    return place / "recipe.yaml"


@pytest.fixture(scope="session")
def web_build(goldsmith: Goldsmith, web_recipe: Path) -> dict[str, Any]:
    """``examples/web`` built by the real command; what ``--json`` says of it."""
    done = goldsmith("build", web_recipe, "--json")
    if done.returncode != 0:
        pytest.fail(f"the example does not build:\n{done.stderr[-4000:]}", pytrace=False)
    built = json.loads(done.stdout)
    assert isinstance(built, dict)
    return built
