"""``goldsmith explain`` after a change: which steps would run, and because of what."""

from pathlib import Path

import pytest
from tests.system.conftest import TINY, Tiny
from tests.system.driver import goldsmith

pytestmark = pytest.mark.image
ASKED = (
    "variables: {motto: stay}\nlabels: {team: one}\ndisk: {headroom: 100 MiB}\n"
    "customizations:\n  hostname: one\n  user: [{name: ops, password: first-5a1}]\n"
    "  files: [{path: /etc/motd, source: motd}, {path: /etc/motto, data: '${motto}'}]\n"
)
UPWARDS = {"finish", "disk"}


def explained(tiny: Tiny, directory: Path, *words: str) -> dict[str, list[str]]:
    """The steps that would run, with their reasons."""
    said = goldsmith("explain", "recipe.yaml", "--json", *words, home=tiny.home, cwd=directory)
    return {row["name"]: row["reasons"] for row in said.json["steps"] if row["runs"]}


@pytest.fixture(scope="module")
def built(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("explained")
    tiny.lock(directory)
    (directory / "recipe.yaml").write_text(TINY.replace("name: tiny", "name: explained") + ASKED)
    (directory / "motd").write_text("welcome\n")
    # The data directory outlives a run: what an earlier one has built would not run again.
    for image in goldsmith("list", "explained", "--json", home=tiny.home, cwd=directory).json["images"]:
        assert goldsmith("delete", image["ref"], home=tiny.home, cwd=directory).code == 0
    assert goldsmith("build", "recipe.yaml", home=tiny.home, cwd=directory).code == 0
    return directory


@pytest.mark.parametrize(
    ("old", "new", "first", "reason", "others"),
    [
        pytest.param("team: one", "team: two", "disk", "labels team: one is now two", set(), id="a label"),
        pytest.param(
            "100 MiB",
            "101 MiB",
            "disk",
            "disk headroom: 104857600 is now 105906176",
            set(),
            id="the disk's room",
        ),
        pytest.param(
            "stay",
            "go",
            "customize",
            "customizations files /etc/motto data: stay is now go",
            UPWARDS,
            id="a variable",
        ),
        pytest.param(
            "hostname: one",
            "hostname: two",
            "customize",
            "customizations hostname: one is now two",
            UPWARDS,
            id="a name",
        ),
        pytest.param(
            "first-5a1",
            "second",
            "accounts",
            "a password changed",
            {"customize", *UPWARDS},
            id="a password, not shown",
        ),
    ],
)
def test_a_change_is_named(
    old: str, new: str, first: str, reason: str, others: set[str], tiny: Tiny, built: Path
) -> None:
    recipe = built / "recipe.yaml"
    before = recipe.read_text()
    assert explained(tiny, built) == {}
    try:
        recipe.write_text(before.replace(old, new))
        found = explained(tiny, built)
    finally:
        recipe.write_text(before)
    assert found[first] == [reason]
    assert set(found) == {first, *others}


@pytest.mark.usefixtures("built")
def test_a_password_is_not_kept_beside_the_store(tiny: Tiny) -> None:
    kept = b"".join(path.read_bytes() for path in (tiny.home / "builds").glob("recipe-*.json"))
    assert b"/etc/motto" in kept
    assert b"first-5a1" not in kept


def test_the_last_build_counts_also_where_nothing_was_done(tiny: Tiny, built: Path) -> None:
    """There, and back to what is in the store; then the next change is told from there."""
    recipe = built / "recipe.yaml"
    before = recipe.read_text()
    try:
        recipe.write_text(before.replace("team: one", "team: two"))
        assert goldsmith("build", "recipe.yaml", home=tiny.home, cwd=built).code == 0
        recipe.write_text(before)
        assert goldsmith("build", "recipe.yaml", home=tiny.home, cwd=built).code == 0
        recipe.write_text(before.replace("team: one", "team: three"))
        assert explained(tiny, built) == {"disk": ["labels team: one is now three"]}
    finally:
        recipe.write_text(before)
