"""All customizations on a real Debian tree, which goldsmith builds without any, checked by its own programs."""

import hashlib
import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.fixtures_images import Goldsmith

pytestmark = [pytest.mark.slow, pytest.mark.image]
SCRIPT = Path(__file__).with_name("apply_to_real_tree.py")
RECIPE = """\
name: plain
version: 1.0.0
from: debian:trixie
packages:
  - systemd-sysv
  - dbus
  - openssh-server
  - nginx
  - locales
  - nftables
  - systemd-timesyncd
  - sudo
  - netbase
  - tzdata
  - console-setup
  - ca-certificates
"""
EXPECTED_DIFFERENCES = {
    "/usr/lib/os-release",
    "/etc/nftables.conf",
    "/etc/default/keyboard",
    "/etc/ca-certificates.conf",
}


def contents(tree: Path) -> dict[str, tuple[object, ...]]:
    """Every path with type, mode, owner and content."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(tree.rglob("*")):
        facts = path.lstat()
        data = str(path.readlink()) if path.is_symlink() else ""
        if stat.S_ISREG(facts.st_mode):
            data = hashlib.sha256(path.read_bytes()).hexdigest()
        found[str(path.relative_to(tree))] = (facts.st_mode, facts.st_uid, facts.st_gid, data)
    return found


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory, goldsmith: Goldsmith) -> Path:
    place = tmp_path_factory.mktemp("plain")
    (place / "recipe.yaml").write_text(RECIPE)
    for words in (
        ["build", place / "recipe.yaml"],
        ["export", "plain", "--format", "tar", "--output", place / "plain.tar"],
    ):
        done = goldsmith(*words)
        assert done.returncode == 0, done.stderr
    return place / "plain.tar"


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory, archive: Path) -> list[tuple[Path, dict[str, Any]]]:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    made = []
    for name in ("one", "two"):
        tree = tmp_path_factory.mktemp(name) / "tree"
        tree.mkdir()
        subprocess.run(["tar", "-xpf", archive, "--xattrs", "--numeric-owner", "-C", tree], check=True)
        done = subprocess.run([sys.executable, str(SCRIPT), str(tree)], stdout=subprocess.PIPE, check=True)
        made.append((tree, json.loads(done.stdout)))
    return made


def test_twice_the_same_tree(trees: list[tuple[Path, dict[str, Any]]]) -> None:
    first, second = (contents(tree) for tree, _ in trees)
    assert {path for path in first.keys() | second.keys() if first.get(path) != second.get(path)} == set()


@pytest.mark.parametrize(
    ("check", "expected"),
    [
        pytest.param(
            "id",
            "uid=1000(alice) gid=1000(alice) groups=1000(alice),27(sudo),1500(deploy)",
            id="the user is in its groups",
        ),
        pytest.param("accounts", "", id="pwck and grpck find no fault"),
        pytest.param("sudo", "NOPASSWD: ALL", id="sudo lets the user do everything"),
        pytest.param("sshd", "passwordauthentication no", id="sshd takes the settings"),
        pytest.param("locale", "Sonntag", id="the language is there"),
        pytest.param("date", "CET", id="the time zone is set"),
        pytest.param("enabled", "enabled\nenabled\ndisabled\nmasked\n", id="units are as asked"),
        pytest.param("wizard", "", id="the first boot wizard asks nothing"),
    ],
)
def test_the_trees_own_programs_agree(
    trees: list[tuple[Path, dict[str, Any]]], check: str, expected: str
) -> None:
    code, printed = trees[0][1]["checks"][check]
    assert expected in printed
    assert code == 0, printed


def test_the_first_boot_enables_nothing(trees: list[tuple[Path, dict[str, Any]]]) -> None:
    assert trees[0][1]["first boot enables nothing"] is True


def test_nothing_is_left_and_packages_are_whole(trees: list[tuple[Path, dict[str, Any]]]) -> None:
    report = trees[0][1]
    assert report["residues"] == []
    removed = {path for paths in report["sealed"].values() for path in paths}
    assert "/etc/ssh/ssh_host_ed25519_key" in removed, "a check has made host keys"
    assert {line.split()[-1] for line in report["verified"]} <= EXPECTED_DIFFERENCES
