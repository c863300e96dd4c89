"""A package's script that wants to get out: it cannot write outside the tree, nor reach the network or the host."""

import os
import shutil
import socket
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from tests.lock.archive import Archive, Signer, build_deb, deb, signer
from tests.lock.server import serving
from tests.system.conftest import TINY, Tiny
from tests.system.driver import goldsmith, processes_about
from tests.system.inside import index, read

from goldsmith.builder.deb import unpack
from goldsmith.errors import IntegrityError

pytestmark = pytest.mark.image
SCRIPT = Path(__file__).with_name("hostile.postinst")


@dataclass(frozen=True)
class Attack:
    """What became of a build with a hostile package."""

    room: Path
    home: Path
    facts: dict[str, Any]
    results: dict[str, str]
    """What the script says of each attempt: ``did`` or ``could not``."""
    asked: list[str]
    """What the server on the loopback was asked by anybody but the package manager."""
    victim_lives: bool
    host_name: str


@pytest.fixture(scope="module")
def key() -> Iterator[Signer]:
    with signer("hostile") as made:
        yield made


@pytest.fixture(scope="module")
def room(tiny: Tiny) -> Iterator[Path]:
    """Not below /tmp, which is another one in the sandbox anyway."""
    with tempfile.TemporaryDirectory(dir=tiny.home.parent, prefix="goldsmith-hostile-") as name:
        yield Path(name)


@pytest.fixture(scope="module")
def attack(tiny: Tiny, key: Signer, room: Path) -> Iterator[Attack]:
    """Build an image with the package; its archive is a signed directory of this host."""
    host = room / "host"
    host.mkdir()
    (host / "secret").write_text("secret\n")
    victim = subprocess.Popen(["sleep", "1000"])
    listener = socket.socket(socket.AF_UNIX)
    try:
        with serving(room) as server:
            port = server.server_address[1]
            listener.bind(f"\0goldsmith-test-{port}")
            listener.listen()
            make_archive(room, key, {"HOST": str(host), "PORT": str(port), "VICTIM": str(victim.pid)})
            name = socket.gethostname()
            facts = build(room, tiny)
            text = read(tiny.home, facts, "/var/lib/hostile/results")
            results = dict(line.rsplit(": ", 1) for line in text.splitlines() if ": " in line)
            lives = victim.poll() is None
            yield Attack(room, tiny.home, facts, results, list(server.asked), lives, name)
    finally:
        listener.close()
        victim.kill()
        victim.wait()


def make_archive(room: Path, key: Signer, values: dict[str, str]) -> None:
    """A flat archive with the one package."""
    script = SCRIPT.read_text()
    for name, value in values.items():
        script = script.replace(f"@{name}@", value)

    pool = room / "archive/pool/main"
    pool.mkdir(parents=True)
    old = os.umask(0o022)
    try:
        make_with_script("hostile_1.0_all.deb", script, pool)
    finally:
        os.umask(old)
    Archive(room / "archive", key).publish("./", [deb("hostile")])
    shutil.copy(key.public, room / "archive.asc")


def make_with_script(name: str, script: str, pool: Path) -> None:
    """The package itself, with an executable script."""
    tree = pool.parent / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(
        "Package: hostile\nVersion: 1.0\nArchitecture: all\n"
        "Maintainer: A Test <test@example.invalid>\nDescription: a test\n"
    )
    (tree / "DEBIAN/postinst").write_text(script)
    (tree / "DEBIAN/postinst").chmod(0o755)
    command = ["dpkg-deb", "-Znone", "--root-owner-group", "--build", str(tree), str(pool / name)]
    subprocess.run(command, check=True, capture_output=True)
    shutil.rmtree(tree)


def build(room: Path, tiny: Tiny) -> dict[str, Any]:
    """The smallest image with the hostile package."""
    tiny.lock(room)
    (room / "recipe.yaml").write_text(
        f"{TINY.replace('name: tiny', 'name: hostile')}packages: [hostile]\n"
        f"repositories:\n  - {{uri: 'file://{room}/archive', key: archive.asc, suite: ./, keep: false}}\n"
        "customizations:\n  files:\n    - {path: /var/lib/hostile/link/through-a-link, data: x}\n"
    )
    line = ["build", "recipe.yaml", "--update-lock", "--json"]
    return goldsmith(*line, home=tiny.home, cwd=room).json


