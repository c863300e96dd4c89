import json
import shutil
import subprocess
from functools import partial
from pathlib import Path

import pytest
from tests.store.recording import recorded_image
from tests.store.remote.conftest import Move
from tests.store.remote.images import BASE, CHANGED, KIB, MIB, Maker, files_of
from tests.store.remote.registries import Registry

from goldsmith.cli.moving import check_disk
from goldsmith.disk.digest import disk_digest
from goldsmith.disk.stored import place as place_of_disk
from goldsmith.errors import UsageError
from goldsmith.model import oci
from goldsmith.store.check import check
from goldsmith.store.home import Home
from goldsmith.store.images import find, layout_of
from goldsmith.store.layout import Layout


def whole(layout: Layout) -> bool:
    """Whether nothing is missing, damaged, unused or left over."""
    return check(layout, read=True) == []


def test_an_image_goes_to_a_registry_and_comes_back(
    maker: Maker, there: Home, place: str, move: Move
) -> None:
    image = maker.make("web", "1.0.0", BASE)
    pushed = move(maker.home, "web:1.0.0", f"{place}/web:1.0.0")
    assert (pushed.root.digest, pushed.reused) == (image.index.digest, 0)
    assert 0 < pushed.total - pushed.moved < 10_000
    pulled = move(there, f"{place}/web:1.0.0", "web:1.0.0", check_disk=partial(check_disk, there))
    assert pulled.root.digest == image.index.digest
    found = find(there, "web")
    assert found.facts == image.facts
    assert set(layout_of(there).refs()) == {"web:1.0.0", "web:1.0.0-b1"}
    assert whole(layout_of(there))
    disk = place_of_disk(there, str(image.facts["disk_digest"]))
    assert disk_digest(disk) == image.facts["disk_digest"]


def test_what_is_there_is_not_sent_again(maker: Maker, place: str, move: Move) -> None:
    maker.make("web", "1.0.0", BASE)
    first = move(maker.home, "web:1.0.0", f"{place}/web:1.0.0")
    again = move(maker.home, "web:1.0.0", f"{place}/web:1.0.0")
    assert (again.moved, again.reused, again.replaced) == (0, first.moved, "")
    maker.make("web", "1.0.1", CHANGED)
    second = move(maker.home, "web:1.0.1", f"{place}/web:1.0.1")
    assert second.reused > 3 * MIB
    moved = move(maker.home, "web:1.0.1", f"{place}/web:1.0.0")
    assert moved.replaced == first.root.digest


def test_objects_are_taken_over_from_other_repositories(
    maker: Maker, place: str, move: Move, shared_registry: Registry
) -> None:
    maker.make("base", "1.0.0", BASE)
    maker.make("web", "1.0.0", CHANGED)
    move(maker.home, "base:1.0.0", f"{place}/base:1.0.0")
    pushed = move(maker.home, "web:1.0.0", f"{place}/web:1.0.0")
    assert pushed.reused > 3 * MIB
    mounts = [line for line in shared_registry.log() if "mount=" in line["http.request.uri"]]
    assert any(line["http.response.status"] == 201 for line in mounts)


def test_a_newer_version_fetches_changed_frames_only(
    maker: Maker, there: Home, place: str, move: Move, shared_registry: Registry
) -> None:
    maker.make("web", "1.0.0", BASE)
    newer = maker.make("web", "1.0.1", CHANGED)
    for version in ("1.0.0", "1.0.1"):
        move(maker.home, f"web:{version}", f"{place}/web:{version}")
    move(there, f"{place}/web:1.0.0", "web:1.0.0")
    before = len(shared_registry.log())
    pulled = move(there, f"{place}/web:1.0.1", "web:1.0.1", check_disk=partial(check_disk, there))
    # The changed file of 310 KiB, two shared frames with the others, and the lists of tree and disk.
    assert 310 * KIB < pulled.moved < 850 * KIB
    assert pulled.moved + pulled.reused < pulled.total
    requests = shared_registry.log()[before:]
    assert [line for line in requests if line["http.response.status"] == 206]
    assert sum(line["http.response.written"] for line in requests) < 860 * KIB
    assert find(there, "web:1.0.1").facts == newer.facts
    assert whole(layout_of(there))


