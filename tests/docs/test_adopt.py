"""The page about images of others says what the code does."""

import re
from pathlib import Path

import pytest

from goldsmith.disk.adopt.unpack import MARKS as PACKINGS
from goldsmith.disk.read.containers import BEYOND, DRIVERS, TIMES
from goldsmith.disk.read.kinds import MARKS as FILE_SYSTEMS
from goldsmith.disk.read.system import ESP_PLACES, READERS
from goldsmith.lock.image import ADOPTED_VERSION

PAGE = (Path(__file__).parent.parent.parent / "docs/adopt.md").read_text()
NAMED = set(re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL)))


@pytest.mark.parametrize("word", [*DRIVERS, *PACKINGS.values(), *READERS, *ESP_PLACES])
def test_the_page_names_all_that_is_taken(word: str) -> None:
    assert word in NAMED


def test_what_the_page_says_is_refused_is_known_by_its_bytes() -> None:
    row = next(line for line in PAGE.splitlines() if "refused by name, if" in line)
    assert set(re.findall(r"`(\w+)`", row)) <= {name for _, _, name in FILE_SYSTEMS}


def test_the_bounds_on_the_page_are_the_code_s() -> None:
    assert f"{TIMES} times the file and {BEYOND >> 30} GiB" in PAGE
    assert f"`vendor:{ADOPTED_VERSION}`" in PAGE
