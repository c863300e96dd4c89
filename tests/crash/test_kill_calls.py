"""The process is killed at every system call of every operation: nothing is lost, and running it again ends well."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.crash.operations import OPERATIONS, copy, hurt, state
from tests.crash.worker import MARK

from goldsmith.store.check import check
from goldsmith.store.gc import collect
from goldsmith.store.layout import Layout

PROJECT = Path(__file__).parent.parent.parent
CALL = re.compile(r"^(?:\d+ +)?([a-z0-9_]+)\(")
NEVER = frozenset({"exit_group", "exit", "chroot", "restart_syscall", "rt_sigreturn", "futex"})
"""Calls that cannot be killed at: they return nowhere, mark the operation, or are made as threads happen to meet."""
LEAST = 500
JOBS = 2


def traced(options: list[str], name: str, store: Path, room: Path) -> int:
    """Run an operation under strace; its exit code, negative for a signal."""
    words = [sys.executable, "-m", "tests.crash.worker", name, str(store), str(room)]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        ["strace", "-f", *options, *words],
        cwd=PROJECT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
        timeout=120,
    )
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return done.returncode


@dataclass(frozen=True)
class Point:
    """A system call of the operation."""

    call: str
    number: int
    """Counts the calls of this kind since the process began."""


def points(name: str, start: Path, room: Path) -> list[Point]:
    """Every system call between the marks, counted for its thread."""
    log = room / "calls"
    copy(start, room / "counted")
    assert traced(["-o", str(log)], name, room / "counted", room) == 0
    seen: Counter[tuple[str, str]] = Counter()
    found: dict[Point, None] = {}
    inside = False
    for line in log.read_text(errors="replace").splitlines():
        if MARK in line:
            inside = not inside
        match = CALL.match(line)
        if match:
            thread = line.split()[0]
            seen[thread, match[1]] += 1
            if inside and match[1] not in NEVER:
                found[Point(match[1], seen[thread, match[1]])] = None
    return list(found)


def killed(name: str, start: Path, point: Point, room: Path) -> Iterator[str]:
    """Kill an operation at a point; what is wrong afterwards, or ``survived``."""
    where = room / f"{point.call}-{point.number}"
    layout = copy(start, where)
    before = state(layout)
    inject = f"inject={point.call}:signal=KILL:when={point.number}"
    code = traced(["-o", "/dev/null", "-e", f"trace={point.call}", "-e", inject], name, where, room)
    if code != -signal.SIGKILL and code != 128 + signal.SIGKILL:
        yield "survived"
        return
    done = Layout(room / "counted")
    if hurt(layout):
        yield f"{point}: hurt: {hurt(layout)}"
    if state(layout) not in (before, state(done)):
        yield f"{point}: neither before nor after: {state(layout)}"
    OPERATIONS[name].run(layout, room)
    collect(layout)
    if state(layout) != state(done) or check(layout, read=True):
        yield f"{point}: run again, it ends as {state(layout)}, {check(layout, read=True)}"
    shutil.rmtree(where)


TRIED: Counter[str] = Counter()


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["the first image", "another version", "another result", "a tag", "patches", "gc"]
)
def test_killed_at_every_call(name: str, room: Path) -> None:
    if shutil.which("strace") is None:
        pytest.skip("needs strace")
    start = Layout(room / "start")
    start.directory.mkdir()
    OPERATIONS[name].ground(start, room)
    planned = points(name, start.directory, room)
    with ThreadPoolExecutor(max_workers=JOBS) as pool:
        told = list(pool.map(lambda point: list(killed(name, start.directory, point, room)), planned))
    survived = sum(each == ["survived"] for each in told)
    TRIED[name] = len(planned) - survived
    assert [what for each in told for what in each if what != "survived"] == []
    assert survived <= len(planned) // 10, "the calls are other ones each time"


@pytest.mark.slow
def test_many_calls_were_killed_at() -> None:
    if not TRIED:
        pytest.skip("counts what the tests before have tried")
    assert sum(TRIED.values()) >= LEAST
