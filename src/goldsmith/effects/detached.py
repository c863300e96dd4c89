"""Programs that outlive us: started in a session of their own, holding a lock for as long as they live."""

import fcntl
import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from goldsmith.effects.clock import sleep
from goldsmith.effects.process import environment, missing

START_TIME = 19
"""The place of ``starttime`` in ``/proc/PID/stat``, counted after the name's closing bracket; proc(5)."""
ASKERS = 250
MOMENT = 0.02
"""How often and how long one waits for those who look at a lock."""


def start_detached(argv: Sequence[str], *, log: Path, cwd: Path, lock: Path) -> int:
    """Start a program that goes on after us; its process id.

    It inherits a lock on ``lock``, so that whoever asks ``is_locked`` learns whether it lives, whatever became of us
    and of its process id.

    Raises:
        BlockingIOError: the lock is held, by one that was started before.
        MissingTool: the program is not installed.
    """
    held = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    stream = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        _take(held)
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            env=environment(),
            cwd=cwd,
            start_new_session=True,
            pass_fds=(held,),
        )
    except FileNotFoundError as error:
        raise missing(argv[0]) from error
    finally:
        os.close(stream)
        os.close(held)
    process.returncode = 0  # not waited for: Python would warn of a child that it forgets while it runs
    return process.pid


def _take(held: int) -> None:
    """Lock a file; whoever only asks whether it is locked holds it for a moment too, and is waited for."""
    for _ in range(ASKERS):
        with suppress(BlockingIOError):
            return fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        sleep(MOMENT)
    return fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)


def is_locked(lock: Path) -> bool:
    """Whether a program that was started with this lock lives."""
    try:
        held = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(held, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(held)
    return False


def started_at(pid: int) -> int:
    """When a process started, in ticks since the host's start; 0 if there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(text.rpartition(")")[2].split()[START_TIME])


def kill(pid: int, started: int) -> None:
    """Kill a process, if it is still the one that started then."""
    with suppress(ProcessLookupError):
        if started and started_at(pid) == started:
            os.kill(pid, signal.SIGKILL)


def reap(pid: int) -> None:
    """Take note of the end of a child of ours, if it is one and has ended."""
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
