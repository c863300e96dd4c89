"""The store of built images: build numbers, references, and two that keep at once."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from goldsmith.errors import UsageError
from goldsmith.store.home import Home
from goldsmith.store.images import StoredImage, all_images, find, images_named, keep


def kept(home: Home, name: str, version: str, content: str) -> StoredImage:
    disk = home / f"{content}.raw"
    disk.parent.mkdir(parents=True, exist_ok=True)
    disk.write_text(content)
    facts = {"name": name, "version": version, "digest": f"sha256:{content}"}
    return keep(home, name, version, facts, disk, {"tree.json.zst": content.encode()})


def test_another_content_gets_the_next_build_number_and_the_same_is_kept_once(tmp_path: Path) -> None:
    home = Home(tmp_path)
    made = [kept(home, "web", "1.0.0", content) for content in ("one", "two", "one", "three", "two")]
    assert [image.build for image in made] == [1, 2, 1, 3, 2]
    # The newest is what a build gave last, whatever its number.
    assert [i.reference for i in images_named(home, "web")] == ["web:1.0.0", "web:1.0.0-b3", "web:1.0.0-b2"]
    assert [i.disk.read_text() for i in images_named(home, "web")] == ["one", "three", "two"]
    assert find(home, "web:1.0.0").build == 2
    assert list(home.path.glob("*.raw")) == []


def test_versions_number_for_themselves(tmp_path: Path) -> None:
    home = Home(tmp_path)
    kept(home, "web", "1.0.0", "one")
    assert kept(home, "web", "1.1.0", "two").build == 1
    assert kept(home, "api", "1.0.0", "one").build == 1


def test_a_build_whose_disk_was_removed_gets_it_back(tmp_path: Path) -> None:
    home = Home(tmp_path)
    kept(home, "web", "1.0.0", "one").disk.unlink()
    again = kept(home, "web", "1.0.0", "one")
    assert (again.build, again.disk.read_text()) == (1, "one")


def test_a_record_cut_short_does_not_count(tmp_path: Path) -> None:
    home = Home(tmp_path)
    image = kept(home, "web", "1.0.0", "one")
    (image.directory / "image.json").write_text('{"name": "we')
    assert images_named(home, "web") == []


FOUND = {
    "web": "web:10.0.0",
    "web:1.2.0": "web:1.2.0-b2",
    "web:1.2.0-b1": "web:1.2.0",
    "web:1.2.0-b2": "web:1.2.0-b2",
    "web:10.0.0": "web:10.0.0",
    "web-1.0": "web-1.0:1.0.0",
}


@pytest.mark.parametrize("reference", FOUND)
def test_what_a_reference_finds(tmp_path: Path, reference: str) -> None:
    home = Home(tmp_path)
    for name, version, content in (
        ("web", "10.0.0", "a"),
        ("web", "1.2.0", "b"),
        ("web", "1.2.0", "c"),
        ("web", "9.9.9", "d"),
        ("web-1.0", "1.0.0", "e"),
    ):
        kept(home, name, version, content)
    assert find(home, reference).reference == FOUND[reference]


@pytest.mark.parametrize(
    ("reference", "message", "hint"),
    [
        pytest.param("api", "there is no image 'api'", "there are: web:1.0.0", id="another name"),
        pytest.param(
            "web:2.0.0", "there is no image 'web:2.0.0'", "there are: web:1.0.0", id="another version"
        ),
        pytest.param("web:1.0.0-b2", "there is no image", "there are: web:1.0.0", id="another build"),
        pytest.param("Web!", "'Web!' is no image", "name one as in web, web:1.2.0", id="no reference"),
        pytest.param("web:1.0", "'web:1.0' is no image", "name one as in", id="half a version"),
        pytest.param("../web", "'../web' is no image", "name one as in", id="a path that climbs"),
    ],
)
def test_what_is_not_found(tmp_path: Path, reference: str, message: str, hint: str) -> None:
    home = Home(tmp_path)
    kept(home, "web", "1.0.0", "one")
    with pytest.raises(UsageError) as caught:
        find(home, reference)
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_an_empty_store_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        find(Home(tmp_path), "web")
    assert caught.value.hint == "none has been built yet: goldsmith build RECIPE"


PROGRAM = """
import sys
from pathlib import Path
from goldsmith.store.home import Home
from goldsmith.store.images import keep

home, own = Home(Path(sys.argv[1])), sys.argv[2]
for number in range(8):
    for content in (f"{own}-{number}", f"shared-{number}"):
        disk = home / f"{own}-{content}.raw"
        disk.write_text(content)
        facts = {"name": "web", "version": "1.0.0", "digest": content}
        keep(home, "web", "1.0.0", facts, disk, {})
"""


def test_two_processes_that_keep_at_once(tmp_path: Path) -> None:
    home = Home(tmp_path)
    both = [subprocess.Popen([sys.executable, "-c", PROGRAM, tmp_path, own]) for own in ("a", "b")]
    assert [process.wait(60) for process in both] == [0, 0]
    images = list(all_images(home))
    assert sorted(image.build for image in images) == list(range(1, 25))
    assert all(image.disk.read_text() == image.facts["digest"] for image in images)
    assert json.loads((images[0].directory / "image.json").read_text())["build"] == images[0].build
