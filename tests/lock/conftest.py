from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.lock.archive import Archive, Signer, signer
from tests.lock.server import Server, serving

from goldsmith.store.home import Home


@pytest.fixture(scope="session")
def key() -> Iterator[Signer]:
    with signer("archive") as made:
        yield made


@pytest.fixture(scope="session")
def other_key() -> Iterator[Signer]:
    with signer("stranger") as made:
        yield made


@pytest.fixture(scope="session")
def debs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("debs")


@pytest.fixture
def archive(tmp_path: Path, key: Signer, debs: Path) -> Archive:
    (tmp_path / "archive").mkdir(exist_ok=True)
    return Archive(tmp_path / "archive", key, debs)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "archive").mkdir(exist_ok=True)
    with serving(tmp_path / "archive") as made:
        yield made


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")
