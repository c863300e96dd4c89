"""The page about the store: its commands print what it says, and its tables are those of the code."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from tests.docs.test_tutorial import commands, first_missing
from tests.store.ground import first_tree, keep, second_tree

from goldsmith.model import oci
from goldsmith.store.check import Hurt
from goldsmith.store.home import Home

PAGE = (Path(__file__).parent.parent.parent / "docs/store.md").read_text()
SKIPPED = ("skopeo",)
"""Programs that need not be installed; their tests are in test_verbs.py and test_record.py."""


def test_every_command_prints_what_the_page_says(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    keep(home, first_tree())
    keep(home, second_tree(), version="1.1.0")
    paths = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "GOLDSMITH_HOME": str(home.path), "PATH": paths}
    ran = 0
    for command in commands(PAGE):
        if shlex.split(command.words)[0] in SKIPPED:
            continue
        done = subprocess.run(
            ["sh", "-c", command.words],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        place = f"docs/store.md:{command.line}: {command.words}\n{done.stderr}{done.stdout}"
        assert done.returncode == 0, place
        expected = tuple(line for line in command.expected if line.strip() not in {"", "…"})
        missing = first_missing(expected, done.stdout)
        assert missing is None, f"{missing!r} is not printed by {place}"
        ran += 1
    assert ran >= 10


@pytest.mark.parametrize("name", [kind.value for kind in Hurt])
def test_every_finding_is_on_the_page(name: str) -> None:
    assert re.search(rf"^\| `{name}` \|", PAGE, re.MULTILINE)


@pytest.mark.parametrize("media_type", [oci.TREE_INDEX, oci.DISK_MAP, oci.DISK_LITERALS])
def test_every_kind_of_object_is_on_the_page(media_type: str) -> None:
    assert f"| `{media_type}` |" in PAGE