@pytest.mark.parametrize("which", ["the layer that both have", "a layer that is copied from"])
def test_what_is_damaged_here_is_fetched(
    which: str, maker: Maker, there: Home, place: str, move: Move
) -> None:
    maker.make("web", "1.0.0", BASE)
    newer = maker.make("web", "1.0.1", CHANGED)
    for version in ("1.0.0", "1.0.1"):
        move(maker.home, f"web:{version}", f"{place}/web:{version}")
    move(there, f"{place}/web:1.0.0", "web:1.0.0")
    layout = layout_of(there)
    layers = [layers_of(maker.layout, f"web:{version}") for version in ("1.0.0", "1.0.1")]
    both = which == "the layer that both have"
    hurt = max((layers[0] & layers[1]) if both else (layers[0] - layers[1]), key=lambda layer: layer.size)
    path = layout.blobs.path(hurt.digest)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    move(there, f"{place}/web:1.0.1", "web:1.0.1", check_disk=partial(check_disk, there))
    assert {problem.name for problem in check(layout, read=True)} == (set() if both else {hurt.digest})
    assert find(there, "web:1.0.1").facts == newer.facts


def layers_of(layout: Layout, reference: str) -> set[oci.Descriptor]:
    _, *layers = layout.children(recorded_image(layout, reference).container.digest)
    return set(layers)


@pytest.mark.parametrize("kind", ["a directory", "a registry", "a served directory"])
def test_copies_need_no_local_store(
    kind: str, maker: Maker, there: Home, place: str, move: Move, tmp_path: Path
) -> None:
    image = maker.make("web", "1.0.0", files_of(1))
    target = {"a directory": str(tmp_path / "images"), "a registry": f"{place}/first"}.get(kind, "")
    if kind == "a served directory":
        with pytest.raises(UsageError, match="only gives"):
            move(maker.home, "web:1.0.0", "http://127.0.0.1:9/web:1.0.0")
        return
    move(maker.home, "web:1.0.0", f"{target}/web:1.0.0")
    copied = move(there, f"{target}/web:1.0.0", f"{place}/second/web:other")
    back = move(there, f"{place}/second/web:other", f"{tmp_path}/back/web:1.0.0")
    assert copied.root.digest == back.root.digest == image.index.digest
    assert whole(Layout(tmp_path / "back"))
    assert not there.path.exists()


def test_a_directory_is_a_layout_for_container_tools(maker: Maker, move: Move, tmp_path: Path) -> None:
    image = maker.make("web", "1.0.0", files_of(1))
    move(maker.home, "web:1.0.0", f"{tmp_path}/images/web:1.0.0")
    told = subprocess.run(
        ["skopeo", "inspect", "--raw", f"oci:{tmp_path}/images:web:1.0.0"], capture_output=True, check=True
    )
    layout = Layout(tmp_path / "images")
    assert layout.blobs.read(image.index.digest) == told.stdout


def test_evidence_goes_with_its_image(
    maker: Maker, there: Home, place: str, move: Move, tmp_path: Path
) -> None:
    image = maker.make("web", "1.0.0", files_of(1))
    layout = maker.layout
    said = []
    for text in (b"passed", b"approved"):
        layer = layout.blobs.put(text, "text/plain")
        empty = layout.blobs.put(oci.EMPTY_JSON, oci.EMPTY)
        value = json.loads(oci.manifest(empty, [layer], artifact_type="application/vnd.test.evidence"))
        value["subject"] = image.index.as_json()
        said.append(layout.blobs.put(json.dumps(value).encode(), oci.MANIFEST))
        layout.attach(said[-1], image.index.digest)
    pushed = move(maker.home, "web:1.0.0", f"{place}/web:1.0.0")
    again = move(maker.home, "web:1.0.0", f"{place}/web:1.0.0")
    pulled = move(there, f"{place}/web:1.0.0", "web:1.0.0")
    copied = move(there, "web:1.0.0", f"{tmp_path}/images/web:1.0.0")
    assert (pushed.referrers, again.referrers, pulled.referrers, copied.referrers) == (2, 2, 2, 2)
    for where in (layout_of(there), Layout(tmp_path / "images")):
        nameless = {item.digest for item in where.entries() if not item.note(oci.REF_NAME)}
        assert nameless == {item.digest for item in said}
        assert whole(where)
    assert b"approved" in {
        layout_of(there).blobs.read(x.digest) for x in layout_of(there).children(said[1].digest)
    }