FORBIDDEN = (
    "see the host's file",
    "connect to the host's loopback",
    "connect to another network",
    "connect to an abstract socket",
    "kill a process of the host",
    "see a process of the host",
    "make the disk's device",
    "make another disk's device",
    "read the kernel's memory",
    "mount a tmpfs",
    "mount the proc again",
    "make a network namespace",
    "enter the host's namespace",
    "change the kernel's host name",
    "change what handles core dumps",
    "press the magic key",
    "change the host's clock",
    "raise a resource limit",
)


@pytest.mark.parametrize("attempt", FORBIDDEN)
def test_a_packages_script_could_not(attempt: str, attack: Attack) -> None:
    assert attack.results[attempt] == "could not"


def test_the_script_did_run(attack: Attack) -> None:
    """The canary: what is allowed did happen, in the tree."""
    assert attack.results["write to the host by ''"] == "did"
    tree = index(attack.home, attack.facts)
    assert tree["/var/lib/hostile/link"][1] == "symlink"
    assert tree["/var/lib/hostile/jail"][1] == "dir"


def test_nothing_was_written_on_the_host(attack: Attack) -> None:
    host = attack.room / "host"
    assert sorted(path.name for path in host.iterdir()) == ["secret"]
    assert (host / "secret").read_text() == "secret\n"


def test_nobody_asked_the_server(attack: Attack) -> None:
    assert attack.asked == []


def test_nothing_of_the_host_was_killed_or_renamed(attack: Attack) -> None:
    assert attack.victim_lives
    assert socket.gethostname() == attack.host_name


def test_what_the_script_started_is_gone(attack: Attack) -> None:
    assert processes_about(Path("sleep 10000 ")) == []
    assert attack.facts["name"] == "hostile"


def test_files_of_the_cache_are_as_they_were(attack: Attack) -> None:
    """The tree's files are links to the cache's; what the script wrote to them must be copies."""
    tree = index(attack.home, attack.facts)
    assert tree["/usr/lib/os-release"][7] != ""
    for path in (attack.home / "cache").glob("debs*/*/**/usr/lib/os-release"):
        assert "hostile" not in path.read_text()
    assert "hostile" in read(attack.home, attack.facts, "/usr/share/base-files/motd")
    for path in (attack.home / "cache").glob("debs*/*/**/usr/share/base-files/motd"):
        assert "hostile" not in path.read_text()


@pytest.mark.parametrize(
    ("name", "kind", "target"),
    [
        ("./../../../escaped", tarfile.REGTYPE, ""),
        ("/etc/absolute/../../../escaped", tarfile.REGTYPE, ""),
        ("./usr/hard", tarfile.LNKTYPE, "../../../etc/hostname"),
        ("./usr/disk", tarfile.BLKTYPE, ""),
    ],
    ids=["a path with dots", "an absolute path with dots", "a hard link to the host", "a device"],
)
def test_a_crafted_package_is_refused_or_harmless(
    name: str, kind: bytes, target: str, tmp_path: Path
) -> None:
    tree = tmp_path / "a/b/tree"
    control = tmp_path / "a/b/control"
    path = crafted(tmp_path, name, kind, target)
    with pytest.raises(IntegrityError, match=r"leads out of|no file before it|a device"):
        unpack(path, tree, control)
    assert not list(tmp_path.rglob("escaped"))


def crafted(room: Path, name: str, kind: bytes, target: str) -> Path:
    """A .deb with one member that dpkg-deb would not make."""
    honest = build_deb(deb("crafted"), room)
    data = BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, target
        archive.addfile(member)
    (room / "data.tar").write_bytes(data.getvalue())
    (room / "debian-binary").write_text("2.0\n")
    subprocess.run(["ar", "x", honest.name, "control.tar"], cwd=room, check=True)
    subprocess.run(["ar", "qc", "odd.deb", "debian-binary", "control.tar", "data.tar"], cwd=room, check=True)
    return room / "odd.deb"
