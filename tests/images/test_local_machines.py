"""A machine's whole life with a real guest: commands, files, SSH, a snapshot, a clone with an identity of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.images.test_sabotaged import recipe

from goldsmith.store.home import Home

pytestmark = [pytest.mark.slow, pytest.mark.image]
NAMES = ("life-one", "life-two")
__all__ = ["recipe"]

Vm = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def vm(shared_home: Home, recipe: Path) -> Iterator[Vm]:
    assert recipe.exists()

    def run(*words: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            [sys.executable, "-c", "from goldsmith.cli.main import main; main()", "vm", *words],
            env={**os.environ, "GOLDSMITH_HOME": str(shared_home.path)},
            capture_output=True,
            text=True,
            check=False,
            timeout=1800,
        )
        assert done.returncode == code, (words, done.stdout, done.stderr)
        return done

    yield run
    for name in NAMES:
        subprocess.run(
            [
                sys.executable,
                "-c",
                "from goldsmith.cli.main import main; main()",
                "vm",
                "delete",
                "--force",
                name,
            ],
            env={**os.environ, "GOLDSMITH_HOME": str(shared_home.path)},
            capture_output=True,
            check=False,
        )


def shown(vm: Vm, name: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(vm("show", name, "--json").stdout)
    return told


def test_a_life(vm: Vm, tmp_path: Path) -> None:
    one, two = NAMES
    vm("create", one, "--image", "spoiled", "--disk", "3G")
    vm("start", one, "--wait", "--timeout", "900")
    assert vm("exec", one, "--", "sh", "-c", "echo out; echo err >&2; exit 7", code=7).stdout == "out\n"
    assert vm("ssh", one, "--wait", "300", "--", "id", "-un").stdout == "root\n"
    assert vm("ssh", one, "--user", "ops", "--", "id", "-un").stdout == "ops\n"
    sent = tmp_path / "sent"
    (sent / "below").mkdir(parents=True)
    (sent / "below/data").write_bytes(os.urandom(3 << 20))
    vm("copy", str(sent), f"{one}:/root/")
    vm("copy", f"{one}:/root/sent", str(tmp_path / "back"))
    assert (tmp_path / "back/below/data").read_bytes() == (sent / "below/data").read_bytes()
    vm("screenshot", one, str(tmp_path / "shot.png"))
    assert (tmp_path / "shot.png").read_bytes().startswith(b"\x89PNG")
    vm("snapshot", "create", one, "with-data")
    vm("exec", one, "--", "rm", "-r", "/root/sent")
    before = vm("exec", one, "--", "cat", "/etc/machine-id").stdout
    vm("stop", one, "--timeout", "300")
    assert shown(vm, one)["state"] == "stopped"
    vm("snapshot", "revert", one, "with-data")
    vm("clone", one, two)
    assert shown(vm, two)["identity_pending"]
    vm("delete", one)
    vm("start", two, "--wait", "--timeout", "900")
    told = shown(vm, two)
    assert not told["identity_pending"]
    assert told["identity"]["machine-id"] != before.strip()
    assert vm("exec", two, "--", "ls", "/root/sent/below").stdout == "data\n"
