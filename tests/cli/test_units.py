"""What is printed of texts that others have written."""

import pytest

from goldsmith.cli.units import visible

TEXTS = {
    "plain ä → ok": "plain ä → ok",
    "/usr/\x1b[2Jx": r"/usr/\x1b[2Jx",
    "one\nweb:1.0.0 is whole": r"one\nweb:1.0.0 is whole",
    "\udcff": r"\udcff",
    "\u202egnp.exe": r"\u202egnp.exe",
    "": "",
}


@pytest.mark.parametrize("text", TEXTS)
def test_what_does_not_print_is_written_as_an_escape(text: str) -> None:
    assert visible(text) == TEXTS[text]
