"""What sealing does to a real image: nothing that its packages miss, and nothing of the build is left."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.assay.leaks import secrets
from tests.system.conftest import Tiny
from tests.system.driver import goldsmith

from goldsmith.builder import layers
from goldsmith.builder.seal.kept import SEAL, need_certificate
from goldsmith.model.canonical import canonical
from goldsmith.store.evidence import evidence, keep_evidence
from goldsmith.store.home import Home
from goldsmith.store.images import find, layout_of

VERIFY = Path(__file__).parent.parent / "seal/verify_tree.py"
OURS = {"/usr/lib/os-release"}
"""What goldsmith changes of a package's files: IMAGE_ID and IMAGE_VERSION."""


@pytest.mark.image
def test_packages_are_whole_after_sealing(tiny: Tiny, shared_home: Home, tmp_path: Path) -> None:
    steps = [step for step in tiny.facts["steps"] if step["name"] != "disk"]
    stack = [layers.place(shared_home, step["key"]) / "tree" for step in reversed(steps)]
    if not all(tree.is_dir() for tree in stack):  # an image outlives the layers that it was made from
        assert goldsmith("build", "recipe.yaml", "--no-cache", home=tiny.home, cwd=tiny.directory).code == 0
    command: list[str | Path] = [sys.executable, VERIFY, tmp_path / "room", *stack]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert {line.split()[-1] for line in told.splitlines()} == OURS


@pytest.mark.image
def test_an_image_has_a_certificate_and_no_leak(tiny: Tiny, shared_home: Home, tmp_path: Path) -> None:
    ref = f"tiny:1.0.0-b{tiny.facts['build']}"
    certificate: dict[str, Any] = goldsmith(
        "seal", "show", ref, "--json", home=shared_home.path, cwd=tmp_path
    ).json
    assert certificate["absent"] is True
    assert certificate["image"]["tree_digest"] == tiny.facts["tree_digest"]
    assert certificate["image"]["disk_digest"] == tiny.facts["disk_digest"]
    assert {row["operation"] for row in certificate["operations"] if row["removed"]} >= {"machine-id", "logs"}
    said = goldsmith("seal", "show", ref, home=shared_home.path, cwd=tmp_path)
    assert "a second look found nothing" in said.stdout
    leaks = json.loads(goldsmith("leaks", ref, "--json", home=shared_home.path, cwd=tmp_path).stdout)
    assert leaks["findings"] == []


KEEPING = """\
name: keeping
version: 1.0.0
from: debian:trixie
components: [id.yml]
customizations:
  hostname: kept.example
  user:
    - {name: ops, password: correct horse battery staple}
seal: {keep: [machine-id, ssh-host-keys, user-keys]}
"""
KEY = "/etc/ssh/ssh_host_ed25519_key"
PERSONS = "/root/.gnupg/private/one.key"
COMPONENT = f"""\
name: Id
schemaVersion: 1.0
phases:
  - name: build
    steps:
      - name: Id
        action: CreateFile
        inputs:
          - {{path: /etc/machine-id, content: "0123456789abcdef0123456789abcdef", overwrite: true}}
          - {{path: {KEY}, content: {json.dumps(secrets.fixed_key("host"))}, overwrite: true}}
          - {{path: {PERSONS}, content: {json.dumps(secrets.fixed_key("person"))}, overwrite: true}}
"""


