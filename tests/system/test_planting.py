"""A token in every place where traces lie: sealing leaves none of them, in no file and in no other byte of the disk."""

import json
import mmap
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.seal.traces import places, token
from tests.system.conftest import Tiny
from tests.system.driver import goldsmith

from goldsmith.builder.seal.table import OPERATIONS
from goldsmith.store.home import Home

HOMES = ("/root", "/home/alice", "/home/left-behind")
TOKEN = re.compile(rb"GSTRACE[0-9a-f]{25}")
DONE = [operation for operation in OPERATIONS if operation.default]
ELSEWHERE = {
    "/tmp/planted": "a component's own /tmp is emptied behind it",
    "/lost+found/planted": "a disk has a lost+found of its own",
    "/var/spool/mail/planted": "another name of /var/mail/planted",
}
"""Places of traces that a component cannot plant in; tests/seal plants there in a directory."""
PLANTED = {
    path: operation.name
    for operation in reversed(DONE)
    for path in reversed(places(operation, HOMES))
    if path not in ELSEWHERE
}
"""The operation that each planted path belongs to: the first that matches it."""
RECIPE = """\
name: planted
version: {version}
from: debian:trixie
components: [plant.yml]
customizations:
  user: [{{name: alice}}]
seal: {{keep: [{keep}]}}
"""


@dataclass(frozen=True)
class Image:
    """A built image with tokens planted in it."""

    ref: str
    raw: Path

    def tokens(self) -> set[str]:
        """All tokens on the raw disk: in files, free blocks, journal and behind files' ends."""
        with self.raw.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as disk:
            return {found.group().decode() for found in TOKEN.finditer(disk)}


def component() -> str:
    """A component document that plants a token at every place."""
    steps = [
        {
            "name": f"Plant{number}",
            "action": "CreateFile",
            "inputs": [{"path": path, "content": f"{token(path)}\n", "overwrite": True}],
        }
        for number, path in enumerate(PLANTED)
    ]
    document = {"name": "Plant", "schemaVersion": 1.0, "phases": [{"name": "build", "steps": steps}]}
    return json.dumps(document, indent=1)


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory, tiny: Tiny) -> Path:
    directory = tmp_path_factory.mktemp("planted")
    (directory / "plant.yml").write_text(component())
    tiny.lock(directory)
    return directory


def build(room: Path, home: Home, version: str, keep: list[str]) -> Image:
    (room / "recipe.yaml").write_text(RECIPE.format(version=version, keep=", ".join(keep)))
    goldsmith("build", "recipe.yaml", "--json", home=home.path, cwd=room).json  # noqa: B018 - it must have worked
    ref = f"planted:{version}"
    raw = room / f"{version}.raw"
    goldsmith("export", ref, "--format", "raw", "--output", raw, "--json", home=home.path, cwd=room).json  # noqa: B018
    return Image(ref, raw)


@pytest.fixture(scope="module")
def sealed(room: Path, shared_home: Home) -> Image:
    return build(room, shared_home, "1.0.0", [])


@pytest.fixture(scope="module")
def unsealed(room: Path, shared_home: Home) -> Image:
    """The canary: the same tree, with every operation switched off."""
    return build(room, shared_home, "2.0.0", [operation.name for operation in OPERATIONS])


def leaks(image: Image, ref: str | Path, home: Home) -> dict[str, Any]:
    said = goldsmith("leaks", ref, "--json", home=home.path, cwd=image.raw.parent)
    assert said.code in {0, 1}, said.stderr
    found = json.loads(said.stdout)
    assert isinstance(found, dict)
    return found


@pytest.mark.image
def test_hundreds_of_places_are_planted() -> None:
    assert len(PLANTED) > 300
    assert len({token(path) for path in PLANTED}) == len(PLANTED)


@pytest.mark.image
def test_without_sealing_every_token_is_on_the_disk(unsealed: Image) -> None:
    found = unsealed.tokens()
    missing = {path for path in PLANTED if token(path) not in found}
    assert missing == set()


@pytest.mark.image
def test_after_sealing_no_token_is_on_the_disk(sealed: Image) -> None:
    by_token = {token(path): path for path in PLANTED}
    assert [by_token[found] for found in sealed.tokens()] == []


@pytest.mark.image
def test_the_certificate_lists_what_was_removed(sealed: Image, shared_home: Home) -> None:
    said = goldsmith("seal", "show", sealed.ref, "--json", home=shared_home.path, cwd=sealed.raw.parent).json
    rows = {row["operation"]: row for row in said["operations"]}
    assert len(rows) == len(OPERATIONS)
    for path, name in PLANTED.items():
        removed = rows[name]["removed"]
        assert any(path == gone or path.startswith(f"{gone}/") for gone in removed), (path, name)
    assert said["absent"] is True
    assert [item["operation"] for item in said["exceptions"]] == ["mail-name"]


@pytest.mark.image
def test_leaks_finds_every_kind_on_the_unsealed_disk_and_nothing_on_the_sealed_one(
    sealed: Image, unsealed: Image, shared_home: Home
) -> None:
    found = leaks(unsealed, unsealed.raw, shared_home)
    assert {item["kind"] for item in found["findings"]} >= set(PLANTED.values())
    assert len(set(PLANTED.values())) == len(DONE) - 1, "all but lost-and-found"
    told = {item.get("path", "") for item in found["findings"]}
    missing = {path for path in PLANTED if not any(path == at or path.startswith(f"{at}/") for at in told)}
    assert missing == set()
    assert not any("GSTRACE" in item["excerpt"] for item in found["findings"]), "excerpts are masked"
    assert leaks(sealed, sealed.raw, shared_home)["findings"] == []
    assert leaks(sealed, sealed.ref, shared_home)["findings"] == []


@pytest.mark.image
def test_what_the_recipe_keeps_is_an_exception_and_no_leak(unsealed: Image, shared_home: Home) -> None:
    found = leaks(unsealed, unsealed.ref, shared_home)
    assert [item for item in found["findings"] if item["family"] == "trace"] == []
    assert any("machine-id" in note for note in found["notes"])
