"""Damage of every kind to every file of a store is found, and named with the images it hurts; repairs never touch what is good."""

import json
import os
import random
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.store.ground import LISTS, first_tree, goldsmith, keep, second_tree
from tests.store.trees import noise, tree_of

from goldsmith.builder.mend import mend
from goldsmith.disk.stored import place, raw_disk
from goldsmith.effects.files import sha256_file
from goldsmith.errors import GoldsmithError
from goldsmith.store.check import HARMLESS, Problem, check
from goldsmith.store.contents import contents_of
from goldsmith.store.evidence import keep_evidence
from goldsmith.store.home import Home
from goldsmith.store.images import find, layout_of, whole
from goldsmith.store.layout import Layout

FLIPS = 12
"""Bits that are flipped in each file, each in a store of its own."""


@dataclass(frozen=True)
class Ground:
    """A store with two images that share layers."""

    home: Home
    roles: Mapping[str, str]
    """What each object of the first image is: role → digest."""

    @property
    def layout(self) -> Layout:
        return layout_of(self.home)

    def path(self, role: str) -> Path:
        if role in {"index.json", "oci-layout"}:
            return self.layout.directory / role
        return self.layout.blobs.path(self.roles[role])

    def name(self, role: str) -> str:
        """What a problem with it is called."""
        return self.roles.get(role, role)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    """What every test begins with."""
    home = Home(tmp_path_factory.mktemp("template"))
    one = keep(home, first_tree())
    keep(home, second_tree(), version="2.0.0", own=noise(11, 8192))
    contents = contents_of(home, one)
    parts = contents.parts
    container = contents.layout.children(parts.container.digest)
    found = {
        "index": parts.index,
        "container": parts.container,
        "configuration": container[0],
        "disk": parts.disk,
        "tree": parts.tree_index,
        "map": parts.disk_map,
        "literals": parts.literals[0],
        **{f"layer {number}": layer for number, layer in enumerate(container[1:])},
    }
    return Ground(home, {role: item.digest for role, item in found.items()})


@pytest.fixture
def ground(template: Ground, tmp_path: Path) -> Ground:
    """A store to harm."""
    shutil.copytree(template.home.path, tmp_path / "home")
    return replace(template, home=Home(tmp_path / "home"))


ROLES = (
    "index",
    "container",
    "configuration",
    "disk",
    "tree",
    "map",
    "literals",
    "layer 0",
    "layer 1",
    "layer 2",
)


