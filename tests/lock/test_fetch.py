import hashlib
from dataclasses import dataclass, replace

import pytest
from tests.lock.server import Server

from goldsmith.errors import IntegrityError, NetworkError, Unavailable
from goldsmith.lock.fetch import Origins, fetch, fetch_downloads, package_path
from goldsmith.lock.mirror import Mirror
from goldsmith.model.component import Download
from goldsmith.model.lock import LockedDownload, LockedPackage
from goldsmith.store.home import Home


@dataclass(frozen=True)
class Stock:
    """Packages that a server has."""

    server: Server
    packages: tuple[LockedPackage, ...]

    @property
    def origins(self) -> Origins:
        return Origins(Mirror(self.server.address, ""))


@pytest.fixture
def stock(server: Server) -> Stock:
    packages = []
    for name in ("one", "two", "three+x"):
        data = name.encode() * 1000
        path = f"pool/{name}_1%3a2~3.deb"
        (server.root / "pool").mkdir(exist_ok=True)
        (server.root / path).write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        packages.append(LockedPackage(name, "1:2~3", "all", "base", path, len(data), digest))
    return Stock(server, tuple(packages))


def test_packages_are_brought_once(stock: Stock, home: Home) -> None:
    told: list[tuple[int, int]] = []
    files = fetch(stock.packages, stock.origins, home=home, progress=lambda *now: told.append(now))
    assert files == {package.sha256: package_path(home, package.sha256) for package in stock.packages}
    assert {path.stat().st_size for path in files.values()} == {package.size for package in stock.packages}
    assert told[-1] == (sum(package.size for package in stock.packages),) * 2
    assert fetch(stock.packages, stock.origins, home=home) == files
    assert len(stock.server.asked) == 3


def test_offline_what_is_there_needs_no_mirror(stock: Stock, home: Home) -> None:
    fetch(stock.packages, stock.origins, home=home)
    assert len(fetch(stock.packages, Origins(None), home=home, offline=True)) == 3


def test_offline_what_is_missing_is_listed(stock: Stock, home: Home) -> None:
    fetch(stock.packages[:1], stock.origins, home=home)
    with pytest.raises(Unavailable) as caught:
        fetch(stock.packages, stock.origins, home=home, offline=True)
    assert caught.value.message in {
        "--offline, and not in the store: two 1:2~3, three+x 1:2~3",
        "--offline, and not in the store: three+x 1:2~3, two 1:2~3",
    }
    assert caught.value.hint == "run once without --offline"


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda data: data[:-1], id="a file that is too short"),
        pytest.param(lambda data: b"x" + data[1:], id="a file of the right size with another byte"),
        pytest.param(lambda data: bytes(len(data)), id="a file of zeros, as a crash leaves it"),
    ],
)
def test_a_damaged_file_is_brought_again(damage: object, stock: Stock, home: Home) -> None:
    assert callable(damage)
    files = fetch(stock.packages, stock.origins, home=home)
    path = files[stock.packages[0].sha256]
    data = path.read_bytes()
    path.write_bytes(damage(data))
    fetch(stock.packages, stock.origins, home=home)
    assert path.read_bytes() == data
    assert len(stock.server.asked) == 4


def test_a_version_that_left_the_mirror(stock: Stock, home: Home) -> None:
    (stock.server.root / stock.packages[1].path).unlink()
    with pytest.raises(NetworkError) as caught:
        fetch(stock.packages, stock.origins, home=home)
    assert caught.value.message == (
        f"the mirror does not have two 1:2~3 (any more): '{stock.server.address}/pool/two_1%253a2~3.deb'"
    )
    assert caught.value.hint == (
        "renew the lock (goldsmith lock), or use a mirror of snapshots that still has it"
    )


def test_a_mirror_with_other_bytes_under_the_same_name(stock: Stock, home: Home) -> None:
    (stock.server.root / stock.packages[1].path).write_bytes(b"X" * stock.packages[1].size)
    with pytest.raises(
        NetworkError, match=rf"its sha256 is [0-9a-f]{{64}}, and not {stock.packages[1].sha256}"
    ):
        fetch([stock.packages[1]], stock.origins, home=home)
    assert not package_path(home, stock.packages[1].sha256).exists()


def test_no_mirror_and_something_missing(stock: Stock, home: Home) -> None:
    with pytest.raises(Unavailable) as caught:
        fetch(stock.packages, Origins(None), home=home)
    assert caught.value.message == "no package mirror for this lock's distribution is configured"
    assert "GOLDSMITH_MIRROR=URI" in caught.value.hint


def test_a_repository_that_the_recipe_does_not_have(stock: Stock, home: Home) -> None:
    with pytest.raises(IntegrityError, match="packages of a repository 'mine' that the recipe does not have"):
        fetch([replace(stock.packages[0], repository="mine")], stock.origins, home=home)


DATA = b"a program\n"
MIRROR = Mirror("http://mirror.invalid", "")


def download_of(server: Server, algorithm: str = "sha256") -> Download:
    (server.root / "tool.tar").write_bytes(DATA)
    return Download(f"{server.address}/tool.tar", hashlib.new(algorithm, DATA).hexdigest(), algorithm)


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256", "sha512"])
def test_a_download_is_fetched_once_by_any_checksum(algorithm: str, server: Server, home: Home) -> None:
    file = download_of(server, algorithm)
    entries = fetch_downloads([file, file], (), MIRROR, home=home)
    sha256 = hashlib.sha256(DATA).hexdigest()
    assert entries == (LockedDownload(file.url, len(DATA), sha256),)
    assert package_path(home, sha256).read_bytes() == DATA
    assert fetch_downloads([file], entries, MIRROR, home=home, offline=True) == entries
    assert len(server.asked) == 1
    assert [path.name for path in (home / "packages").rglob("*") if path.is_file()] == [sha256]


def test_a_download_with_another_checksum_is_refused(server: Server, home: Home) -> None:
    file = replace(download_of(server), checksum="0" * 64)
    with pytest.raises(
        NetworkError, match=f"its sha256 is {hashlib.sha256(DATA).hexdigest()}, and not {'0' * 64}"
    ):
        fetch_downloads([file], (), MIRROR, home=home)


def test_a_new_checksum_for_a_known_address_is_fetched_again(server: Server, home: Home) -> None:
    entries = fetch_downloads([download_of(server)], (), MIRROR, home=home)
    (server.root / "tool.tar").write_bytes(b"newer\n")
    newer = Download(entries[0].url, hashlib.sha256(b"newer\n").hexdigest(), "sha256")
    assert fetch_downloads([newer], entries, MIRROR, home=home)[0].size == 6


def test_offline_a_download_that_is_missing_is_listed(server: Server, home: Home) -> None:
    file = replace(download_of(server), url="http://user:secret@127.0.0.1:1/tool.tar")
    with pytest.raises(Unavailable) as caught:
        fetch_downloads([file], (), MIRROR, home=home, offline=True)
    assert caught.value.message == "--offline, and not in the store: http://127.0.0.1:1/tool.tar"
