"""A program that outlives us holds a lock, which others look at."""

import fcntl
import os
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from goldsmith.effects.detached import is_locked, kill, start_detached, started_at


def start(room: Path) -> int:
    return start_detached(["sleep", "60"], log=room / "log", cwd=room, lock=room / "lock")


def end(pid: int) -> None:
    kill(pid, started_at(pid))
    with suppress(ChildProcessError):
        os.waitpid(pid, 0)


def test_whoever_looks_at_the_lock_just_then_does_not_hinder_a_start(tmp_path: Path) -> None:
    looker = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(looker, fcntl.LOCK_SH)
    gone = threading.Timer(0.1, os.close, (looker,))
    gone.start()
    pid = start(tmp_path)
    gone.join()
    assert is_locked(tmp_path / "lock")
    end(pid)
    assert not is_locked(tmp_path / "lock")


def test_two_are_not_started(tmp_path: Path) -> None:
    pid = start(tmp_path)
    with pytest.raises(BlockingIOError):
        start(tmp_path)
    end(pid)