def flip(path: Path, bit: int) -> None:
    data = bytearray(path.read_bytes())
    data[bit // 8 % len(data)] ^= 1 << bit % 8
    path.write_bytes(data)


def swap(path: Path) -> None:
    """Let a file have another one's bytes, and the other one its."""
    other = next(found for found in sorted(path.parent.iterdir()) if found != path)
    mine = path.read_bytes()
    path.write_bytes(other.read_bytes())
    other.write_bytes(mine)


HARMS: Mapping[str, Callable[[Path], object]] = {
    "lost": Path.unlink,
    "cut short": lambda path: os.truncate(path, path.stat().st_size - 1),
    "cut in half": lambda path: os.truncate(path, path.stat().st_size // 2),
    "empty": lambda path: os.truncate(path, 0),
    "one byte more": lambda path: path.write_bytes(path.read_bytes() + b"\0"),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "swapped": swap,
}


def hurt(layout: Layout) -> dict[str, Problem]:
    return {problem.name: problem for problem in check(layout, read=True) if problem.kind not in HARMLESS}


def refs(ground: Ground, role: str) -> set[str]:
    """The refs whose images need an object."""
    found = set()
    for version in ("1.0.0", "2.0.0"):
        image = find(ground.home, f"web:{version}")
        contents = contents_of(ground.home, image)
        parts = contents.parts
        mine = {
            parts.index.digest,
            parts.container.digest,
            parts.disk.digest,
            parts.tree_index.digest,
            parts.disk_map.digest,
        }
        mine |= {blob.digest for blob in parts.literals}
        mine |= {item.digest for item in contents.layout.children(parts.container.digest)}
        if ground.roles[role] in mine:
            found |= {f"web:{version}", f"web:{version}-b1"}
    return found


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("role", ROLES)
def test_every_harm_to_every_object_is_found(ground: Ground, role: str, harm: str) -> None:
    expected = refs(ground, role)
    HARMS[harm](ground.path(role))
    found = hurt(ground.layout)
    assert ground.name(role) in found
    assert set(found[ground.name(role)].images) == expected


@pytest.mark.parametrize("role", [*ROLES, "index.json", "oci-layout"])
def test_every_flipped_bit_is_found(ground: Ground, role: str) -> None:
    path = ground.path(role)
    data = path.read_bytes()
    for seed in range(FLIPS):
        flip(path, random.Random(seed).randrange(len(data) * 8))
        assert ground.name(role) in named(ground.layout), f"{role} {seed}"
        path.write_bytes(data)
    assert hurt(ground.layout) == {}


def test_every_bit_of_the_index_counts(ground: Ground) -> None:
    path = ground.path("index.json")
    data = path.read_bytes()
    missed = []
    for bit in range(0, len(data) * 8, 7):
        flip(path, bit)
        missed += [] if named(ground.layout, read=False) else [bit]
        path.write_bytes(data)
    assert missed == []


def named(layout: Layout, *, read: bool = True) -> set[str]:
    """What is said to be damaged; ``index.json`` if it cannot be read at all."""
    try:
        return {problem.name for problem in check(layout, read=read) if problem.kind not in HARMLESS}
    except GoldsmithError as error:
        return {"index.json"} if str(layout.directory / "index.json") in error.message else set()


@pytest.mark.parametrize("role", ["index.json", "oci-layout"])
def test_a_lost_surface_is_found(ground: Ground, role: str) -> None:
    ground.path(role).unlink()
    assert role in hurt(ground.layout)


STRAYS = (
    "notes.txt",
    "blobs/x",
    "blobs/sha512/y",
    "blobs/sha256/z",
    f"blobs/sha256/{'A' * 64}",
    "known/note",
    "blobs/sha256/.draft-1-2",
)


@pytest.mark.parametrize("name", STRAYS)
def test_strays_are_named_and_hurt_nothing(ground: Ground, name: str) -> None:
    path = ground.layout.directory / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("stray")
    found = check(ground.layout)
    top = "blobs/sha512" if "sha512" in name else name
    assert [(problem.kind.value, problem.name, problem.images) for problem in found] == [("stray", top, ())]
    assert hurt(ground.layout) == {}


def snapshot(layout: Layout) -> dict[str, int]:
    """The sound objects, with what changes when one is written."""
    return {
        path.name: path.stat().st_ino
        for path in layout.blobs.all()
        if path.is_file() and sha256_file(path) == path.name
    }


@pytest.mark.parametrize("harm", ["lost", "cut in half", "zeros"])
@pytest.mark.parametrize("role", ROLES)
def test_repairs_make_again_what_they_can_and_touch_nothing_good(
    ground: Ground, role: str, harm: str
) -> None:
    image = find(ground.home, "web:1.0.0")
    raw_disk(ground.home, image)
    HARMS[harm](ground.path(role))
    good = snapshot(ground.layout)
    done = mend(ground.home, check(ground.layout, read=True))
    assert good.items() <= snapshot(ground.layout).items()
    assert (set(done.done), done.aside) == ({ground.name(role)}, ())
    assert not hurt(ground.layout)
    place(ground.home, str(image.facts["disk_digest"])).unlink()
    assert raw_disk(ground.home, image).exists()


@pytest.mark.parametrize("harm", ["lost", "zeros"])
@pytest.mark.parametrize("role", ["literals", "map"])
def test_what_cannot_be_made_again_is_put_aside_with_the_reason(ground: Ground, role: str, harm: str) -> None:
    """No disk is kept; building the image again brings it back."""
    image = find(ground.home, "web:1.0.0")
    HARMS[harm](ground.path(role))
    good = snapshot(ground.layout)
    done = mend(ground.home, check(ground.layout, read=True))
    assert good.items() <= snapshot(ground.layout).items()
    assert set(hurt(ground.layout)) == {ground.name(role)} == set(done.reasons)
    assert "no disk of it is kept" in done.reasons[ground.name(role)]
    assert done.aside == ((ground.name(role),) if harm != "lost" else ())
    keep(ground.home, first_tree())
    assert hurt(ground.layout) == {}
    assert whole(ground.layout, image.index)


def test_the_manifest_of_a_document_about_an_image_is_made_again(ground: Ground) -> None:
    image = find(ground.home, "web:1.0.0")
    with ground.layout.used():
        item = keep_evidence(ground.layout, image.index, "application/vnd.example+json", b"{}")
    ground.layout.blobs.path(item.digest).unlink()
    assert mend(ground.home, check(ground.layout, read=True)).done == {item.digest}
    assert hurt(ground.layout) == {}


TOGETHER = (
    ("index", "tree"),
    ("tree", "disk"),
    ("index", "configuration"),
    ("index", "layer 0", "literals"),
    ("container", "configuration", "layer 0", "layer 1", "layer 2"),
)


@pytest.mark.parametrize("forgotten", [False, True], ids=["known", "forgotten"])
@pytest.mark.parametrize("roles", TOGETHER, ids=" and ".join)
def test_several_objects_come_back_together(ground: Ground, roles: tuple[str, ...], forgotten: bool) -> None:
    raw_disk(ground.home, find(ground.home, "web:1.0.0"))
    if forgotten:
        shutil.rmtree(ground.layout.known)
    for role in roles:
        ground.path(role).unlink()
    for _ in range(2):  # what an index leads to is only known once it is there
        mend(ground.home, check(ground.layout, read=True))
    assert hurt(ground.layout) == {}


def test_a_layer_comes_back_from_what_is_left_of_it_and_from_other_images(ground: Ground) -> None:
    """No disk is kept: all but one file comes from the damaged layer, and that one from the other image."""
    layers = [role for role in ROLES if role.startswith("layer")]
    large = max(layers, key=lambda role: ground.path(role).stat().st_size)
    flip(ground.path(large), 8 * (ground.path(large).stat().st_size // 2))
    name = ground.name(large)
    assert name in hurt(ground.layout)
    done = mend(ground.home, check(ground.layout, read=True))
    shared = len(refs_of(ground, name)) == 4
    assert (name in done.done) != shared
    assert (name in hurt(ground.layout)) == shared


@pytest.mark.parametrize("forgotten", [False, True], ids=["known", "forgotten"])
def test_layers_that_hold_what_is_gone_come_back(tmp_path: Path, forgotten: bool) -> None:
    """The second version keeps the first one's layer, with two files that it has no more; disks are kept."""
    home = Home(tmp_path / "home")
    files = {f"/usr/bin/{number}": noise(number, 20_000) for number in range(12)}
    lists = {f"{LISTS}/base.list": "".join(f"{path}\n" for path in files).encode()}
    less = {path: data for path, data in files.items() if path not in {"/usr/bin/3", "/usr/bin/4"}}
    one = keep(home, tree_of({**files, **lists}))
    two = keep(home, tree_of({**less, **lists, "/usr/bin/5": b"new"}), version="1.1.0")
    indexes = [contents_of(home, image).index for image in (one, two)]
    assert indexes[1].layers[-1].gone == ("/usr/bin/3", "/usr/bin/4")
    layers = {layer.blob.digest for index in indexes for layer in index.layers}
    assert len(layers) < sum(len(index.layers) for index in indexes)
    for image in (one, two):
        raw_disk(home, image)
    layout = layout_of(home)
    if forgotten:
        shutil.rmtree(layout.known)
    for digest in layers:
        layout.blobs.path(digest).unlink()
    assert mend(home, check(layout, read=True)).done == layers
    assert hurt(layout) == {}


def refs_of(ground: Ground, digest: str) -> tuple[str, ...]:
    return hurt(ground.layout)[digest].images if digest in hurt(ground.layout) else ()


def test_an_index_that_was_changed_is_written_anew(ground: Ground) -> None:
    path = ground.path("index.json")
    value = json.loads(path.read_bytes())
    path.write_text(json.dumps(value, sort_keys=True))
    assert set(hurt(ground.layout)) == {"index.json"}
    said = goldsmith(ground.home, "store", "check", "--repair", "--json")
    assert (said.code, json.loads(said.out)["ok"]) == (0, True)
    assert hurt(ground.layout) == {}


def test_the_command_says_what_is_hurt_and_leaves_with_4(ground: Ground) -> None:
    HARMS["zeros"](ground.path("literals"))
    said = goldsmith(ground.home, "store", "check", "--read")
    assert said.code == 4
    assert f"damaged   {ground.name('literals')}: its bytes have the digest" in said.out
    assert "          hurts web:1.0.0\n" in said.out
    assert "1 objects are hurt, and with them web:1.0.0, web:1.0.0-b1" in said.error
    facts = json.loads(goldsmith(ground.home, "store", "check", "--repair", "--json").out)
    assert (facts["ok"], facts["put_aside"]) == (False, [ground.name("literals")])
    assert [problem["object"] for problem in facts["problems"]] == [ground.name("literals")]
    assert "not mended: no disk of it is kept" in goldsmith(ground.home, "store", "check", "--repair").out


def test_a_foreign_index_is_no_damage(ground: Ground) -> None:
    path = ground.path("index.json")
    value = json.loads(path.read_bytes())
    foreign = {"schemaVersion": 2, "manifests": value["manifests"]}
    path.write_text(json.dumps(foreign, separators=(",", ":")))
    assert hurt(ground.layout) == {}
