"""Programs that run beside us: started with a log, and gone when their ``with`` block or this process ends."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from goldsmith.effects.process import environment, missing, tail

STOP_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Running:
    """A program that was started."""

    process: subprocess.Popen[bytes]
    log: Path
    """The file with all that it printed."""

    @property
    def code(self) -> int | None:
        """Its exit code, negative for a signal; ``None`` while it runs."""
        return self.process.poll()

    @property
    def tail(self) -> str:
        """The last lines it printed."""
        return tail(self.log.read_bytes())

    def wait(self, seconds: float) -> int | None:
        """Wait for its end, no longer than ``seconds``; its exit code, or ``None`` if it still runs."""
        with suppress(subprocess.TimeoutExpired):
            return self.process.wait(seconds)
        return None

    def stop(self) -> None:
        """End it: politely, and after a few seconds by force."""
        if self.code is None:
            self.process.terminate()
            if self.wait(STOP_SECONDS) is None:
                self.process.kill()
                self.process.wait()


@contextmanager
def started(argv: Sequence[str], *, log: Path, cwd: Path | None = None) -> Iterator[Running]:
    """Run a program until the block ends.

    The kernel kills it when this process dies, however it dies: ``setpriv`` stands in front of it. It has a
    session of its own, so a Ctrl-C on the terminal reaches only us, and we stop it in order.

    Args:
        argv: the program and its arguments.
        log: a file that both its outputs are appended to.
        cwd: the directory it starts in.

    Raises:
        MissingTool: ``setpriv`` is not installed.
    """
    stream = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    try:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", *argv],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            env=environment(),
            cwd=cwd,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise missing("setpriv") from error
    finally:
        os.close(stream)
    running = Running(process, log)
    try:
        yield running
    finally:
        running.stop()
