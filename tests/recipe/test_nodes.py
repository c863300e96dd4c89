"""Merging, finding and changing nodes, and which paths a recipe may write."""

import posixpath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsmith.errors import Place
from goldsmith.recipe.document import Node, load
from goldsmith.recipe.nodes import ITEM, change, find, find_all, merge, place_of, without
from goldsmith.recipe.paths import RESERVED, reserved, wrong_path
from goldsmith.recipe.problems import nearest, suggestion


def doc(text: str) -> Node:
    return load(text, "f")


MERGES = [
    ("the second scalar wins", "a: 1", "a: 2", {"a": 2}),
    ("keys of both are kept, the first's first", "a: 1\nb: 2", "c: 3", {"a": 1, "b": 2, "c": 3}),
    ("maps are merged all the way", "a: {b: {c: 1, d: 1}}", "a: {b: {d: 2}}", {"a": {"b": {"c": 1, "d": 2}}}),
    ("lists are joined", "a: [1]", "a: [2]", {"a": [1, 2]}),
    (
        "a scalar of both lists stands where the second has it",
        "a: [x, y]",
        "a: [z, x]",
        {"a": ["y", "z", "x"]},
    ),
    ("a number and a text are two", "a: [1]", "a: ['1']", {"a": [1, "1"]}),
    ("maps in lists are joined, not merged", "a: [{b: 1}]", "a: [{b: 1}]", {"a": [{"b": 1}, {"b": 1}]}),
    ("of two kinds the second wins", "a: [1]", "a: {b: 1}", {"a": {"b": 1}}),
    ("nothing written wins too", "a: 1", "a: ~", {"a": None}),
]


@pytest.mark.parametrize(
    ("under", "over", "result"), [row[1:] for row in MERGES], ids=[row[0] for row in MERGES]
)
def test_merge(under: str, over: str, result: object) -> None:
    assert merge(doc(under), doc(over)).plain() == result


def test_find_and_place() -> None:
    root = doc("a:\n  - b: 1\n  - b: 2\n")
    found = find(root, "a", 1, "b")
    assert found is not None
    assert found.value == 2
    assert find(root, "a", 7, "b") is None
    assert [node.value for node in find_all(root, ("a", ITEM, "b"))] == [1, 2]
    assert place_of(root, "a", 1, "zzz") == Place("f", 3, 5)
    assert place_of(root, "zzz") == Place("f", 1, 1)


def test_change_reaches_every_item_and_nothing_else() -> None:
    root = doc("a: [{b: x}, {c: x}]\nb: x\n")
    changed = change(root, ("a", ITEM, "b"), lambda node: Node("str", node.place, "y", "y"))
    assert changed.plain() == {"a": [{"b": "y"}, {"c": "x"}], "b": "x"}
    assert without(changed, "a").plain() == {"b": "x"}


@given(
    st.lists(
        st.sampled_from(["", ".", "..", "a", "etc", "proc", "run", "shadow", "boot", "grub"]), max_size=6
    )
)
@settings(deadline=None)
def test_a_path_that_passes_is_clean_and_free(parts: list[str]) -> None:
    path = "/" + "/".join(parts)
    if wrong_path(path, is_directory=False) is None and reserved(path) is None:
        assert posixpath.normpath(path) == path != "/"
        assert not any(path == row.path or path.startswith(row.path + "/") for row in RESERVED)


@pytest.mark.parametrize("row", RESERVED, ids=lambda row: row.path)
def test_a_reserved_path_takes_what_is_below_but_not_beside(row: object) -> None:
    path = getattr(row, "path", "")
    assert path
    assert reserved(path)
    assert reserved(path + "/")
    assert reserved(path + "/below")
    assert reserved(path + "-beside") is None


NEAREST = [
    ("pakages", "packages"),
    ("Packages", "packages"),
    ("copy-from", "copy_from"),
    ("qqq", None),
]


@pytest.mark.parametrize(("word", "near"), NEAREST, ids=[row[0] for row in NEAREST])
def test_nearest(word: str, near: str | None) -> None:
    assert nearest(word, ["packages", "copy_from", "disk"]) == near


def test_a_suggestion_without_any_word_near() -> None:
    assert suggestion("qqq", ["a", "b"], "keys") == "the keys here are: a, b"
    assert suggestion("qqq", [], "keys") == "there are no keys here"
