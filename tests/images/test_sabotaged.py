"""Spoiled images are caught, each for the right reason; the good one is not."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.fixtures_images import Goldsmith
from tests.images.sabotage import SABOTAGES, STANDING, Sabotage, Spoiled, service

from goldsmith.disk.stored import raw_disk
from goldsmith.effects.files import locked
from goldsmith.store.home import Home
from goldsmith.store.images import find

RECIPE = """\
name: spoiled
version: 1.0.0
from: debian:trixie
packages: [openssh-server, dbus, tzdata, systemd-timesyncd]
customizations:
  user:
    - name: ops
      groups: [adm]
  timezone:
    timezone: Europe/Berlin
  sysctl:
    net.core.somaxconn: 1024
  files:
    - path: /etc/motd
      data: "golden\\n"
  services:
    enabled: [ssh, systemd-timesyncd]
tests: [check.sh, test_*.py]
"""
CHECK = "systemctl is-active ssh && test -s /etc/machine-id\n"
PYTHON = """\
def test_ops(host):
    assert host.user("ops").exists
    assert host.package("openssh-server").is_installed


def test_ssh(host):
    assert host.service("ssh").is_running
"""
CHANGES = """\
name: changes
schemaVersion: 1.0
phases:
  - name: validate
    steps:
      - name: Write
        action: CreateFile
        inputs: [{path: /srv/new/file, content: "golden", owner: ops, permissions: 0640}]
      - name: See
        action: ExecuteBash
        inputs:
          commands: ["[ $(stat -c %U,%a '{{ validate.Write.outputs.path }}') = ops,640 ]"]
  - name: test
    steps:
      - name: Copy
        action: CopyFolder
        inputs: [{source: /srv/new, destination: /srv/copy}]
      - name: Delete
        action: DeleteFolder
        inputs: [{path: /srv/new, force: true}]
      - name: Judge
        action: Assert
        inputs: {and: [{fileExists: /srv/copy/file}, {not: {folderExists: /srv/new}}]}
"""
TIMEOUT = "600"
pytestmark = [pytest.mark.slow, pytest.mark.image]


@pytest.fixture(scope="session")
def recipe(shared_home: Home, goldsmith: Goldsmith) -> Path:
    place = shared_home / "recipes/spoiled"
    with locked(shared_home / "recipes/.lock"):
        place.mkdir(parents=True, exist_ok=True)
        (place / "recipe.yaml").write_text(RECIPE)
        (place / "check.sh").write_text(CHECK)
        (place / "test_machine.py").write_text(PYTHON)
        built = goldsmith("build", place / "recipe.yaml", "--update-lock")
    assert built.returncode == 0, built.stderr
    return place / "recipe.yaml"


def prove(home: Home, ref: str | Path, recipe: Path, *options: str) -> dict[str, Any]:
    done = subprocess.run(
        [
            *(
                sys.executable,
                "-c",
                "from goldsmith.cli.main import main; main()",
                "test",
                str(ref),
                "--json",
                "--again",
            ),
            *("--recipe", str(recipe), "--timeout", TIMEOUT, *options),
        ],
        env={**os.environ, "GOLDSMITH_HOME": str(home.path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=3600,
    )
    assert done.returncode in {0, 1}, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert told["ok"] is (done.returncode == 0)
    return told


def wrong(told: dict[str, Any]) -> list[dict[str, Any]]:
    return [item for item in told["assertions"] if item["standing"] == "failed"]


def catching(told: dict[str, Any], row: Sabotage) -> list[str]:
    """The failures that say what a sabotage is, in its group."""
    return [
        shortly(item)
        for item in wrong(told)
        if item["group"] == row.group.value
        and row.said in " ".join([item["name"], item["reason"], *item["lines"]])
    ]


def shortly(item: dict[str, Any]) -> str:
    """A failure in a line."""
    return f"{item['group']}: {item['name']}: {item['reason']}"


@pytest.mark.parametrize("_time", range(1, 8))
def test_the_good_image_is_proved(shared_home: Home, recipe: Path, _time: int) -> None:
    """Three boots each time, 21 in all: no false alarm."""
    told = prove(shared_home, "spoiled", recipe)
    assert wrong(told) == []
    assert {item["group"] for item in told["assertions"]} == {
        "health",
        "identity",
        "recipe",
        "tests",
        "surface",
        "again",
    }


@pytest.mark.parametrize("row", SABOTAGES, ids=lambda row: row.name)
def test_a_spoiled_image_is_caught(
    shared_home: Home,
    recipe: Path,
    tmp_path: Path,
    row: Sabotage,
    record_property: Callable[[str, object], None],
) -> None:
    """The results file of pytest (``--junit-xml``) has what caught it, and all that was said of it."""
    image = Spoiled(raw_disk(shared_home, find(shared_home, "spoiled")), tmp_path)
    row.spoil(image)
    told = prove(shared_home, image.disk, recipe, *row.options)
    caught = catching(told, row)
    record_property("caught", "; ".join(caught))
    record_property("said", "; ".join(shortly(item) for item in wrong(told)))
    assert caught, wrong(told)


def test_what_a_recipe_allows_and_does_inside(shared_home: Home, recipe: Path, tmp_path: Path) -> None:
    """A unit rests longer than a hung one may; a component changes files, which a throw-away machine may have."""
    image = Spoiled(raw_disk(shared_home, find(shared_home, "spoiled")), tmp_path)
    image.unit("rests.service", service("sleep 75"))
    other = tmp_path / "other"
    shutil.copytree(recipe.parent, other)
    (other / "recipe.yaml").write_text(f"{RECIPE}expect: {{slow: [rests]}}\ncomponents: [changes.yml]\n")
    (other / "changes.yml").write_text(CHANGES)
    told = prove(shared_home, image.disk, other / "recipe.yaml")
    assert wrong(told) == []
    phases = [item for item in told["assertions"] if item["name"].startswith("component changes.yml: ")]
    assert [item["standing"] for item in phases] == ["passed", "passed"], phases


def test_many_at_once_are_all_named(shared_home: Home, recipe: Path, tmp_path: Path) -> None:
    image = Spoiled(raw_disk(shared_home, find(shared_home, "spoiled")), tmp_path)
    for row in STANDING:
        row.spoil(image)
    told = prove(shared_home, image.disk, recipe, *(word for row in STANDING for word in row.options))
    assert [row.name for row in STANDING if not catching(told, row)] == [], wrong(told)
    kept = {path.parent.name for path in Path(told["kept"]).glob("clone-*/start-*-journal.log")}
    assert kept == {"clone-1", "clone-2"}
