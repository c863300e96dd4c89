"""Bit for bit: one lock gives one disk, whoever builds it, where, when and how.

Every axis has a canary: something that does differ along it, so that an axis that has stopped to bite is noticed.
"""

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.system.conftest import Person, Tiny
from tests.system.driver import Said, assert_nothing_is_left, environment, goldsmith
from tests.system.recipes import supply, write_rich

from goldsmith.builder.execute import execute
from goldsmith.builder.layers import Layer
from goldsmith.model.plan import Step
from goldsmith.model.tree import Changes
from goldsmith.store.home import Home

pytestmark = pytest.mark.image

FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
LATER = {"LD_PRELOAD": FAKETIME, "FAKETIME": "+2y", "NO_FAKE_STAT": "1"}
SAME = ("tree_digest", "disk_digest", "disk_sha256", "digest", "recipe_digest", "lock_digest")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to make namespaces")
needs_faketime = pytest.mark.skipif(not Path(FAKETIME).exists(), reason="needs the package libfaketime")


@dataclass(frozen=True)
class Axis:
    """One thing that differs between two builds and must not matter."""

    name: str
    canary: str
    """A shell command whose output does differ."""
    prefix: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    words: tuple[str, ...] = ()


def shell(script: str) -> tuple[str, ...]:
    """A prefix that changes something and then becomes the command."""
    return ("sh", "-ec", f'{script}\nexec "$@"', "sh")


