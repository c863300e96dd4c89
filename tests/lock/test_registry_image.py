"""Images that recipes name by a registry's address, from Debian's own registry."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.adopt.archives import ROOT, Member, oci_archive, tar
from tests.store.remote.registries import Registry, registry

from goldsmith.disk.adopt.keep import adopt
from goldsmith.effects.client import Client
from goldsmith.effects.process import run
from goldsmith.errors import UsageError
from goldsmith.lock.image import ground
from goldsmith.lock.inputs import based_on
from goldsmith.recipe.read import read_recipe
from goldsmith.store.home import Home
from goldsmith.store.remote.address import parse
from goldsmith.store.remote.transfer import Ways, transfer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry on the loopback."""
    with registry(tmp_path_factory.mktemp("registry")) as started:
        yield started


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An empty data directory."""
    return Home(tmp_path / "home")


def pushed(server: Registry, room: Path, name: str, *more: Member) -> str:
    """A container image in the registry; its address as a recipe has it."""
    archive = oci_archive(room / "image.tar", [gzip.compress(tar([*ROOT, *more]))], kind="tar+gzip")
    run(
        [
            "skopeo",
            "copy",
            "--dest-tls-verify=false",
            f"oci-archive:{archive}",
            f"docker://{server.host}/{name}",
        ]
    )
    return f"oci:{server.host}/{name}"


def recipe_of(room: Path, base: str) -> Path:
    """A recipe in a file."""
    path = room / "recipe.yaml"
    path.write_text(f"name: web\nversion: 1.0.0\nfrom: {base}\n")
    return path


def test_a_container_image_is_pulled_once_and_adopted(server: Registry, home: Home, tmp_path: Path) -> None:
    recipe = read_recipe(recipe_of(tmp_path, pushed(server, tmp_path, "team/base:13")))
    told: list[str] = []
    found = ground(recipe, home=home, report=told.append)
    assert found.base.reference == "base:0.0.0-b1"
    assert (found.base.distribution, found.base.suite) == ("debian", "trixie")
    assert told
    told.clear()
    assert ground(recipe, home=home, report=told.append) == found
    assert told == []


def test_a_tag_that_moves_counts_when_the_lock_is_renewed(
    server: Registry, home: Home, tmp_path: Path
) -> None:
    address = pushed(server, tmp_path, "moving:1")
    recipe = read_recipe(recipe_of(tmp_path, address))
    first = ground(recipe, home=home)
    pushed(server, tmp_path, "moving:1", ("etc/more", b"", {}))
    assert ground(recipe, home=home, locked=based_on(first.base)) == first
    assert ground(recipe, home=home).base.reference == "moving:0.0.0-b2"


def test_an_image_that_is_not_there_is_an_error_of_the_recipe(
    server: Registry, home: Home, tmp_path: Path
) -> None:
    recipe = read_recipe(recipe_of(tmp_path, f"oci:{server.host}/nobody:1"))
    with pytest.raises(UsageError, match="nobody"):
        ground(recipe, home=home)


def test_an_image_of_our_own_keeps_its_name_and_digest(server: Registry, home: Home, tmp_path: Path) -> None:
    source = Home(tmp_path / "other")
    (tmp_path / "root.tar").write_bytes(tar(ROOT))
    image = adopt(tmp_path / "root.tar", name="vendor", version="1.2.0", home=source).image
    transfer(Ways(source, Client()), parse("vendor:1.2.0"), parse(f"{server.host}/team/vendor:1.2.0"))
    found = ground(read_recipe(recipe_of(tmp_path, f"oci:{server.host}/team/vendor:1.2.0")), home=home)
    assert (found.base.reference, found.base.digest) == ("vendor:1.2.0-b1", image.digest)
