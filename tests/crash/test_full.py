"""A file system that is really full: the message says so, the store is whole, and with more room the same command ends well."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.crash.operations import OPERATIONS, hurt, keep, state

from goldsmith.errors import NoSpace
from goldsmith.store.check import Hurt, check
from goldsmith.store.layout import Layout

PAGE = 4096
ROOMY = 4 << 20
TIGHT = range(0, 30, 3)
"""Pages that are left free."""


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few MiB in memory."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a file system of its own")
    place = tmp_path / "small"
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={ROOMY}", "none", place], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip(f"nothing can be mounted here: {made.stderr.decode().strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


@contextmanager
def filled(place: Path, pages: int) -> Iterator[None]:
    """All but so many pages are taken."""
    taken = place / "taken"
    facts = os.statvfs(place)
    taken.write_bytes(bytes((facts.f_bavail - pages) * PAGE))
    try:
        yield
    finally:
        taken.unlink()


@pytest.mark.parametrize("pages", TIGHT)
def test_a_full_disk_loses_nothing(small: Path, tmp_path: Path, pages: int) -> None:
    layout = Layout(small / "store")
    keep(layout, 1, tmp_path)
    before = state(layout)
    run: Callable[[Layout, Path], None] = OPERATIONS["another version"].run
    said = ""
    with filled(small, pages):
        try:
            run(layout, tmp_path)
        except NoSpace as error:
            said = error.message
        assert hurt(layout) == []
        assert not any(problem.kind is Hurt.STRAY for problem in check(layout))
        assert state(layout) == before or not said
    assert said.startswith(f"no space left while writing in {small}") or pages > TIGHT[3]
    run(layout, tmp_path)
    assert len(state(layout).refs) == 4
    assert hurt(layout) == []
