"""The page about formats says what the table says."""

from pathlib import Path

import pytest

from goldsmith.disk.formats import table
from goldsmith.model.format import ARCHIVES, FORMATS, Format
from goldsmith.store import archives

PAGE = (Path(__file__).parent.parent.parent / "docs/formats.md").read_text()


def in_words(size: int) -> str:
    """A size in its largest whole unit."""
    for power, unit in ((40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")):
        if size % (1 << power) == 0:
            return f"{size >> power} {unit}"
    return f"{size} bytes"


def sizes(row: Format) -> str:
    if row.unit == 1:
        return "as it is"
    return f"whole {in_words(row.unit)}" + (f", at most {in_words(row.largest)}" if row.largest else "")


@pytest.mark.parametrize("row", FORMATS, ids=lambda row: row.name)
def test_the_page_has_every_format(row: Format) -> None:
    line = f"| `{row.name}` | `{row.suffix}` | {row.summary} | {', '.join(row.takers)} | {sizes(row)} |"
    assert line in PAGE.splitlines()


@pytest.mark.parametrize("row", ARCHIVES, ids=lambda row: row.name)
def test_the_page_has_every_archive(row: Format) -> None:
    line = f"| `{row.name}` | `{row.suffix}` | {row.summary} | {', '.join(row.takers)} |"
    assert line in PAGE.splitlines()


def test_the_page_has_no_other_format() -> None:
    assert sum(line.startswith("| `") for line in PAGE.splitlines()) == len(FORMATS) + len(ARCHIVES)


def test_everything_that_is_listed_can_be_written() -> None:
    assert list(table.WRITERS) == [row.name for row in FORMATS]
    assert list(archives.WRITERS) == [row.name for row in ARCHIVES]
