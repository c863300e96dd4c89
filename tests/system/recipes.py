"""Recipes of the system tests; those of the same packages as the smallest image share its lock."""

import json
import os
import shutil
from pathlib import Path

from tests.system.conftest import LOCKS, Tiny

RICH = """\
name: rich
version: 1.0.0
from: debian:trixie
description: much of what a recipe can say, with no more packages than the smallest image
labels: {team: tests}
components: [component.yml]
customizations:
  hostname: rich.example.invalid
  kernel: {append: quiet}
  group:
    - {name: makers, gid: 2000}
  user:
    - {name: ops, uid: 2001, groups: [makers], password: correct horse battery staple, home: /srv/ops}
    - {name: locked}
  files:
    - {path: /etc/rich/one.conf, data: "one\\n", mode: "0600", user: ops, group: makers}
    - {path: /etc/motd, source: motd}
  directories:
    - {path: /etc/rich}
    - {path: /srv/data, mode: "2770", group: makers}
  sysctl: {net.core.somaxconn: 1024}
"""
COMPONENT = """\
name: Component
schemaVersion: 1.0
phases:
  - name: build
    steps:
      - name: Make
        action: ExecuteBash
        inputs:
          commands:
            - mkdir -p /opt/made
            - for n in $(seq 50); do echo "$n" >/opt/made/$n; done
            - ln /opt/made/1 /opt/made/linked
            - ls -U /opt/made | sort >/opt/list
            - "true SAYS"
"""


def write_rich(directory: Path, tiny: Tiny, says: str = "") -> Path:
    """The rich recipe, locked; ``says`` is a further command of its component."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "recipe.yaml").write_text(RICH)
    (directory / "component.yml").write_text(COMPONENT.replace("true SAYS", says or "true"))
    (directory / "motd").write_text("welcome\n")
    tiny.lock(directory)
    return directory


def packages_of(tiny: Tiny) -> list[str]:
    """SHA-256 of every package that its locks name."""
    found = []
    for name in LOCKS:
        lock = json.loads((tiny.directory / name).read_text())
        found += [package["sha256"] for package in lock["packages"]]
    return sorted(set(found))


def supply(home: Path, tiny: Tiny, *, owner: int = 0) -> None:
    """Put the packages of a lock into an empty data directory, and nothing else."""
    for sha256 in packages_of(tiny):
        place = f"packages/sha256/{sha256[:2]}"
        (home / place).mkdir(parents=True, exist_ok=True)
        shutil.copy(tiny.home / place / sha256, home / place / sha256)
    if owner:
        for directory, _, names in os.walk(home):
            for name in [".", *names]:
                os.chown(Path(directory, name), owner, owner)
