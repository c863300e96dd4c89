"""Patterns of paths."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldsmith.builder.match import find, find_any, translate
from goldsmith.effects.root import Root

FILES = ("a/one.log", "a/two.log", "a/b/three.log", "a/b/c/four.txt", "a.d/x", "top", "a/.hidden", "a/[x]")


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Root]:
    for name in FILES:
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret.log").write_text("x")
    (tmp_path / "tree/away").symlink_to(tmp_path / "outside")
    (tmp_path / "tree/inside").symlink_to("a")
    (tmp_path / "tree/a/loop").symlink_to("../a")
    (tmp_path / "tree/itself").symlink_to("itself")
    with Root(tmp_path / "tree") as root:
        yield root


CASES = {
    "a fixed path": ("/top", ["/top"]),
    "a directory": ("/a/b", ["/a/b"]),
    "a slash at the end": ("/a/b/", ["/a/b"]),
    "nothing there": ("/nothing/at/all", []),
    "a star in a name": ("/a/*.log", ["/a/one.log", "/a/two.log"]),
    "a star is not a slash": ("/a*", ["/a", "/a.d", "/away"]),
    "a question mark": ("/to?", ["/top"]),
    "hidden names too": ("/a/.*", ["/a/.hidden"]),
    "brackets mean themselves": ("/a/[x]", ["/a/[x]"]),
    "a star in the middle": ("/*/b", ["/a/b"]),
    "across": ("/a/**/*.txt", ["/a/b/c/four.txt"]),
    "across no directory at all": ("/a/**/one.log", ["/a/one.log"]),
    "all below": ("/a/b/**", ["/a/b/c", "/a/b/c/four.txt", "/a/b/three.log"]),
    "a link itself": ("/inside", ["/inside"]),
    "a wildcard does not look behind a link": ("/in*/one.log", []),
    "across does not follow links": ("/**/secret.log", []),
    "a link out of the tree leads nowhere": ("/away/*", []),
    "a link to itself leads nowhere": ("/itself/*", []),
}


@pytest.mark.parametrize(("pattern", "expected"), CASES.values(), ids=CASES)
def test_find(tree: Root, pattern: str, expected: list[str]) -> None:
    assert [match.path for match in find(tree, pattern)] == expected


@pytest.mark.parametrize("pattern", [case[0] for case in CASES.values()], ids=CASES)
def test_several_patterns_find_what_each_finds(tree: Root, pattern: str) -> None:
    patterns = (pattern, "/a/**/*.log", "/a/**/*.txt", "/a/**/b")
    assert set(find_any(tree, patterns)) == {match for each in patterns for match in find(tree, each)}


def test_directories_are_told_from_links_to_them(tree: Root) -> None:
    assert [match.is_directory for match in find(tree, "/a")] == [True]
    assert [match.is_directory for match in find(tree, "/inside")] == [False]


@given(st.text("ab.*?[]+\\", max_size=6), st.text("ab.[]+\\", max_size=6))
def test_a_word_is_nothing_but_stars_and_question_marks(word: str, name: str) -> None:
    plain = "".join(
        "[ab.\\[\\]+\\\\]*" if c == "*" else "[ab.\\[\\]+\\\\]" if c == "?" else re.escape(c) for c in word
    )
    assert bool(re.fullmatch(translate(word), name)) == bool(re.fullmatch(plain, name))
