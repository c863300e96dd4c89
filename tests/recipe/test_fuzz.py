"""Whatever the text, reading it gives a recipe or an error that a person can use."""

import json
import shutil
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from goldsmith.errors import InputError
from goldsmith.model.recipe import Preamble, Recipe
from goldsmith.recipe.keys import keys_of
from goldsmith.recipe.read import read_recipe

CORPUS = Path(__file__).parent.parent / "corpus" / "recipes"
GOOD = (CORPUS / "good-everything" / "recipe.yaml").read_text()
LINES = GOOD.splitlines()
PIECES = st.sampled_from(
    ["- ", ": ", "\t", "{", "}", "[", "]", "&a ", "*a", "${", "}", "'", '"', "|\n", "\n", "  ", "no", "~", "0", "\0", "é", "../", "/"]
)  # fmt: skip
TOP = st.sampled_from([key.name for cls in (Recipe, Preamble) for key in keys_of(cls)])
KEYS = TOP | st.sampled_from(["user", "files", "path", "name", "size", "root", "source", "ports", "sshd"])
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(max_codepoint=0xD7FF), max_size=12)
    | st.sampled_from(
        ["debian:trixie", "web", "1.0.0", "/etc/motd", "0644", "10 GiB", "${a}", "a/../b", "\0", "."]
    )
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=15,
)


# The machine may be busy; what is tested is that reading ends well, not how fast.
QUIET = settings(deadline=None)


def outcome(text: str | bytes, *, has_files: bool = False) -> Recipe | InputError:
    """What reading the text gives; anything but these two is a failure."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "recipe.yaml"
        if has_files:
            shutil.copytree(CORPUS / "good-everything", directory, dirs_exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode(errors="surrogatepass"))
        try:
            return read_recipe(path)
        except InputError as error:
            return error


def check(result: Recipe | InputError) -> None:
    if isinstance(result, InputError):
        assert result.where is not None
        assert result.message
        assert result.hint


@given(st.binary(max_size=80) | st.text(max_size=80))
@QUIET
def test_random_text(text: str | bytes) -> None:
    check(outcome(text))


@given(st.lists(st.tuples(st.integers(0, len(GOOD)), st.integers(0, 12), PIECES), min_size=1, max_size=4))
@QUIET
def test_a_good_recipe_with_pieces_put_in_and_taken_out(edits: list[tuple[int, int, str]]) -> None:
    text = GOOD
    for at, removed, piece in edits:
        text = text[:at] + piece + text[at + removed :]
    check(outcome(text, has_files=True))


@given(
    st.lists(
        st.tuples(st.integers(0, len(LINES) - 1), st.integers(0, len(LINES) - 1)), min_size=1, max_size=5
    )
)
@QUIET
def test_a_good_recipe_with_lines_moved(moves: list[tuple[int, int]]) -> None:
    lines = list(LINES)
    for source, target in moves:
        lines.insert(target, lines[source])
        del lines[source]
    check(outcome("\n".join(lines), has_files=True))


@given(st.dictionaries(KEYS, VALUES, max_size=6))
@settings(QUIET, max_examples=300)
def test_any_values_under_known_keys(value: dict[str, object]) -> None:
    check(outcome(json.dumps({"name": "web", "version": "1.0.0", "from": "debian:trixie"} | value)))


def test_the_canary_good_recipe_is_a_recipe() -> None:
    assert isinstance(read_recipe(CORPUS / "good-everything" / "recipe.yaml"), Recipe)