@pytest.mark.parametrize(
    ("address", "named"),
    [
        ("web:1.0.0", {"web:1.0.0", "web:1.0.0-b1"}),
        ("web:1.0.0-b3", {"web:1.0.0", "web:1.0.0-b3"}),
        ("web:production", {"web:production", "web:1.0.0", "web:1.0.0-b1"}),
        ("web@", {"web:1.0.0", "web:1.0.0-b1"}),
    ],
    ids=["a version", "a build", "another tag", "a digest"],
)
def test_what_a_pulled_image_is_called(
    address: str, named: set[str], maker: Maker, there: Home, place: str, move: Move
) -> None:
    image = maker.make("web", "1.0.0", files_of(1))
    tag = address.partition(":")[2] or "any"
    move(maker.home, "web:1.0.0", f"{place}/web:{tag}")
    if address.endswith("@"):
        address += image.index.digest
    move(there, f"{place}/{address}", address)
    assert set(layout_of(there).refs()) == named


def test_another_image_of_a_version_is_its_next_build(
    maker: Maker, there: Home, place: str, move: Move
) -> None:
    maker.make("web", "1.0.0", files_of(1))
    move(maker.home, "web:1.0.0", f"{place}/web:1.0.0")
    Maker(there, maker.room).make("web", "1.0.0", files_of(2))
    assert move(there, f"{place}/web:1.0.0", "web:1.0.0").name == "web:1.0.0-b2"
    assert find(there, "web:1.0.0").build == 2
    assert find(there, "web:1.0.0-b1").digest != find(there, "web:1.0.0-b2").digest


@pytest.mark.parametrize(
    ("address", "hint"),
    [("web:2.0.0", "there are: 1.0.0"), ("nothing:1.0.0", "no image of that name")],
    ids=["no such version", "no such name"],
)
def test_what_is_not_there_is_told_with_what_is(
    address: str, hint: str, maker: Maker, there: Home, place: str, move: Move
) -> None:
    maker.make("web", "1.0.0", files_of(1))
    move(maker.home, "web:1.0.0", f"{place}/web:1.0.0")
    with pytest.raises(UsageError, match=f"there is no image {place}/{address}") as caught:
        move(there, f"{place}/{address}", address)
    assert hint in caught.value.hint


def test_images_of_others_can_be_kept_too(there: Home, place: str, move: Move, tmp_path: Path) -> None:
    """A container image that skopeo has made has neither a disk nor a version."""
    room = tmp_path / "other"
    layer = tmp_path / "root/etc"
    layer.mkdir(parents=True)
    (layer / "motd").write_text("hello\n")
    maker = Layout(room)
    archive = subprocess.run(
        ["tar", "-C", tmp_path / "root", "-c", "."], capture_output=True, check=True
    ).stdout
    blob = maker.blobs.put(archive, "application/vnd.oci.image.layer.v1.tar")
    config = maker.blobs.put(
        json.dumps(
            {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [blob.digest]}}
        ).encode(),
        oci.CONFIG,
    )
    maker.tag("thing:latest", maker.blobs.put(oci.manifest(config, [blob]), oci.MANIFEST))
    subprocess.run(
        [
            "skopeo",
            "copy",
            "-q",
            "--dest-tls-verify=false",
            f"oci:{room}:thing:latest",
            f"docker://{place}/thing:latest",
        ],
        check=True,
    )
    pulled = move(there, f"{place}/thing:latest", "thing:latest")
    assert pulled.name == "thing:latest"
    assert whole(layout_of(there))
    shutil.rmtree(room)
