"""What the tests of remotes share: Debian's own registry, small images with disks, and stores to pull into."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.store.remote.images import Maker
from tests.store.remote.pairs import NEW, OLD, Pair
from tests.store.remote.registries import Registry, registry
from tests.store.remote.twisted import twisted

from goldsmith.effects.client import Client
from goldsmith.effects.net import Limits
from goldsmith.store.home import Home
from goldsmith.store.remote.address import parse
from goldsmith.store.remote.transfer import Moved, Ways, transfer

QUICK = Limits(tries=2, backoff=0.01, connect=2, silence=2, slow=10_000, patience=0.5)
"""For servers that mean no good."""


@pytest.fixture(scope="session")
def shared_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """One registry for all tests that do not change how it works; each test has repositories of its own."""
    with registry(tmp_path_factory.mktemp("registry")) as started:
        yield started


@pytest.fixture
def place(shared_registry: Registry, request: pytest.FixtureRequest) -> str:
    """An empty place in the registry."""
    number = abs(hash(request.node.nodeid))
    return f"{shared_registry.host}/t{number}"


@pytest.fixture
def maker(tmp_path: Path) -> Maker:
    """Makes images in the home ``tmp_path/here``."""
    return Maker(Home(tmp_path / "here"), tmp_path)


@pytest.fixture
def there(tmp_path: Path) -> Home:
    """Another home, empty."""
    return Home(tmp_path / "there")


Move = Callable[..., Moved]


def mover(limits: Limits) -> Move:
    """``move(home, source, target, **ways)``: one transfer, as a process of its own would do it."""

    def move(home: Home, source: str, target: str, **options: object) -> Moved:
        ways = Ways(home, Client(limits=limits), **options)  # type: ignore[arg-type] # as the test says
        return transfer(ways, parse(source), parse(target))

    return move


@pytest.fixture
def move() -> Move:
    """With patience: this machine may be busy."""
    return mover(Limits(backoff=0.1))


@pytest.fixture
def pair(maker: Maker, there: Home, move: Move) -> Pair:
    maker.make("web", "1.0.0", OLD)
    maker.make("web", "2.0.0", NEW)
    with twisted(maker.layout) as server:
        move(there, f"{server.address}/web:1.0.0", "web:1.0.0")
    return Pair(maker, there, move)
