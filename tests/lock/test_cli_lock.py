import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.lock.archive import Archive, Signer, deb
from tests.lock.server import Server

RECIPE = """\
name: web
version: 1.0.0
from: debian:trixie
packages:
  - web
"""


@dataclass(frozen=True)
class Workplace:
    """A recipe, an archive, and the command."""

    archive: Archive
    server: Server
    directory: Path
    key: Signer

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        program = "import sys; sys.argv[0] = 'goldsmith'; from goldsmith.cli.main import main; main()"
        command = [sys.executable, "-c", program, "lock", str(self.directory / "web.yaml"), *words]
        environment = {
            "PATH": os.environ["PATH"],
            "GOLDSMITH_HOME": str(self.directory / "home"),
            "GOLDSMITH_MIRROR": f"{self.server.address} -",
            "GOLDSMITH_MIRROR_KEYRING": str(self.key.public),
        }
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)

    def write(self, packages: Sequence[str] = ("web",)) -> None:
        (self.directory / "web.yaml").write_text(
            RECIPE.replace("  - web\n", "".join(f"  - {p}\n" for p in packages))
        )


@pytest.fixture
def place(archive: Archive, server: Server, key: Signer, tmp_path: Path) -> Workplace:
    archive.publish_trixie([deb("web", Depends="libweb"), deb("libweb")])
    (tmp_path / "image").mkdir()
    made = Workplace(archive, server, tmp_path / "image", key)
    made.write()
    return made


def test_a_lock_is_made_checked_and_renewed(place: Workplace) -> None:
    lock = place.directory / "web.lock"
    missing = place.run("--check")
    assert missing.returncode == 3
    assert f"there is no lock '{lock}'" in missing.stderr

    made = place.run()
    assert made.returncode == 0, made.stderr
    assert made.stdout.splitlines()[0].startswith(f"{lock}: 15 packages, ")
    assert made.stdout.splitlines()[1] == (
        "added by goldsmith: e2fsprogs, initramfs-tools, kmod, linux-image-cloud-amd64, systemd-repart, "
        "systemd-sysv, udev, zstd"
    )
    assert made.stderr.splitlines() == [
        "reading package lists",
        "choosing tools",
        "reading package lists",
        "choosing packages",
    ]
    assert {path.name for path in place.directory.iterdir()} == {
        "web.yaml",
        "web.lock",
        "goldsmith-tools.lock",
        "home",
    }
    same = place.run("--check")
    assert (same.returncode, same.stdout.splitlines()[-1]) == (0, "nothing changed")

    place.archive.publish_trixie([deb("web", "2.0", Depends="newlib"), deb("newlib")])
    before = lock.read_bytes()
    newer = place.run("--check")
    assert newer.returncode == 1
    assert newer.stdout.splitlines()[-4:] == [
        "newer inputs exist: 3",
        "  - libweb 1.0",
        "  + newlib 1.0",
        "  web 1.0 → 2.0",
    ]
    assert lock.read_bytes() == before

    renewed = place.run("--json")
    said = json.loads(renewed.stdout)
    assert renewed.returncode == 0
    assert said["changes"] == [
        {"kind": "removed", "name": "libweb", "old": "1.0", "new": ""},
        {"kind": "added", "name": "newlib", "old": "", "new": "1.0"},
        {"kind": "changed", "name": "web", "old": "1.0", "new": "2.0"},
    ]
    assert (said["packages"], said["tools"], said["new"]) == (15, 18, False)

    place.write(["web", "-newlib"])
    stale = place.run("--check")
    assert stale.returncode == 3
    assert f"the recipe asks for something that '{lock}' does not hold" in stale.stderr


def test_a_mistake_is_told_at_its_place(place: Workplace) -> None:
    place.write(["libweb", "wep"])
    done = place.run()
    assert done.returncode == 2
    assert done.stderr.splitlines()[-2:] == [
        f"goldsmith: {place.directory}/web.yaml:6:5: there is no package 'wep'",
        "  hint: did you mean web?",
    ]
    assert not (place.directory / "web.lock").exists()


def test_the_tools_lock_is_kept_until_it_is_asked_for(place: Workplace) -> None:
    place.run()
    tools = place.directory / "goldsmith-tools.lock"
    before = tools.read_bytes()
    place.archive.publish_trixie([deb("mtools", "9.0"), deb("web"), deb("libweb")])
    place.run()
    assert tools.read_bytes() == before
    done = place.run("--tools")
    assert b'"mtools", "version": "9.0"' in tools.read_bytes()
    assert "  the tools " in done.stdout


def test_offline_the_cache_is_enough(place: Workplace) -> None:
    cold = place.run("--offline")
    assert cold.returncode == 7
    assert "the package lists are not in the cache, and --offline forbids to read them" in cold.stderr
    place.run()
    place.server.shutdown()
    assert place.run("--offline").returncode == 0
