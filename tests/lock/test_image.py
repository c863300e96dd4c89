"""What a recipe may start from: how it is written, and which images no recipe can stand on."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.adopt.archives import ROOT, Member, tar

from goldsmith.disk.adopt.keep import adopt
from goldsmith.errors import InputError, UsageError
from goldsmith.lock.file import lock_text, parse_lock
from goldsmith.lock.image import ground, installed_in, name_of
from goldsmith.lock.inputs import inputs_digest
from goldsmith.lock.resolve import refuse_forbidden
from goldsmith.model.lock import Lock
from goldsmith.recipe.read import read_recipe
from goldsmith.store.home import Home

HEAD = "name: web\nversion: 1.0.0\n"


def recipe_file(room: Path, text: str) -> Path:
    """A recipe in a file."""
    path = room / "recipe.yaml"
    path.write_text(HEAD + text)
    return path


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An empty data directory."""
    return Home(tmp_path / "home")


def vendor(room: Path, home: Home, *more: Member, without: str = "", version: str = "1.0.0") -> None:
    """An image ``vendor:1.0.0`` in the store."""
    path = room / "vendor.tar"
    path.write_bytes(tar([*(member for member in ROOT if member[0] != without), *more]))
    adopt(path, name="vendor", version=version, home=home)


WRITTEN = {
    "debian:trixie": "",
    "vendor:1.0.0": "vendor:1.0.0",
    "vendor:1.0.0-b3": "vendor:1.0.0-b3",
    "vendor@sha256:0123456789abcdef": "vendor@sha256:0123456789abcdef",
    "./vendor.qcow2": "./vendor.qcow2",
    "../images/vendor.qcow2": "../images/vendor.qcow2",
    "/srv/vendor.qcow2": "/srv/vendor.qcow2",
    "oci:localhost:5000/team/debian:13": "oci:localhost:5000/team/debian:13",
    "docker://localhost/debian:13": "docker://localhost/debian:13",
}


@pytest.mark.parametrize("text", WRITTEN)
def test_an_image_is_told_from_a_distribution(text: str, tmp_path: Path) -> None:
    recipe = read_recipe(recipe_file(tmp_path, f"from: {text}\n"))
    assert recipe.base.image == WRITTEN[text]
    assert str(recipe.base) == text


@pytest.mark.parametrize("text", ["vendor", "vendor:1.0", "vendor:latest", "vendor.qcow2", "vendor:1.0.0-b0"])
def test_what_is_neither_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        read_recipe(recipe_file(tmp_path, f"from: {text}\n"))


def test_an_image_of_the_store_is_found_and_recognised(home: Home, tmp_path: Path) -> None:
    vendor(tmp_path, home)
    recipe = ground(read_recipe(recipe_file(tmp_path, "from: vendor:1.0.0\n")), home=home)
    assert (recipe.base.distribution, recipe.base.suite) == ("debian", "trixie")
    assert recipe.base.reference == "vendor:1.0.0-b1"
    assert recipe.base.epoch == 1_700_000_000
    there = installed_in(home, recipe.base)
    assert there.versions == {"dpkg": "1.22"}


def test_a_file_is_imported_once(home: Home, tmp_path: Path) -> None:
    (tmp_path / "Vendor Image.tar").write_bytes(tar(ROOT))
    recipe = read_recipe(recipe_file(tmp_path, "from: ./Vendor Image.tar\n"))
    told: list[str] = []
    first = ground(recipe, home=home, report=told.append)
    assert first.base.reference == "vendor-image:0.0.0-b1"
    assert told
    told.clear()
    assert ground(recipe, home=home, report=told.append) == first
    assert told == []
    (tmp_path / "Vendor Image.tar").write_bytes(tar([*ROOT, ("etc/more", b"", {})]))
    assert ground(recipe, home=home).base.reference == "vendor-image:0.0.0-b2"


def test_another_image_makes_the_lock_stale(home: Home, tmp_path: Path) -> None:
    vendor(tmp_path, home)
    recipe = read_recipe(recipe_file(tmp_path, "from: vendor:1.0.0\n"))
    before = inputs_digest(ground(recipe, home=home), ())
    assert inputs_digest(ground(recipe, home=home), ()) == before
    vendor(tmp_path, home, ("etc/more", b"", {}))
    assert inputs_digest(ground(recipe, home=home), ()) != before


REFUSED: dict[str, tuple[tuple[Member, ...], str, str, str]] = {
    "another distribution": ((("./etc/os-release", b"ID=fedora\n", {}),), "", "", "it holds fedora"),
    "a suite that is not known": (
        (("./etc/os-release", b"ID=debian\nVERSION_CODENAME=buzz\n", {}),), "", "", "debian buzz"
    ),
    "no os-release": ((), "./etc/os-release", "", "without an os-release"),
    "no dpkg": ((), "./var/lib/dpkg/status", "", "no dpkg"),
    "a root that is not merged": ((("./bin/sh", b"", {}),), "./bin", "", "older than what goldsmith builds"),
    "another architecture": (
        (("./var/lib/dpkg/status", b"Package: dpkg\nStatus: install ok installed\nArchitecture: arm64\n", {}),),
        "", "", "it is for arm64",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_an_image_that_no_recipe_can_stand_on_is_refused(name: str, home: Home, tmp_path: Path) -> None:
    more, without, _, message = REFUSED[name]
    vendor(tmp_path, home, *more, without=without)
    with pytest.raises(InputError) as raised:
        ground(read_recipe(recipe_file(tmp_path, "from: vendor:1.0.0\n")), home=home)
    assert message in str(raised.value)
    assert "recipe.yaml" in str(raised.value)


MISSING = {
    "an image": ("from: nobody:1.0.0\n", "no image"),
    "a file": ("from: ./nobody.raw\n", "cannot be read"),
}


@pytest.mark.parametrize("name", MISSING)
def test_what_is_not_there_is_an_error_of_the_recipe(name: str, home: Home, tmp_path: Path) -> None:
    text, message = MISSING[name]
    with pytest.raises(UsageError) as raised:
        ground(read_recipe(recipe_file(tmp_path, text)), home=home)
    assert message in str(raised.value)


def test_a_package_that_is_forbidden_and_there_is_refused(home: Home, tmp_path: Path) -> None:
    vendor(tmp_path, home)
    recipe = ground(read_recipe(recipe_file(tmp_path, "from: vendor:1.0.0\npackages: [-dpkg]\n")), home=home)
    with pytest.raises(InputError, match="has the package 'dpkg'"):
        refuse_forbidden(recipe, installed_in(home, recipe.base))
    refuse_forbidden(replace(recipe, packages=()), installed_in(home, recipe.base))


def test_a_lock_names_its_base_and_others_say_nothing_of_one() -> None:
    lock = Lock("sha256:" + "0" * 64, "debian", "trixie", "amd64", 1, "sha256:" + "1" * 64, (), ())
    assert '"base"' not in lock_text(lock)
    based = replace(lock, base="vendor:1.0.0-b1 sha256:" + "2" * 64)
    assert parse_lock(lock_text(based), "f", Lock) == based
    assert parse_lock(lock_text(lock), "f", Lock) == lock


NAMES = {
    "Vendor Image.qcow2": "vendor-image",
    "debian-13.tar.xz": "debian-13",
    "disk.raw.zst": "disk",
    "...": "image",
    "ä.vmdk": "image",
}


@pytest.mark.parametrize("name", NAMES)
def test_a_file_gives_its_image_a_name(name: str) -> None:
    assert name_of(Path(name)) == NAMES[name]
