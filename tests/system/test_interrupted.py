"""Ctrl-C and ``kill -9`` at any moment: nothing is left running or mounted, and the next build is right."""

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.system.conftest import Tiny
from tests.system.driver import (
    GOLDSMITH,
    assert_nothing_is_left,
    environment,
    goldsmith,
    litter,
    mounts_below,
    processes_about,
)
from tests.system.recipes import write_rich

pytestmark = pytest.mark.image

SECONDS_TO_STOP = 30
"""Ctrl-C may wait for what cannot be cut short, such as a package's script."""
SIGNALS = {"Ctrl-C": signal.SIGINT, "TERM": signal.SIGTERM, "kill -9": signal.SIGKILL}


@pytest.fixture(scope="module")
def rich(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """A recipe whose steps are interrupted, and what it is when nothing interrupts it."""
    directory = write_rich(tmp_path_factory.mktemp("interrupted"), tiny, "true interrupted")
    facts = goldsmith("build", "recipe.yaml", "--json", home=tiny.home, cwd=directory).json
    return Tiny(directory, tiny.home, facts)


def start(directory: Path, home: Path, *words: str) -> "subprocess.Popen[str]":
    """A build in a process group of its own, as a shell starts it."""
    return subprocess.Popen(
        [str(GOLDSMITH), "build", "recipe.yaml", "--json", *words],
        cwd=directory,
        env=environment(home),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )


def wait_for(condition: Callable[[], bool], seconds: float = 30) -> bool:
    """Whether something comes true in time: the kernel takes a moment to end a namespace's processes."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return condition()


def interrupt(
    rich: Tiny, number: signal.Signals, *, line: str = "", after: float = 0.1
) -> tuple[int, int, str]:
    """Build all steps, and send a signal some seconds after a line of progress has appeared.

    Args:
        rich: what is built.
        number: the signal.
        line: how the line starts; the command's start if it is empty.
        after: seconds to wait then.

    Returns:
        Process number, exit code and what was said on standard error.
    """
    process = start(rich.directory, rich.home, "--no-cache")
    assert process.stderr is not None
    said = ""
    while line and not said.rpartition("\n")[0].rpartition("\n")[2].startswith(line):
        text = process.stderr.readline()
        assert text, f"there was no line {line!r}:\n{said}"
        said += text
    time.sleep(after)
    if number == signal.SIGKILL:
        process.kill()
    else:
        os.killpg(process.pid, number)  # as a terminal does
    try:
        _, rest = process.communicate(timeout=SECONDS_TO_STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        pytest.fail(f"it was still running {SECONDS_TO_STOP} s after {number.name}")
    assert "Traceback" not in rest, rest
    return process.pid, process.returncode, said + rest


def assert_sound(rich: Tiny, *, killed: int) -> None:
    """No process and no mount is left; the next build sweeps what is, and is right."""
    work = rich.home / f"work/{killed}-"
    assert wait_for(lambda: processes_about(work) == []), processes_about(work)
    assert mounts_below(work) == []
    facts = goldsmith("build", "recipe.yaml", "--json", home=rich.home, cwd=rich.directory).json
    assert facts["disk_digest"] == rich.facts["disk_digest"]


def sweep_by_another_build(rich: Tiny) -> None:
    """A build that has something to do; one that finds its image does not sweep."""
    facts = goldsmith("build", "recipe.yaml", "--json", "--no-cache", home=rich.home, cwd=rich.directory).json
    assert facts["disk_digest"] == rich.facts["disk_digest"]


MOMENTS = {
    "while it reads": ("", 0.4),
    "in packages' scripts": ("place 1", 0.5),
    "in the initramfs": ("configure 1", 2.0),
    "in the disk": ("finish", 0.1),
}
"""After which line of progress, and how many seconds after it."""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "TERM"])
@pytest.mark.parametrize("moment", ["in packages' scripts", "in the disk"])
def test_an_interrupted_build_leaves_nothing(number: signal.Signals, moment: str, rich: Tiny) -> None:
    line, after = MOMENTS[moment]
    pid, code, said = interrupt(rich, number, line=line, after=after)
    assert (code, "goldsmith: interrupted\n" in said) == (128 + number, True)
    assert_nothing_is_left(rich.home, pid)
    assert_sound(rich, killed=pid)


def test_a_killed_build_is_cleaned_up_by_the_next(rich: Tiny) -> None:
    pids = []
    for line, after in MOMENTS.values():
        pid, code, _ = interrupt(rich, signal.SIGKILL, line=line, after=after)
        assert code == -signal.SIGKILL
        assert not line or litter(rich.home, pid), "the canary: a killed build does leave something"
        assert_sound(rich, killed=pid)
        pids.append(pid)
    sweep_by_another_build(rich)
    assert [litter(rich.home, pid) for pid in pids] == [[]] * 4


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(40))
def test_interrupted_at_a_random_moment(seed: int, rich: Tiny) -> None:
    chance = random.Random(seed)
    number = chance.choice(sorted(SIGNALS.values()))
    pid, code, _ = interrupt(rich, number, after=chance.uniform(0, 16))
    assert_sound(rich, killed=pid)
    assert code in {0, 128 + number, -number}
    if number != signal.SIGKILL:
        assert_nothing_is_left(rich.home, pid)


def test_two_builds_at_once_are_both_right(rich: Tiny, tmp_path: Path) -> None:
    """Of the same recipe, and of two recipes, with one data directory."""
    other = tmp_path / "other"
    shutil.copytree(rich.directory, other)
    text = (other / "recipe.yaml").read_text().replace("name: rich", "name: other")
    (other / "recipe.yaml").write_text(text)
    same = [start(rich.directory, rich.home, "--no-cache") for _ in range(2)]
    different = start(other, rich.home)
    outs = [process.communicate(timeout=300) for process in (*same, different)]
    assert [process.returncode for process in (*same, different)] == [0, 0, 0], outs
    assert all(rich.facts["disk_digest"] in out for out, _ in outs[:2])
    alone = goldsmith("build", "recipe.yaml", "--json", "--no-cache", home=rich.home, cwd=other).json
    assert alone["disk_digest"] in outs[2][0]
    for process in (*same, different):
        assert_nothing_is_left(rich.home, process.pid)
