"""Databases that packages make while they are installed: named, and the image is not called reproducible."""

from pathlib import Path

import pytest
from tests.system.conftest import TINY, Tiny
from tests.system.driver import goldsmith

from goldsmith.builder.chance import ROWS, left_to_chance
from goldsmith.effects.root import Root

FILES = {
    "MariaDB or MySQL": "/var/lib/mysql/ibdata1",
    "PostgreSQL": "/var/lib/postgresql/17/main/global/pg_control",
    "the LDAP server slapd": "/var/lib/ldap/data.mdb",
}


@pytest.mark.parametrize("name", FILES)
def test_a_database_is_named(name: str, tmp_path: Path) -> None:
    with Root(tmp_path) as tree:
        assert left_to_chance(tree) == []
        tree.mkdir(FILES[name].rsplit("/", 1)[0], parents=True)
        assert left_to_chance(tree) == [], "a directory alone is none"
        tree.write(FILES[name], b"")
        (warning,) = left_to_chance(tree)
    assert warning.startswith(
        f"{name} has made its database in the build: no two builds are equal in /var/lib/"
    )


def test_every_row_has_a_case() -> None:
    assert {row.name for row in ROWS} == FILES.keys()


@pytest.mark.image
@pytest.mark.slow
@pytest.mark.parametrize("package", ["mariadb-server", "postgresql", "slapd"])
def test_a_build_with_a_database_says_so_and_it_is_true(package: str, tiny: Tiny, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(f"{TINY.replace('tiny', package)}packages: [{package}]\n")
    tiny.lock(tmp_path)
    line = ["build", "recipe.yaml", "--json", "--no-cache", "--update-lock"]
    one, other = (goldsmith(*line, home=tiny.home, cwd=tmp_path).json for _ in range(2))
    for facts in (one, other):
        assert facts["reproducible"] is False
        assert any("has made its database in the build" in warning for warning in facts["warnings"])
    assert one["tree_digest"] != other["tree_digest"]
