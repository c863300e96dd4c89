"""Run a program together with all that it starts: one deadline for all, and nothing of it outlives the deadline.

Its output goes to files, not pipes, so that a daemon which it leaves behind cannot hold up the end of the step.
"""

import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

from goldsmith.effects.process import missing

LIMIT = 8 << 20
"""How many bytes of each output are kept."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A program that has ended or was ended."""

    code: int
    """Its exit code; negative is a signal's number."""
    stdout: bytes
    """What it printed on standard output."""
    stderr: bytes
    """What it printed on standard error."""
    timed_out: bool = False
    """Whether the deadline ended it."""


def run_group(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: str = "/",
    timeout: float | None = None,
) -> Ended:
    """Run a program as the leader of a process group of its own; it reads nothing.

    Args:
        argv: the program and its arguments.
        env: all its environment.
        cwd: the directory it starts in.
        timeout: seconds after which the whole group is killed; None is never.

    Raises:
        MissingTool: the program is not installed.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            child = subprocess.Popen(
                list(argv),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=dict(env),
                cwd=cwd,
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise missing(argv[0]) from error
        timed_out = False
        try:
            code = child.wait(timeout)
        except subprocess.TimeoutExpired:
            timed_out = True
            _kill(child.pid)
            code = child.wait()
        except BaseException:
            _kill(child.pid)
            child.wait()
            raise
        return Ended(code, _kept(out), _kept(err), timed_out)


def _kill(group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _kept(stream: IO[bytes]) -> bytes:
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    data = stream.read(LIMIT)
    return data if size <= LIMIT else data + f"\n[{size - LIMIT} more bytes are left out]\n".encode()
