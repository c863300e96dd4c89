"""A lock that is made again: from the lists of before, or with as little change as can be."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from tests.lock.archive import Archive, Signer, deb
from tests.lock.locking import WEB, lock_of, mirror_of, names, recipe_of
from tests.lock.server import Server

from goldsmith.errors import (
    Unavailable,
)
from goldsmith.lock.fetch import Origins, fetch
from goldsmith.store.home import Home


def test_offline_the_lists_of_before_are_enough(
    archive: Archive, server: Server, key: Signer, home: Home
) -> None:
    archive.publish_trixie(WEB)
    recipe = recipe_of("web")
    with pytest.raises(Unavailable, match="the package lists are not in the cache"):
        lock_of(recipe, server, key, home, offline=True)
    first = lock_of(recipe, server, key, home)
    asked = len(server.asked)
    assert lock_of(recipe, server, key, home, offline=True) == first
    assert len(server.asked) == asked


def test_a_minimal_renewal_only_adds(archive: Archive, server: Server, key: Signer, home: Home) -> None:
    archive.publish_trixie(WEB)
    old = lock_of(recipe_of("web"), server, key, home)
    archive.publish_trixie(
        [*WEB, deb("web", "1.1", Depends="web-data"), deb("jq", Depends="libjq"), deb("libjq")]
    )
    new = lock_of(recipe_of("web", "jq"), server, key, home, previous=old, minimal=True)
    assert set(old.packages) < set(new.packages)
    assert names(new, 3) == {"jq", "libjq"}
    assert new.epoch == old.epoch
    fresh = lock_of(recipe_of("web", "jq"), server, key, home, previous=old)
    assert {package.version for package in fresh.packages if package.name == "web"} == {"1.1"}
    assert names(fresh, 3) == set()


def test_a_minimal_renewal_drops_what_nobody_wants_any_more(
    archive: Archive, server: Server, key: Signer, home: Home
) -> None:
    archive.publish_trixie([*WEB, deb("jq", Depends="libjq"), deb("libjq")])
    old = lock_of(recipe_of("web", "jq"), server, key, home)
    new = lock_of(recipe_of("web"), server, key, home, previous=old, minimal=True)
    assert names(old) - names(new) == {"jq", "libjq"}


def test_a_minimal_renewal_chooses_anew_where_versions_must_move(
    archive: Archive, server: Server, key: Signer, home: Home
) -> None:
    archive.publish_trixie(WEB)
    old = lock_of(recipe_of("web"), server, key, home)
    archive.publish_trixie([*WEB, deb("libweb", "2.0"), deb("next", Depends="libweb (>= 2)")])
    new = lock_of(recipe_of("web", "next"), server, key, home, previous=old, minimal=True)
    assert {package.version for package in new.packages if package.name == "libweb"} == {"2.0"}


def test_versions_that_left_the_mirror_are_kept_if_the_store_has_them(
    archive: Archive, server: Server, key: Signer, home: Home
) -> None:
    archive.publish_trixie(WEB)
    old = lock_of(recipe_of("web"), server, key, home)
    fetch(old.packages, Origins(mirror_of(server, key)), home=home)
    newer = [replace(package, version="1.5") for package in WEB]
    archive.publish_trixie([*newer, deb("jq")])
    new = lock_of(recipe_of("web", "jq"), server, key, home, previous=old, minimal=True)
    assert set(old.packages) < set(new.packages)


def test_a_lock_that_is_renewed_to_no_effect_stays(
    archive: Archive, server: Server, key: Signer, home: Home
) -> None:
    archive.publish_trixie(WEB, date=datetime(2026, 1, 2, tzinfo=UTC))
    old = lock_of(recipe_of("web"), server, key, home)
    archive.publish_trixie([*WEB, deb("unrelated")], date=datetime(2026, 1, 3, tzinfo=UTC))
    assert lock_of(recipe_of("web"), server, key, home) != old
    assert lock_of(recipe_of("web"), server, key, home, previous=old) == old
