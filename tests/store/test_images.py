"""Images by name: build numbers, references, and two that keep at once."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests.store.ground import goldsmith
from tests.store.kept import keep

from goldsmith.disk.stored import raw_disk
from goldsmith.errors import UsageError
from goldsmith.model import oci
from goldsmith.store import notes
from goldsmith.store.check import check
from goldsmith.store.gc import collect
from goldsmith.store.home import Home
from goldsmith.store.images import (
    StoredImage,
    all_images,
    delete_image,
    find,
    images_named,
    layout_of,
    make_newest,
    name_image,
    tag_image,
    whole,
)


def kept(home: Home, name: str, version: str, content: str, **built: object) -> StoredImage:
    disk = home / f"{content}.raw"
    disk.parent.mkdir(parents=True, exist_ok=True)
    disk.write_text(content)
    return keep(home, disk, name, version, built=built)


def content(home: Home, image: StoredImage) -> str:
    return raw_disk(home, image).read_text()


def test_another_content_gets_the_next_build_number_and_the_same_is_kept_once(tmp_path: Path) -> None:
    home = Home(tmp_path)
    made = [kept(home, "web", "1.0.0", text) for text in ("one", "two", "one", "three", "two")]
    assert [image.build for image in made] == [1, 2, 1, 3, 2]
    # The newest is what a build gave last, whatever its number.
    found = images_named(home, "web")
    assert [image.reference for image in found] == ["web:1.0.0-b1", "web:1.0.0-b3", "web:1.0.0-b2"]
    assert [content(home, image) for image in found] == ["one", "three", "two"]
    assert find(home, "web:1.0.0").build == 2
    assert set(layout_of(home).refs()) == {"web:1.0.0", "web:1.0.0-b1", "web:1.0.0-b2", "web:1.0.0-b3"}
    assert layout_of(home).resolve("web:1.0.0").digest == made[1].index.digest


def test_versions_number_for_themselves(tmp_path: Path) -> None:
    home = Home(tmp_path)
    kept(home, "web", "1.0.0", "one")
    assert kept(home, "web", "1.1.0", "two").build == 1
    assert kept(home, "api", "1.0.0", "one").build == 1
    assert [image.reference for image in all_images(layout_of(home))] == [
        "api:1.0.0",
        "web:1.0.0",
        "web:1.1.0",
    ]


def test_how_an_image_was_built_is_kept_beside_it_and_not_in_it(tmp_path: Path) -> None:
    home = Home(tmp_path)
    first = kept(home, "web", "1.0.0", "one", key="k1", warnings=["w"])
    again = kept(home, "web", "1.0.0", "one", key="k2")
    assert (first.facts["key"], first.facts["warnings"]) == ("k1", ["w"])
    assert again.index == first.index
    found = find(home, "web")
    assert found == again
    assert (found.facts["key"], found.facts.get("warnings")) == ("k2", None)
    layout = layout_of(home)
    with layout.used():  # as when the same image is fetched
        assert name_image(layout, "web", "1.0.0", first.index).facts["key"] == "k2"


def test_an_image_that_lost_an_object_gets_it_back_when_it_is_built_again(tmp_path: Path) -> None:
    home = Home(tmp_path)
    image = kept(home, "web", "1.0.0", "one")
    layout = layout_of(home)
    gone = layout.children(image.index.digest)[1]
    layout.blobs.path(gone.digest).unlink()
    assert not whole(layout, image.index)
    again = kept(home, "web", "1.0.0", "one")
    assert (again.build, content(home, again)) == (1, "one")
    assert whole(layout, image.index)


@pytest.mark.parametrize("part", [0, 1, 2], ids=["index", "container", "disk"])
def test_a_manifest_that_was_damaged_is_mended_by_building_again(tmp_path: Path, part: int) -> None:
    home = Home(tmp_path)
    image = kept(home, "web", "1.0.0", "one")
    layout = layout_of(home)
    path = layout.blobs.path([image.index, *layout.children(image.index.digest)][part].digest)
    path.write_bytes(b"x" * path.stat().st_size)
    assert not whole(layout, image.index)
    again = kept(home, "web", "1.0.0", "one")
    assert (again.index, again.build, content(home, again)) == (image.index, 1, "one")
    assert check(layout, read=True) == []


def test_the_newest_is_what_was_asked_for_last(tmp_path: Path) -> None:
    home = Home(tmp_path)
    first = kept(home, "web", "1.0.0", "one")
    kept(home, "web", "1.0.0", "two")
    assert make_newest(home, replace(first, newest=False)).newest
    assert find(home, "web:1.0.0") == first
    assert find(home, "web").build == 1


def test_what_was_deleted_meanwhile_gets_no_name(tmp_path: Path) -> None:
    """Between finding and naming, another process may have deleted it, and a third collected its objects."""
    home = Home(tmp_path)
    image = kept(home, "web", "1.0.0", "one")
    delete_image(home, "web:1.0.0")
    collect(layout_of(home))
    for name in (
        lambda: tag_image(home, image, "golden"),
        lambda: make_newest(home, replace(image, newest=False)),
    ):
        with pytest.raises(UsageError, match="was deleted meanwhile"):
            name()
    assert layout_of(home).refs() == {}


def test_an_image_that_another_program_has_put_there(tmp_path: Path) -> None:
    home = Home(tmp_path)
    layout = layout_of(home)
    image = kept(home, "web", "1.0.0", "one")
    bare = replace(image.index, annotations=((oci.REF_NAME, "other:2.0.0"),))
    listed = [item for item in layout.entries() if item.note(oci.REF_NAME) == "web:1.0.0-b1"]
    (layout.directory / "index.json").write_bytes(oci.index([bare, *listed]))
    other = find(home, "other")
    assert (other.reference, other.build, other.digest) == ("other:2.0.0", 1, image.digest)
    assert [i.reference for i in all_images(layout)] == ["other:2.0.0", "web:1.0.0"]


@pytest.mark.parametrize("size", ["9" * 5000, "²", "-1", "1e9", ""])
def test_notes_of_others_may_hold_anything(tmp_path: Path, size: str) -> None:
    home = Home(tmp_path)
    image = kept(home, "web", "1.0.0", "one")
    told = {
        **dict(image.entry.annotations),
        notes.TREE_SIZE: size,
        notes.CREATED: "\x1b[2J",
    }
    entry = replace(image.entry, annotations=tuple({**told, oci.REF_NAME: "web:1.0.0-b1"}.items()))
    (layout_of(home).directory / "index.json").write_bytes(oci.index([entry]))
    assert "tree_size" not in find(home, "web").facts
    for verb in ("list", "show"):
        said = goldsmith(home, verb, *(["web"] if verb == "show" else []))
        assert (said.code, "\x1b" in said.out) == (0, False)


@pytest.mark.parametrize("text", ["[1,", "[]", "[" * 100_000, '{"a": 1}', "3", ""])
def test_labels_of_others_may_be_anything(text: str) -> None:
    assert notes.labels(text) is None
    assert notes.labels('{"team": "web"}') == {"team": "web"}


FOUND = {
    "web": "web:10.0.0",
    "web:1.2.0": "web:1.2.0-b2",
    "web:1.2.0-b1": "web:1.2.0-b1",
    "web:1.2.0-b2": "web:1.2.0-b2",
    "web:10.0.0": "web:10.0.0",
    "web:10.0.0-b1": "web:10.0.0",
    "web:golden": "web:9.9.9",
    "web-1.0": "web-1.0:1.0.0",
}


@pytest.fixture
def several(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    for name, version, text in (
        ("web", "10.0.0", "a"),
        ("web", "1.2.0", "b"),
        ("web", "1.2.0", "c"),
        ("web", "9.9.9", "d"),
        ("web-1.0", "1.0.0", "e"),
    ):
        kept(home, name, version, text)
    layout_of(home).tag("web:golden", find(home, "web:9.9.9").index)
    return home


@pytest.mark.parametrize("reference", FOUND)
def test_what_a_reference_finds(several: Home, reference: str) -> None:
    assert find(several, reference).reference == FOUND[reference]


def test_an_image_is_found_by_its_digest_or_by_that_of_its_object(several: Home) -> None:
    image = find(several, "web:1.2.0-b1")
    assert image.digest != image.index.digest
    for digest in (image.digest, image.index.digest):
        assert find(several, f"web@{digest}") == image
        assert find(several, f"web@{digest[:20]}") == image
        with pytest.raises(UsageError, match="there is no image 'web-1\\.0@sha256:"):
            find(several, f"web-1.0@{digest}")


@pytest.mark.parametrize(
    ("reference", "message", "hint"),
    [
        pytest.param("api", "there is no image 'api'", "there are: web:1.0.0", id="another name"),
        pytest.param(
            "web:2.0.0", "there is no image 'web:2.0.0'", "there are: web:1.0.0", id="another version"
        ),
        pytest.param("web:1.0.0-b2", "there is no image", "there are: web:1.0.0", id="another build"),
        pytest.param("web:1.0", "there is no image 'web:1.0'", "there are: web:1.0.0", id="half a version"),
        pytest.param("Web!", "'Web!' is no image", "name one as in web, web:1.2.0", id="no reference"),
        pytest.param(
            "web@sha256:12", "'web@sha256:12' is no image", "web@sha256:…", id="too little of a digest"
        ),
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


def test_what_the_list_shows_stands_in_the_index_alone(tmp_path: Path) -> None:
    home = Home(tmp_path)
    image = kept(home, "web", "1.0.0", "one")
    layout = layout_of(home)
    for path in layout.blobs.all():
        path.unlink()
    assert list(all_images(layout)) == [image]
    assert set(notes.LISTED) <= set(dict(layout.resolve("web:1.0.0-b1").annotations))


PROGRAM = """
import sys
from pathlib import Path
from tests.store.kept import keep
from goldsmith.store.home import Home

home, own = Home(Path(sys.argv[1])), sys.argv[2]
for number in range(8):
    for content in (f"{own}-{number}", f"shared-{number}"):
        disk = home / f"{own}-{content}.raw"
        disk.write_text(content)
        keep(home, disk, "web", "1.0.0", built={"content": content})
"""


def test_two_processes_that_keep_at_once(tmp_path: Path) -> None:
    home = Home(tmp_path)
    both = [subprocess.Popen([sys.executable, "-c", PROGRAM, tmp_path, own]) for own in ("a", "b")]
    assert [process.wait(60) for process in both] == [0, 0]
    images = list(all_images(layout_of(home)))
    assert sorted(image.build for image in images) == list(range(1, 25))
    assert all(content(home, image) == image.facts["content"] for image in images)
