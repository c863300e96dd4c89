"""YAML documents as nodes with places."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsmith.errors import InputError, Place
from goldsmith.recipe.document import MAX_BYTES, load, read_document

SCALARS = [
    ("true is a boolean", "true", True),
    ("False is a boolean", "False", False),
    ("yes is a text", "yes", "yes"),
    ("NO is a text", "NO", "NO"),
    ("off is a text", "off", "off"),
    ("y is a text", "y", "y"),
    ("a tilde is null", "~", None),
    ("null is null", "null", None),
    ("a decimal is a number", "-12", -12),
    ("a plus sign is allowed", "+12", 12),
    ("0o644 is octal", "0o644", 0o644),
    ("0x1F is hexadecimal", "0x1F", 31),
    ("0644 is a text", "0644", "0644"),
    ("0b11 is a text", "0b11", "0b11"),
    ("1_000 is a text", "1_000", "1_000"),
    ("12:30 is a text", "12:30", "12:30"),
    ("190:20:30 is a text", "190:20:30", "190:20:30"),
    ("a date is a text", "2026-01-05", "2026-01-05"),
    ("1.5 is a number", "1.5", 1.5),
    (".5 is a number", ".5", 0.5),
    ("1e3 is a number", "1e3", 1000.0),
    ("infinity is a number", "-.inf", float("-inf")),
    ("a version of three numbers is a text", "1.2.0", "1.2.0"),
    ("a number in quotes is a text", "'12'", "12"),
    ("an empty text in quotes is a text", "''", ""),
    ("a block is a text", "|\n  12\n", "12\n"),
    ("a tagged text is a text", "!!str 12", "12"),
    ("a number nobody writes is a text", "9" * 5000, "9" * 5000),
]


@pytest.mark.parametrize("with_libyaml", [True, False], ids=["libyaml", "PyYAML"])
@pytest.mark.parametrize(("text", "value"), [row[1:] for row in SCALARS], ids=[row[0] for row in SCALARS])
def test_scalars(text: str, value: object, *, with_libyaml: bool) -> None:
    node = load(f"key: {text}\n", "f.yaml", with_libyaml=with_libyaml).get("key")
    assert node is not None
    assert node.value == value
    assert type(node.value) is type(value)


def test_raw_is_what_was_written() -> None:
    node = load("a: 0x1F\nb: '0x1F'\n", "f.yaml")
    first, second = node.get("a"), node.get("b")
    assert first is not None
    assert second is not None
    assert (first.kind, first.raw, first.quoted) == ("int", "0x1F", False)
    assert (second.kind, second.raw, second.quoted) == ("str", "0x1F", True)


def test_places_count_from_one() -> None:
    node = load("# comment\na:\n  - b: ü\n    c: [x, y]\n", "f.yaml")
    listed = node.get("a")
    assert listed is not None
    inner = listed.items[0].get("c")
    assert inner is not None
    assert inner.items[1].place == Place("f.yaml", 4, 12)


def test_plain_gives_pythons_kinds() -> None:
    node = load("a: [1, {b: ~}]\nc: &x {d: true}\ne: *x\n1: one\n", "f.yaml")
    assert node.plain() == {"a": [1, {"b": None}], "c": {"d": True}, "e": {"d": True}, "1": "one"}


def test_get_of_no_map_is_none() -> None:
    assert load("- a\n", "f.yaml").get("a") is None


def test_a_later_anchor_replaces_an_earlier() -> None:
    assert load("a: &x 1\nb: &x 2\nc: *x\n", "f.yaml").plain() == {"a": 1, "b": 2, "c": 2}


def test_one_and_a_quoted_one_are_the_same_key() -> None:
    with pytest.raises(InputError, match="the key '1' stands twice; the first is at line 1, column 1"):
        load("1: a\n'1': b\n", "f.yaml")


def test_aliases_within_the_limit_are_fine() -> None:
    text = "a: &a [1, 2, 3]\n" + "".join(f"k{number}: *a\n" for number in range(1000))
    assert len(load(text, "f.yaml").entries) == 1001


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    path.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(InputError, match="the file is larger than 4 MiB"):
        read_document(path)


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read 'r\.yaml': No such file or directory"):
        read_document(tmp_path / "r.yaml", "r.yaml")


def test_deep_brackets_do_not_exhaust_the_stack() -> None:
    with pytest.raises(InputError, match="more than 100 lists and maps inside each other"):
        load("[" * 1_000_000, "f.yaml")


def outcome(text: str, *, with_libyaml: bool) -> object:
    """The value, or the error."""
    try:
        return load(text, "f.yaml", with_libyaml=with_libyaml).plain()
    except InputError as error:
        return error


@given(st.text(alphabet="ab:-[]{}#&*!|>'\"%@`,? \n\t0129.~\\U", max_size=60), st.booleans())
@settings(deadline=None)
def test_any_text_is_a_value_or_an_input_error(text: str, with_libyaml: bool) -> None:
    result = outcome(text, with_libyaml=with_libyaml)
    assert not isinstance(result, InputError) or (result.where is not None and result.where.file == "f.yaml")


@pytest.mark.parametrize("with_libyaml", [True, False], ids=["libyaml", "PyYAML"])
def test_an_escape_that_names_no_character(*, with_libyaml: bool) -> None:
    result = outcome('a: "\\UFFFFFFFF"\n', with_libyaml=with_libyaml)
    assert isinstance(result, InputError)
    assert "this is not YAML" in result.message


TEXT = st.text(st.characters(max_codepoint=0xD7FF), max_size=8)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | TEXT,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
        max_leaves=12,
    )
)
@settings(deadline=None)
def test_json_is_read_as_json(value: object) -> None:
    assert load(json.dumps({"v": value}), "f.yaml").plain() == {"v": value}
