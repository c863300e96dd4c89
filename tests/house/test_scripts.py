"""The commands of the README, as far as they can be judged without changing the host."""

import re
import subprocess
from pathlib import Path

import pytest

from goldsmith.effects.process import PACKAGE_OF

ROOT = Path(__file__).parent.parent.parent
SCRIPTS = [*sorted((ROOT / "script").iterdir()), ROOT / ".ci/run"]
TOUCHES_THE_HOST = re.compile(
    r"\b(systemd-resolved|resolvconf|openresolv|dnsmasq|unbound|bind9|network-manager|netplan|ifupdown"
    r"|grub-\w+|systemd-boot|shim-signed|linux-image-\w+|initramfs-tools|dracut)\b"
)
"""Packages that change how a host resolves names, or how it boots."""


def packages_of_setup() -> tuple[set[str], set[str]]:
    """What script/setup installs for every user, and what more for the tests."""
    text = (ROOT / "script/setup").read_text()
    run, more = re.findall(r'packages="([^"]*)"', text)
    return set(run.split()), set(more.split()) - {"$packages"}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_every_script_is_one(script: Path) -> None:
    assert script.stat().st_mode & 0o111
    assert script.read_text().startswith("#!/bin/sh\n#")
    assert "set -eu\n" in script.read_text()
    assert subprocess.run(["sh", "-n", script], check=False, capture_output=True).stderr == b""


def test_setup_installs_nothing_that_touches_dns_or_boot() -> None:
    run, more = packages_of_setup()
    packages = run | more
    assert len(packages) > 20
    assert [name for name in sorted(packages) if TOUCHES_THE_HOST.search(name)] == []


@pytest.mark.parametrize("name", ["systemd-resolved", "grub-pc", "linux-image-amd64"])
def test_the_check_for_such_packages_finds(name: str) -> None:
    assert TOUCHES_THE_HOST.search(name)


def test_setup_installs_every_host_program_that_goldsmith_names() -> None:
    run, more = packages_of_setup()
    assert set(PACKAGE_OF.values()) - run == set()
    assert run & more == set()


def test_nothing_recommended_is_installed() -> None:
    for script in SCRIPTS:
        text = script.read_text().replace("\\\n", " ")
        installs = [line for line in text.splitlines() if re.search(r"apt-get install", line)]
        assert all("--no-install-recommends" in line for line in installs), script.name


def test_setup_says_what_it_takes() -> None:
    done = subprocess.run(
        [ROOT / "script/setup", "--nonsense"], capture_output=True, text=True, check=False, cwd="/"
    )
    assert done.returncode == 2
    assert done.stderr == "usage: script/setup [--dev]\n"
