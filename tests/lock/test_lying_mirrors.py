"""Archives that lie, are old, or are not there: nothing is taken from them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from tests.lock.archive import Archive, Signer
from tests.lock.locking import WEB, lock_of, mirror_of, names, recipe_of
from tests.lock.server import Server, serving

from goldsmith.errors import (
    GoldsmithError,
    IntegrityError,
    NetworkError,
    TrustError,
)
from goldsmith.lock.fetch import Origins
from goldsmith.store.home import Home

INDEX = "/dists/trixie/main/binary-amd64/Packages"


@pytest.mark.parametrize(
    ("lies", "kind", "reason"),
    [
        pytest.param(
            {"/dists/trixie/InRelease": ["always 404"]},
            NetworkError,
            "the server has no index there",
            id="no index",
        ),
        pytest.param(
            {"/dists/trixie/InRelease": ["always change"]},
            TrustError,
            "the signature of its index is not valid (keyring KEY)",
            id="an index without its first mark",
        ),
        pytest.param(
            {f"{INDEX}.gz": ["always change"], INDEX: ["always change"]},
            IntegrityError,
            "its index is not what the signature says",
            id="a changed list of packages",
        ),
        pytest.param(
            {f"{INDEX}.gz": ["always cut 10"], INDEX: ["always cut 10"]},
            IntegrityError,
            "its index is not what the signature says",
            id="a list of packages that is too short",
        ),
        pytest.param(
            {f"{INDEX}.gz": ["always 404"], INDEX: ["always 404"]},
            NetworkError,
            "the server does not have it: 404  Not Found",
            id="no list of packages",
        ),
    ],
)
def test_a_lying_mirror_is_refused(
    lies: dict[str, list[str]],
    kind: type[GoldsmithError],
    reason: str,
    archive: Archive,
    server: Server,
    key: Signer,
    home: Home,
) -> None:
    archive.publish_trixie(WEB)
    server.lies.update(lies)
    with pytest.raises(kind) as caught:
        lock_of(recipe_of("web"), server, key, home)
    said = reason.replace("KEY", repr(str(key.public)))
    assert caught.value.message == f"the repository 'base' ({server.address} trixie) cannot be used: {said}"


def test_a_list_that_is_wrong_once_is_read_again(
    archive: Archive, server: Server, key: Signer, home: Home
) -> None:
    archive.publish_trixie(WEB)
    server.lies.update({f"{INDEX}.gz": ["change"], INDEX: ["change"]})
    assert "web" in names(lock_of(recipe_of("web"), server, key, home))


def test_an_index_that_was_changed_after_it_was_signed(
    archive: Archive, server: Server, key: Signer, home: Home
) -> None:
    archive.publish_trixie(WEB)
    path = archive.root / "dists/trixie/InRelease"
    path.write_text(path.read_text().replace("Components: main", "Components: mane"))
    with pytest.raises(TrustError) as caught:
        lock_of(recipe_of("web"), server, key, home)
    assert caught.value.message == (
        f"the repository 'base' ({server.address} trixie) cannot be used: "
        f"the signature of its index is not valid (keyring {str(key.public)!r})"
    )


def test_an_index_signed_by_a_stranger(
    archive: Archive, server: Server, key: Signer, other_key: Signer, home: Home
) -> None:
    archive.signer = other_key
    archive.publish_trixie(WEB)
    with pytest.raises(TrustError) as caught:
        lock_of(recipe_of("web"), server, key, home)
    assert caught.value.message == (
        f"the repository 'base' ({server.address} trixie) cannot be used: "
        f"its index is signed with a key that is not in the keyring {str(key.public)!r}"
    )


@pytest.mark.parametrize(
    ("how", "kind", "reason"),
    [
        pytest.param(
            {"is_signed": False}, TrustError, "it has no signed index", id="an index without signature"
        ),
        pytest.param(
            {"date": datetime(2026, 1, 1, tzinfo=UTC), "valid_for": timedelta(days=7)},
            TrustError,
            "its index has expired",
            id="an expired index",
        ),
        pytest.param(
            {"date": datetime.now(UTC) + timedelta(days=30)},
            TrustError,
            "its index is dated in the future",
            id="an index from the future",
        ),
    ],
)
def test_an_index_that_must_not_be_used(
    how: dict[str, object],
    kind: type[GoldsmithError],
    reason: str,
    archive: Archive,
    server: Server,
    key: Signer,
    home: Home,
) -> None:
    archive.publish_trixie(WEB, **how)
    with pytest.raises(kind, match=reason):
        lock_of(recipe_of("web"), server, key, home)


def test_an_expired_index_is_used_if_the_administrator_says_so(
    archive: Archive, server: Server, key: Signer, home: Home
) -> None:
    archive.publish_trixie(WEB, date=datetime(2026, 1, 1, tzinfo=UTC), valid_for=timedelta(days=7))
    mirror = replace(mirror_of(server, key), check_valid_until=False)
    lock = lock_of(recipe_of("web"), server, key, home, origins=Origins(mirror))
    assert "web" in names(lock)


def test_an_archive_without_sha256(archive: Archive, server: Server, key: Signer, home: Home) -> None:
    archive.publish_trixie(WEB, with_sha256=False)
    with pytest.raises(IntegrityError, match=r"the index has no SHA-256 for a package: "):
        lock_of(recipe_of("web"), server, key, home)


def test_nobody_listens(archive: Archive, key: Signer, home: Home) -> None:
    with serving(archive.root) as gone:
        pass
    with pytest.raises(NetworkError) as caught:
        lock_of(recipe_of("web"), gone, key, home)
    start = f"the repository 'base' ({gone.address} trixie) cannot be used: it cannot be read: "
    words = caught.value.message.removeprefix(start)
    # apt 2 and apt 3 say it in different words.
    assert words.startswith(("Could not connect to 127.0.0.1:", "Unable to connect to 127.0.0.1:"))
