"""Chunks: nothing at a seam is lost or counted twice, and excerpts give nothing away."""

import re
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsmith.assay.leaks.chunks import OVERLAP, Chunk, secrets
from goldsmith.assay.leaks.detector import Secret
from goldsmith.assay.leaks.masking import masked, masked_line
from goldsmith.model.leak import Where


def find(data: bytes) -> list[Secret]:
    """A detector that knows one kind: SECRET with digits."""
    return [
        Secret("test", hit.start(), hit.end(), hit.group().decode())
        for hit in re.finditer(rb"SECRET\d+", data)
    ]


def cut(data: bytes, cuts: Sequence[int]) -> list[Chunk]:
    places = [0, *sorted(set(cuts)), len(data)]
    return [Chunk(Where.FILE, "/f", start, data[start:end]) for start, end in pairwise(places) if start < end]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 300), st.integers(1, 10**6)), max_size=6),
    st.lists(st.integers(1, 2000), max_size=6),
)
def test_cutting_a_file_up_changes_nothing(parts: list[tuple[int, int]], cuts: list[int]) -> None:
    data = b"".join(b"." * gap + f"SECRET{number};".encode() for gap, number in parts) + b"....."
    whole = {hit.start() for hit in re.finditer(rb"SECRET\d+", data)}
    inside = [place for place in cuts if place < len(data)]
    assert {leak.offset for leak in secrets(cut(data, inside), find, jobs=2)} == whole
    assert len(list(secrets(cut(data, inside), find, jobs=1))) == len(whole)


def test_a_secret_as_long_as_the_overlap_is_found_across_a_seam() -> None:
    text = b"SECRET" + b"7" * (OVERLAP - 100)
    for place in (1, 6, 100, len(text) - 1):
        chunks = cut(b"." * 50 + text + b"." * 50, [50 + place])
        found = list(secrets(chunks, find, jobs=1))
        assert [leak.offset for leak in found] == [50]


def test_chunks_of_different_files_and_places_are_not_joined() -> None:
    halves = [
        [Chunk(Where.FILE, "/a", 0, b"SEC"), Chunk(Where.FILE, "/b", 3, b"RET1")],
        [Chunk(Where.FILE, "/a", 0, b"SEC"), Chunk(Where.FILE, "/a", 4, b"RET1")],
        [Chunk(Where.FREE_BLOCK, "", 0, b"SEC"), Chunk(Where.JOURNAL, "", 3, b"RET1")],
        [Chunk(Where.FILE, "/a", 0, b"SEC"), Chunk(Where.FILE, "/a", 3, b"RET1", "partition 1")],
    ]
    for chunks in halves:
        assert list(secrets(chunks, find, jobs=1)) == []


MASKED = {
    "short ones show nothing": ("abcde", "*****"),
    "a sixth is shown": ("abcdefghijkl", "ab**********"),
    "never more than four": ("x" * 200, "xxxx" + "*" * 56),
    "keys show their kind": (
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE",
        "-----BEGIN RSA PRIVATE KEY----- …(36 characters)",
    ),
    "what cannot be printed is a point": ("\x1b[31mabcdefghijkl", ".[3***************"[:2] + "*" * 15),
    "nothing": ("", ""),
}


@pytest.mark.parametrize(("text", "expected"), MASKED.values(), ids=MASKED)
def test_excerpts_are_masked(text: str, expected: str) -> None:
    assert masked(text) == expected


LINES = {
    "the first line that says something": (b"\n\n\0abcdefghijkl\nsecond", "ab**********"),
    "a binary file": (b"\x1f\x8b\x08\x00\xff\xfe\xfd", "1f8b… (not a text)"),
    "an empty file": (b"", ""),
}


@pytest.mark.parametrize(("data", "expected"), LINES.values(), ids=LINES)
def test_lines_are_masked(data: bytes, expected: str) -> None:
    assert masked_line(data) == expected
