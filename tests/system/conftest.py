"""What the system tests share: one data directory for the whole run, and the smallest image that boots."""

import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.lock.archive import Signer, signer
from tests.system.driver import goldsmith

from goldsmith.effects.files import locked
from goldsmith.store.home import Home

TINY = "name: tiny\nversion: 1.0.0\nfrom: debian:trixie\n"
LOCKS = ("recipe.lock", "goldsmith-tools.lock")
PROJECT = Path(__file__).parent.parent.parent
SHOW = """
mkdir -p "$2"
mount --bind "$1" "$2"
mount -t tmpfs -o mode=755 none "$3"
mkdir -p "$1"
mount --bind "$2" "$1"
shift 3
exec "$@"
"""
"""Mounts an empty directory over the closed one, and the project at its old place in it."""


@dataclass(frozen=True)
class Tiny:
    """A built image and what it was built from."""

    directory: Path
    """Holds ``recipe.yaml`` and its locks."""
    home: Path
    """Where it was built."""
    facts: dict[str, Any]
    """What ``build --json`` said."""

    def lock(self, directory: Path) -> None:
        """Give a recipe with the same packages this lock."""
        for name in LOCKS:
            shutil.copy(self.directory / name, directory / name)


@pytest.fixture(scope="session")
def tiny(shared_home: Home) -> Tiny:
    """The smallest image: Debian's essential packages and a kernel."""
    directory = shared_home / "recipes/tiny"
    with locked(shared_home / "recipes/.lock"):
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "recipe.yaml").write_text(TINY)
        said = goldsmith(
            "build", "recipe.yaml", "--update-lock", "--json", home=shared_home.path, cwd=directory
        )
    return Tiny(directory, shared_home.path, said.json)


@pytest.fixture(scope="session")
def key() -> Iterator[Signer]:
    with signer("archive") as made:
        yield made


@pytest.fixture(scope="session")
def debs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("debs")


@dataclass(frozen=True)
class Person:
    """An ordinary user of this host, with subordinate ids."""

    name: str
    directory: Path

    @property
    def prefix(self) -> list[str]:
        """A command that runs another as this user."""
        account = pwd.getpwnam(self.name)
        ids = [f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
        return [*self._shown(), "setpriv", *ids, "env", f"HOME={self.directory}"]

    def _shown(self) -> list[str]:
        """Where the project lies below a closed directory (root's home), show this user the project and nothing else."""
        closed = [parent for parent in PROJECT.parents if not parent.stat().st_mode & stat.S_IXOTH]
        if not closed:
            return []
        aside = str(self.directory / "project")
        return ["unshare", "--mount", "sh", "-ec", SHOW, "sh", str(PROJECT), aside, str(closed[-1])]


@pytest.fixture(scope="session")
def person() -> Iterator[Person]:
    """A user who exists for this run only."""
    if os.geteuid() != 0:
        pytest.skip("only root can make a user to be")
    if shutil.which("newuidmap") is None or shutil.which("useradd") is None:
        pytest.skip("needs the packages uidmap and passwd")
    name = f"gs{os.getpid()}"
    directory = Path(f"/var/tmp/{name}")
    subprocess.run(["useradd", "-K", "SUB_UID_COUNT=65536", "-m", "-d", directory, name], check=True)
    try:
        yield Person(name, directory)
    finally:
        # Its trees belong to subordinate ids, which only root can remove.
        subprocess.run(["userdel", "-f", name], check=False, capture_output=True)
        shutil.rmtree(directory, ignore_errors=True)
