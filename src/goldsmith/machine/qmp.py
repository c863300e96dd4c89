"""A small client of QMP, QEMU's control protocol: one JSON object a line over a Unix socket."""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from goldsmith.effects.clock import monotonic, sleep
from goldsmith.effects.sockets import Lines, unix_lines
from goldsmith.errors import StepFailed
from goldsmith.machine.qemu import MONITOR
from goldsmith.machine.reach import connected as reachable

TIMEOUT = 10.0
LOOK_AGAIN = 0.05


class Monitor:
    """A connection to one QEMU, past the greeting and ready for commands."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._receive()
        self.execute("qmp_capabilities")

    def execute(self, command: str, **arguments: object) -> object:
        """Run a command and return its result; events that come in between are passed over.

        Raises:
            StepFailed: QEMU refused the command, or went away.
        """
        request = {"execute": command, **({"arguments": arguments} if arguments else {})}
        self._lines.send(json.dumps(request).encode())
        while True:
            reply = self._receive()
            if "return" in reply:
                return reply["return"]
            if "error" in reply:
                raise StepFailed(
                    f"QEMU refused {command!r}: {_description(reply['error'])}",
                    hint="this is a fault of goldsmith; please report it with the machine's qemu.log",
                )

    def _receive(self) -> Mapping[str, object]:
        line = self._lines.receive()
        if not line:
            raise StepFailed(
                "QEMU closed its monitor before it answered", hint="look at the machine's qemu.log"
            )
        reply: Mapping[str, object] = json.loads(line)
        return reply


def _description(error: object) -> object:
    return error.get("desc", error) if isinstance(error, dict) else error


@contextmanager
def monitor(directory: Path, timeout: float = TIMEOUT) -> Iterator[Monitor]:
    """Speak to the QEMU that was started in ``directory``; it is waited for if it has only just been started.

    Args:
        directory: the machine's directory.
        timeout: seconds for the wait, and for each answer.

    Raises:
        StepFailed: nothing answers there, or not in time.
    """
    with ExitStack() as stack:
        socket = stack.enter_context(reachable(directory, MONITOR))
        try:
            yield Monitor(stack.enter_context(_connected(socket, directory, timeout)))
        except OSError as error:  # not in time, or it went away
            raise _silent(directory) from error


@contextmanager
def _connected(socket: Path, directory: Path, timeout: float) -> Iterator[Lines]:
    deadline = monotonic() + timeout
    with ExitStack() as stack:
        while True:
            try:
                lines = stack.enter_context(unix_lines(socket, timeout))
                break
            except (FileNotFoundError, ConnectionRefusedError, BlockingIOError) as error:
                if monotonic() >= deadline:
                    raise _silent(directory) from error
            sleep(LOOK_AGAIN)
        yield lines


def _silent(directory: Path) -> StepFailed:
    return StepFailed(f"no QEMU answers at {directory / MONITOR}", hint="look at the machine's qemu.log")
