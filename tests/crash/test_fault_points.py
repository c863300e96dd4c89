"""Every effect of every operation fails in every way, or is the last one: nothing acknowledged is lost, and running it again ends well."""

import errno
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.crash.operations import OPERATIONS, Operation, State, copy, hurt, state
from tests.store.doors import Failing, Killed

from goldsmith.errors import GoldsmithError
from goldsmith.store.check import Hurt, check
from goldsmith.store.gc import collect
from goldsmith.store.layout import Layout

FULL = (errno.ENOSPC, errno.EDQUOT)
ERRORS = (
    *FULL,
    errno.EIO,
    errno.EROFS,
    errno.EACCES,
    errno.EMFILE,
    errno.ENOMEM,
    errno.EINTR,
    errno.ESTALE,
)
"""All that open, write, fsync, rename and unlink say when a file system fails, but for mistakes of the caller."""
LIKE_EIO = {errno.errorcode[number] for number in ERRORS} - {"EIO", "ENOSPC"}
"""These leave what ``EIO`` leaves, so they are not all run again."""
LEAST = 2000


@dataclass
class Faulty(Failing):
    """The real door without waiting for a disk; effect ``at`` fails, or the process ends before, in or after it."""

    how: str = "fail"

    def around(self) -> None:
        """Fail, or end before the effect."""
        if self.how in {"fail", "before"}:
            self.pass_through()

    def after(self) -> None:
        """End after the effect."""
        if self.how in {"after", "torn"}:
            self.pass_through()

    def create(self, path: Path) -> int:
        self.around()
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            self.after()
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def write(self, descriptor: int, data: bytes | memoryview) -> None:
        self.around()
        torn = self.how in {"torn", "fail"} and self.done + (self.how == "torn") == self.at
        os.write(descriptor, data[: len(data) // 2] if torn else data)
        self.after()

    def sync(self, path: Path) -> None:  # noqa: ARG002 - nothing is waited for
        self.around()
        self.after()

    def rename(self, old: Path, new: Path) -> None:
        self.around()
        os.replace(old, new)
        self.after()

    def remove(self, path: Path) -> None:
        self.around()
        path.unlink()
        self.after()


WAYS: dict[str, tuple[str, int]] = {
    **{errno.errorcode[number]: ("fail", number) for number in ERRORS},
    "killed before": ("before", 0),
    "killed after": ("after", 0),
    "killed in the middle of a write": ("torn", 0),
}


@dataclass(frozen=True)
class Ground:
    """A store to begin with, and what it becomes."""

    directory: Path
    before: State
    after: State
    effects: int


def ground(operation: Operation, room: Path) -> Ground:
    """Make the store that an operation begins with, and learn what the operation does."""
    start = Layout(room / "start", Faulty())
    start.directory.mkdir()
    operation.ground(start, room)
    done = copy(start.directory, room / "done")
    door = Faulty()
    operation.run(replace(done, door=door), room)
    assert hurt(done) == []
    return Ground(start.directory, state(start), state(done), door.done)


def interrupted(operation: Operation, there: Ground, way: str, at: int, room: Path) -> Layout:
    """A store whose operation was interrupted; the error is as it should be."""
    how, number = WAYS[way]
    layout = copy(there.directory, room / f"{way}-{at}")
    door = Faulty(at=at, how=how, number=number, kill=how != "fail")
    try:
        operation.run(replace(layout, door=door), room)
    except Killed:
        assert how != "fail"
    except (OSError, GoldsmithError):
        assert how == "fail"
    else:
        raise AssertionError(f"effect {at} of {there.effects} did not happen, and nobody noticed")
    return layout


def complaints(layout: Layout, operation: Operation, there: Ground, way: str, room: Path) -> Iterator[str]:
    """What is wrong after an interruption, and after running it again."""
    if hurt(layout):
        yield f"hurt: {hurt(layout)}"
    if state(layout) not in (there.before, there.after):
        yield f"neither before nor after: {state(layout)}"
    if WAYS[way][0] == "fail" and any(problem.kind is Hurt.STRAY for problem in check(layout)):
        yield "a draft is left"
    if way in LIKE_EIO:
        return
    operation.run(replace(layout, door=Faulty()), room)
    if state(layout) != there.after:
        yield f"run again, it ends as {state(layout)}"
    collect(replace(layout, door=Faulty()))
    if check(layout, read=True):
        yield f"gc leaves {check(layout, read=True)}"


TRIED: Counter[str] = Counter()


@pytest.mark.parametrize("name", OPERATIONS)
def test_nothing_is_lost_wherever_it_ends(name: str, room: Path) -> None:
    operation = OPERATIONS[name]
    there = ground(operation, room)
    found = []
    for way in WAYS:
        for at in range(1, there.effects + 1):
            layout = interrupted(operation, there, way, at, room)
            found += [f"{way} {at}: {what}" for what in complaints(layout, operation, there, way, room)]
            TRIED[name] += 1
    assert found == []


def test_many_points_were_tried() -> None:
    if set(TRIED) != set(OPERATIONS):
        pytest.skip("counts the points of all operations, and not all were run")
    assert sum(TRIED.values()) >= LEAST
