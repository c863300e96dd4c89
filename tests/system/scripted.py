"""Packages with scripts, in a signed archive of their own, and images of the smallest kind with them."""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.lock.archive import Archive, Signer, deb
from tests.system.conftest import TINY, Tiny


@dataclass(frozen=True)
class Scripted:
    """A package: its maintainer scripts, its files, and which of these are configuration files."""

    name: str
    scripts: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    conffiles: str = ""
    version: str = "1.0"


def make(package: Scripted, pool: Path) -> None:
    """Make its .deb."""
    tree = pool.parent / package.name
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(
        f"Package: {package.name}\nVersion: {package.version}\nArchitecture: all\n"
        "Maintainer: A Test <test@example.invalid>\nDescription: a test\n"
    )
    for script, text in package.scripts.items():
        (tree / "DEBIAN" / script).write_text(text)
        (tree / "DEBIAN" / script).chmod(0o755)
    for path, text in package.files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text)
    if package.conffiles:
        (tree / "DEBIAN/conffiles").write_text(package.conffiles)
    subprocess.run(["chmod", "-R", "u=rwX,go=rX", tree], check=True)
    target = pool / f"{package.name}_{package.version}_all.deb"
    command = ["dpkg-deb", "-Znone", "--root-owner-group", "--build", str(tree), str(target)]
    subprocess.run(command, check=True, capture_output=True)
    shutil.rmtree(tree)


def write_archive(room: Path, key: Signer, packages: Sequence[Scripted]) -> None:
    """An archive with these packages in ``room``, beside its key."""
    pool = room / "archive/pool/main"
    pool.mkdir(parents=True)
    for package in packages:
        make(package, pool)
    Archive(room / "archive", key).publish("./", [deb(package.name, package.version) for package in packages])
    shutil.copy(key.public, room / "archive.asc")


def write_recipe(room: Path, name: str, packages: Sequence[str], more: str = "") -> None:
    """A recipe that takes packages from the archive in ``room``."""
    (room / "recipe.yaml").write_text(
        f"{TINY.replace('name: tiny', f'name: {name}')}packages: [{', '.join(packages)}]\n"
        f"repositories:\n  - {{uri: 'file://{room}/archive', key: archive.asc, suite: ./, keep: false}}\n{more}"
    )


def prepare(room: Path, tiny: Tiny, key: Signer, packages: Sequence[Scripted]) -> None:
    """An archive, and the lock of the smallest image to start from."""
    write_archive(room, key, packages)
    tiny.lock(room)
