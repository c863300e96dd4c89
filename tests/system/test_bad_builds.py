"""Builds that cannot be: each folder of the corpus gives exactly its message, and leaves nothing behind.

``case.yaml`` says how ``goldsmith build recipe.yaml`` is called:

- ``world``: ``tiny`` (the caches and the lock of the smallest image), ``archive`` (an empty data directory and a small
  archive on the loopback), or ``empty`` (an empty data directory, and the lock of the smallest image);
- ``words``: more words of the command line; ``verb``: another verb than ``build``;
- ``environment``: variables; ``lies``: what the archive's server says instead of the truth, by path;
- ``before``: a shell script that runs in the folder first; ``wrap``: one that ends in ``exec "$@"``, the command;
- ``user``: run as an ordinary user; ``path``: the command's ``PATH``.

``expected.txt`` is the exit code and the message.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.lock.archive import Archive, Signer, deb
from tests.lock.server import Server, serving
from tests.system.conftest import Person, Tiny
from tests.system.driver import Said, assert_nothing_is_left, goldsmith

pytestmark = pytest.mark.image

CORPUS = Path(__file__).parent.parent / "corpus" / "builds"
CASES = sorted(path.parent for path in CORPUS.glob("*/case.yaml"))
PACKAGES = (
    deb("nginx", Depends="libc6 (>= 2.0)"),
    deb("nginx-light", Conflicts="nginx"),
    deb("libc6", "2.41"),
    deb("openssh-server", Depends="openssh-client (= 1:10.0)"),
    deb("openssh-client", "1:9.9"),
)
"""What the small archive has besides what every image needs."""


@dataclass(frozen=True)
class Case:
    """One build that cannot be."""

    folder: Path
    says: Mapping[str, Any]

    @property
    def words(self) -> list[str]:
        return [self.says.get("verb", "build"), "recipe.yaml", *self.says.get("words", ())]


@dataclass(frozen=True)
class World:
    """Where a case happens."""

    directory: Path
    home: Path
    environment: Mapping[str, str]
    server: Server | None = None


def read_case(folder: Path) -> Case:
    return Case(folder, yaml.safe_load((folder / "case.yaml").read_text()))


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


def make_world(case: Case, room: Path, tiny: Tiny, key: Signer, debs: Path, stack: ExitStack) -> World:
    """The folder, copied to where it may be written to, and what is around it."""
    directory = room / "case"
    shutil.copytree(case.folder, directory)
    kind = case.says["world"]
    home = tiny.home if kind == "tiny" else room / "home"
    given = {name: str(value) for name, value in case.says.get("environment", {}).items()}
    if kind != "archive":
        if not case.says.get("unlocked"):
            tiny.lock(directory)
        return World(directory, home, given)
    (room / "archive").mkdir()
    archive = Archive(room / "archive", key, debs)
    archive.publish_trixie(PACKAGES)
    server = stack.enter_context(serving(archive.root))
    for path, lie in case.says.get("lies", {}).items():
        server.lies[path] = [lie]
    mirror = {"GOLDSMITH_MIRROR": f"{server.address} -", "GOLDSMITH_MIRROR_KEYRING": str(key.public)}
    return World(directory, home, mirror | given, server)


def play(case: Case, world: World, person: Person | None) -> Said:
    """Do what the case says."""
    variables = {"HOME_OF_DATA": str(world.home), "ROOM": str(world.directory.parent)}
    if "before" in case.says:
        script = ["sh", "-ec", case.says["before"]]
        around = {**os.environ, **variables, **world.environment}
        subprocess.run(script, cwd=world.directory, env=around, check=True)
    if person is not None:
        for parent in list(world.directory.parents)[:3]:  # pytest makes its directories for root alone
            parent.chmod(parent.stat().st_mode | 0o011)
    prefix = []
    if "wrap" in case.says:
        prefix = ["unshare", "--mount", "sh", "-ec", case.says["wrap"], "sh"]
    if person is not None:
        prefix = [*prefix, *person.prefix]
    if "path" in case.says:
        prefix = [*prefix, "env", f"PATH={case.says['path']}"]
    given = {**variables, **world.environment}
    return goldsmith(*case.words, home=world.home, cwd=world.directory, env=given, prefix=prefix)


def plain(text: str, world: World) -> str:
    """A message without what differs from run to run."""
    text = text.replace(f"{world.directory}/", "").replace(str(world.directory), "CASE")
    text = text.replace(str(world.home), "HOME").replace(str(world.directory.parent), "ROOM")
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", text)
    # apt 3 has other words for it than apt 2.
    text = re.sub(r"Could not connect to (\S+) \(127\.0\.0\.1\)\. - .*", r"Unable to connect to \1", text)
    text = re.sub(r"-\d{8}T\d{6}-\d+", "-TIME-PID", text)
    text = re.sub(r"'/tmp/gs-[^/]*/", "'KEYS/", text)
    text = re.sub(r"(not in the store): .* more$", r"\1: PACKAGES", text, flags=re.MULTILINE)
    text = re.sub(r"\.\d+\.[0-9a-f]{8}\.tmp", ".PID.tmp", text)
    text = re.sub(r"\.\d+\.tmp", ".PID.tmp", text)
    text = re.sub(r"(-\d+\.\d+\.\d+)-b\d+\.", r"\1.", text)
    text = re.sub(r"work/\d+-", "work/PID-", text)
    text = re.sub(r"\b[0-9a-f]{64}\b", "SHA256", text)
    text = re.sub(r"\bgs\d+\b", "USER", text)
    text = re.sub(r"\d+ MiB", "N MiB", text)
    text = re.sub(r"\b\d+ bytes", "N bytes", text)
    return re.sub(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d\S*", "DATE", text)


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_a_build_that_cannot_be_gives_its_message(
    folder: Path,
    tmp_path: Path,
    tiny: Tiny,
    key: Signer,
    debs: Path,
    stack: ExitStack,
    request: pytest.FixtureRequest,
) -> None:
    case = read_case(folder)
    world = make_world(case, tmp_path, tiny, key, debs, stack)
    person: Person | None = request.getfixturevalue("person") if case.says.get("user") else None
    done = play(case, world, person)
    found = f"exit {done.code}\n{plain(done.complaint, world)}"
    expected = folder / "expected.txt"
    if os.environ.get("GOLDSMITH_TESTS_REWRITE"):
        expected.write_text(found)
    assert found == expected.read_text()
    assert done.stdout == ""
    assert "hint: " in found or found.startswith("exit 2\nUsage")
    assert_nothing_is_left(world.home, done.pid)


def test_every_folder_is_a_case() -> None:
    assert {path.name for path in CORPUS.iterdir()} == {path.name for path in CASES}
    assert len(CASES) >= 30