@pytest.fixture(scope="module")
def keeping(tiny: Tiny, shared_home: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The data directory, with an image in it whose recipe keeps a trace and declares others."""
    room = tmp_path_factory.mktemp("keeping")
    (room / "recipe.yaml").write_text(KEEPING)
    (room / "id.yml").write_text(COMPONENT)
    tiny.lock(room)
    goldsmith("build", "recipe.yaml", "--json", home=shared_home.path, cwd=room).json  # noqa: B018 - it must have worked
    return shared_home


FOREIGN = {
    ("machine-id", "/etc/machine-id"),
    ("hostname", "/etc/hostname"),
    ("password-hash", "/etc/shadow"),
    ("ssh-host-keys", KEY),
    ("private-key", KEY),
    ("user-keys", str(Path(PERSONS).parent)),
    ("private-key", PERSONS),
}
"""What is found in it by whoever does not know its recipe."""


def found(said: str) -> set[tuple[str, str]]:
    return {(item["kind"], item["path"]) for item in json.loads(said)["findings"]}


@pytest.mark.image
def test_what_the_recipe_wants_stays_and_is_written_down(keeping: Home, tmp_path: Path) -> None:
    home = keeping.path
    certificate = goldsmith("seal", "show", "keeping", "--json", home=home, cwd=tmp_path).json
    rows = {row["operation"]: row for row in certificate["operations"]}
    assert rows["hostname"]["declared"] == ["/etc/hostname"]
    assert (rows["machine-id"]["found"], rows["machine-id"]["removed"]) == (["/etc/machine-id"], [])
    assert certificate["exceptions"][0] == {
        "operation": "machine-id",
        "reason": "recipe",
        "paths": ["/etc/machine-id"],
    }
    leaks = json.loads(goldsmith("leaks", "keeping", "--json", home=home, cwd=tmp_path).stdout)
    assert leaks["findings"] == []
    notes = " ".join(leaks["notes"])
    assert "the recipe keeps /etc/machine-id" in notes
    assert "/etc/shadow holds a secret (password-hash) that the recipe itself declares" in notes
    assert f"{KEY} holds a secret (private-key) that the recipe itself declares" in notes
    goldsmith("export", "keeping", "--format", "raw", "--output", "disk.raw", home=home, cwd=tmp_path)
    goldsmith(
        "export", "keeping", "--format", "oci-archive", "--output", "image.tar", home=home, cwd=tmp_path
    )
    for path in ("./disk.raw", "./image.tar"):
        assert found(goldsmith("leaks", path, "--json", home=home, cwd=tmp_path).stdout) == FOREIGN


@pytest.mark.image
def test_a_certificate_that_somebody_else_adds_is_not_believed(keeping: Home, tmp_path: Path) -> None:
    home, layout = keeping.path, layout_of(keeping)
    image = find(keeping, "keeping")
    own, made_here = need_certificate(layout, image)
    assert made_here
    forged = canonical({**own, "declared": ["/etc/passwd"], "exceptions": []})
    with layout.used():
        keep_evidence(layout, image.index, SEAL, forged)
    assert len(list(evidence(layout, image.index, SEAL))) == 2
    assert goldsmith("seal", "show", "keeping", "--json", home=home, cwd=tmp_path).json == own
    leaks = json.loads(goldsmith("leaks", "keeping", "--json", home=home, cwd=tmp_path).stdout)
    assert leaks["findings"] == []


@pytest.mark.image
def test_a_certificate_moves_with_its_image_and_is_hearsay_there(keeping: Home, tmp_path: Path) -> None:
    other = tmp_path / "other"
    goldsmith("push", "keeping", tmp_path / "shelf", home=keeping.path, cwd=tmp_path)
    goldsmith("pull", tmp_path / "shelf/keeping:1.0.0", home=other, cwd=tmp_path)
    said = goldsmith("seal", "show", "keeping", "--json", home=other, cwd=tmp_path)
    assert said.json["image"]["name"] == "keeping"
    assert "was not built here" in said.stderr
    leaks = goldsmith("leaks", "keeping", "--json", home=other, cwd=tmp_path).stdout
    assert found(leaks) == FOREIGN
    assert "not this store's own" in " ".join(json.loads(leaks)["notes"])


@pytest.mark.image
def test_an_image_that_goldsmith_has_not_sealed_has_no_certificate(
    tiny: Tiny, shared_home: Home, tmp_path: Path
) -> None:
    goldsmith("export", f"tiny:1.0.0-b{tiny.facts['build']}", "--format", "raw", "--output", "disk.raw", home=shared_home.path, cwd=tmp_path)  # fmt: skip
    home = tmp_path / "home"  # of its own: the shared one may have an image of this name from another day
    goldsmith("import", "disk.raw", "--name", "taken", "--version", "1.0.0", home=home, cwd=tmp_path)
    said = goldsmith("seal", "show", "taken", home=home, cwd=tmp_path)
    assert said.code == 2
    assert "taken:1.0.0 has no seal certificate" in said.stderr
    assert json.loads(goldsmith("leaks", "taken", "--json", home=home, cwd=tmp_path).stdout)["findings"] == []


TOKEN = f"token = {secrets.GITHUB}\n"
READ_ONLY = """\
name: readonly
version: 1.0.0
from: debian:trixie
components: [token.yml]
disk: {root: erofs}
"""


@pytest.mark.image
def test_a_root_that_goldsmith_cannot_read_is_searched_by_its_layers(
    tiny: Tiny, shared_home: Home, tmp_path: Path
) -> None:
    home = shared_home.path
    step = {
        "name": "Token",
        "action": "CreateFile",
        "inputs": [{"path": "/opt/app.conf", "content": TOKEN, "overwrite": True}],
    }
    document = {"name": "Token", "schemaVersion": 1.0, "phases": [{"name": "build", "steps": [step]}]}
    (tmp_path / "token.yml").write_text(json.dumps(document))
    (tmp_path / "recipe.yaml").write_text(READ_ONLY)
    tiny.lock(tmp_path)
    goldsmith("build", "recipe.yaml", "--json", home=home, cwd=tmp_path).json  # noqa: B018 - it must have worked
    report = json.loads(goldsmith("leaks", "readonly", "--json", home=home, cwd=tmp_path).stdout)
    assert (report["complete"], {(item["kind"], item["path"]) for item in report["findings"]}) == (
        True,
        {("github-pat", "/opt/app.conf")},
    )
    goldsmith("export", "readonly", "--format", "raw", "--output", "disk.raw", home=home, cwd=tmp_path)
    foreign = json.loads(goldsmith("leaks", "./disk.raw", "--json", home=home, cwd=tmp_path).stdout)
    assert foreign["complete"] is False
    assert "github-pat" in {item["kind"] for item in foreign["findings"] if item["where"] == "partition"}