AXES = (
    Axis("another host name", "hostname", ("unshare", "--uts", *shell("hostname elsewhere"))),
    Axis("another time zone", "date --date=@0 +%H:%M", variables={"TZ": "Asia/Kathmandu"}),
    Axis("another locale", "locale charmap", variables={"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}),
    Axis("another umask", "umask", shell("umask 0077")),
    Axis("no network", "cat /proc/net/dev | wc -l", ("unshare", "--net")),
    Axis("another home and user name", "echo $HOME $USER", variables={"HOME": "/nowhere", "USER": "mallory"}),
    Axis("other limits", "ulimit -n", shell("ulimit -n 500")),
    Axis("a lower priority", "nice", ("nice", "-n", "7")),
)
BESIDES = ("another directory", "one job", "two years later", "tmpfs", "no cache", "an ordinary user")
"""Axes with tests of their own below."""


def combined(axes: Sequence[Axis]) -> tuple[tuple[str, ...], dict[str, str]]:
    """All axes at once."""
    prefix = tuple(word for axis in axes for word in axis.prefix)
    return prefix, {name: value for axis in axes for name, value in axis.variables.items()}


@pytest.fixture(scope="module")
def rich(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tiny]:
    """The build that all others are compared with; its artifacts stand in ``out``."""
    directory = write_rich(tmp_path_factory.mktemp("rich"), tiny)
    words = ["build", "recipe.yaml", "--json", "--output", "out", "--format", "raw,qcow2"]
    facts = goldsmith(*words, home=tiny.home, cwd=directory, env={"LC_ALL": "C"}).json
    yield Tiny(directory, tiny.home, facts)
    shutil.rmtree(directory / "out")


@pytest.fixture
def memory() -> Iterator[Path]:
    """A directory on a tmpfs."""
    if not Path("/dev/shm").is_dir() or shutil.disk_usage("/dev/shm").free < 2 << 30:
        pytest.skip("needs 2 GiB free in /dev/shm")
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="goldsmith-") as name:
        yield Path(name)


@pytest.fixture
def disk(shared_home: Home) -> Iterator[Path]:
    """A directory beside the shared data directory, which is no tmpfs."""
    with tempfile.TemporaryDirectory(dir=shared_home.path.parent, prefix="goldsmith-") as name:
        yield Path(name)


def identity(facts: Mapping[str, Any]) -> dict[str, Any]:
    """All that must be equal."""
    named = {name: facts[name] for name in SAME}
    artifacts = {a["format"]: (a["size"], a["sha256"]) for a in facts["artifacts"]}
    return {**named, "artifacts": artifacts, "reproducible": facts["reproducible"]}


def build(rich: Tiny, room: Path, *words: str, fresh: bool = True, later: bool = False, **how: Any) -> Said:
    """Build the rich recipe in another directory, with another data directory that holds its packages only."""
    directory, home = room / "some where else/recipes", room / "data"
    if not directory.exists():
        shutil.copytree(rich.directory, directory, ignore=shutil.ignore_patterns("out"))
    if fresh:
        supply(home, rich)
    line = ["build", "recipe.yaml", "--json", "--offline", "--output", "out", "--format", "raw,qcow2", *words]
    if later:
        script = Path(__file__).with_name("later.py")
        return run_script(script, line, home=home, cwd=directory, **how)
    return goldsmith(*line, home=home, cwd=directory, **how)


def run_script(script: Path, words: Sequence[str], *, home: Path, cwd: Path, **how: Any) -> Said:
    """As ``goldsmith``, by a script that stands for it."""
    env = environment(home, how.get("env"))
    command = [*how.get("prefix", ()), sys.executable, str(script), *words]
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return Said(0, done.returncode, done.stdout, done.stderr)


@needs_root
@needs_faketime
def test_all_axes_at_once_change_no_bit(rich: Tiny, memory: Path) -> None:
    """In one build, because each takes half a minute: directory, host name, zone, locale, umask, clock, tmpfs, ..."""
    prefix, variables = combined(AXES)
    done = build(rich, memory, "--jobs", "1", later=True, prefix=prefix, env={**variables, **LATER})
    facts = done.json
    assert identity(facts) == identity(rich.facts)
    assert not any(step["cached"] for step in facts["steps"])


def test_an_ordinary_user_makes_the_same_image(rich: Tiny, person: Person) -> None:
    room = person.directory / "room"
    supply(room / "data", rich)
    shutil.copytree(rich.directory, room / "recipes", ignore=shutil.ignore_patterns("out"))
    account = pwd.getpwnam(person.name)
    subprocess.run(["chown", "-R", f"{account.pw_uid}:{account.pw_gid}", room], check=True)
    line = ["build", "recipe.yaml", "--json", "--offline", "--output", "out", "--format", "raw,qcow2"]
    done = goldsmith(*line, home=room / "data", cwd=room / "recipes", prefix=person.prefix)
    assert identity(done.json) == identity(rich.facts)
    owners = {path.stat().st_uid for path in (room / "recipes/out").iterdir()}
    assert owners == {account.pw_uid}
    assert_nothing_is_left(room / "data", done.pid)


def test_without_the_cache_no_bit_changes(rich: Tiny) -> None:
    line = ["build", "recipe.yaml", "--json", "--no-cache", "--output", "again", "--format", "raw,qcow2"]
    done = goldsmith(*line, home=rich.home, cwd=rich.directory)
    shutil.rmtree(rich.directory / "again")
    assert identity(done.json) == identity(rich.facts)
    assert not any(step["cached"] for step in done.json["steps"])
    assert "gave another image before" not in done.stderr


def test_the_artifacts_are_what_their_digests_say(rich: Tiny) -> None:
    for artifact in rich.facts["artifacts"]:
        done = subprocess.run(["sha256sum", artifact["path"]], capture_output=True, text=True, check=True)
        assert done.stdout.split()[0] == artifact["sha256"]
        assert Path(artifact["path"]).stat().st_size == artifact["size"]
    raw = next(a for a in rich.facts["artifacts"] if a["format"] == "raw")
    assert raw["sha256"] == rich.facts["disk_sha256"]


@needs_root
@pytest.mark.slow
@pytest.mark.parametrize("axis", AXES, ids=lambda axis: axis.name)
def test_one_axis_changes_no_bit(axis: Axis, rich: Tiny, disk: Path) -> None:
    done = build(rich, disk, *axis.words, prefix=axis.prefix, env=axis.variables)
    assert identity(done.json) == identity(rich.facts)


@pytest.mark.slow
@pytest.mark.parametrize("jobs", ["1", "2", "8"])
def test_the_number_of_jobs_changes_no_bit(jobs: str, rich: Tiny, disk: Path) -> None:
    assert identity(build(rich, disk, "--jobs", jobs).json) == identity(rich.facts)


@pytest.mark.slow
def test_memory_and_disk_make_the_same_image(rich: Tiny, memory: Path, disk: Path) -> None:
    assert identity(build(rich, memory).json) == identity(build(rich, disk).json) == identity(rich.facts)


@needs_faketime
@pytest.mark.slow
def test_two_years_later_it_is_the_same_image(rich: Tiny, disk: Path) -> None:
    assert identity(build(rich, disk, later=True, env=LATER).json) == identity(rich.facts)


# The canaries: what does differ along each axis.


@needs_root
@pytest.mark.parametrize("axis", AXES, ids=lambda axis: axis.name)
def test_the_axis_bites(axis: Axis, tmp_path: Path) -> None:
    """Under the same command prefix and variables as the builds, the canary says something else."""

    def told(prefix: Sequence[str], more: Mapping[str, str]) -> str:
        env = environment(tmp_path, {"LC_ALL": "C", **more})
        command = [*prefix, "sh", "-c", axis.canary]
        return subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout

    assert told((), {}) != told(axis.prefix, axis.variables)


@needs_root
@needs_faketime
def test_a_build_that_asks_for_the_date_differs_two_years_later(tiny: Tiny, tmp_path: Path) -> None:
    """The clock inside the sandbox is really another one, and a careless component does notice."""
    directory = write_rich(tmp_path / "dated", tiny, "date +%Y-%m >/etc/built")
    # Each is built anew: an earlier run may have left either in the data directory.
    line = ["build", "recipe.yaml", "--json", "--no-cache"]
    now = goldsmith(*line, home=tiny.home, cwd=directory).json
    script = Path(__file__).with_name("later.py")
    later = run_script(script, line, home=tiny.home, cwd=directory, env=LATER)
    assert later.json["tree_digest"] != now["tree_digest"]
    assert "the same inputs gave another image before" in later.stderr


def test_memory_and_disk_list_a_directory_in_other_orders(memory: Path, disk: Path) -> None:
    for room in (memory, disk):
        for number in range(200):
            (room / str(number)).touch()
    assert os.listdir(memory) != os.listdir(disk)


@pytest.mark.parametrize(("jobs", "meet"), [(1, False), (2, True)], ids=["one job", "two jobs"])
def test_steps_overlap_only_with_two_jobs(jobs: int, meet: bool, tmp_path: Path) -> None:
    barrier = threading.Barrier(2)
    met = []

    def action(key: str, below: Sequence[Layer]) -> Layer:
        del below
        try:
            barrier.wait(timeout=30 if meet else 0.5)
            met.append(True)
        except threading.BrokenBarrierError:
            met.append(False)
        return Layer(key, tmp_path, Changes((), ()))

    steps = [Step(name, "test", 1, {}) for name in ("one", "two")]
    keys = {"one": "sha256:1", "two": "sha256:2"}
    actions = dict.fromkeys(keys, action)
    execute(steps, keys, actions, home=Home(tmp_path), jobs=jobs, listener=Quiet())
    assert met == [meet, meet]


class Quiet:
    """Hears of a build, and says nothing."""

    def step_started(self, name: str) -> None:
        del name

    def step_ended(self, name: str, *, seconds: float, cached: bool) -> None:
        del name, seconds, cached

    def downloading(self, done: int, total: int) -> None:
        del done, total

    def warn(self, message: str) -> None:
        del message
