"""Runs scripts inside a guest over a virtio port: works without network, ssh and accounts.

The other end is ``agent.sh``, handed over at every start as the report's script is (see ``agent``). Requests carry the
nonce of the start, and so do answers.
"""

import shlex
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from goldsmith.effects.clock import monotonic
from goldsmith.effects.files import locked
from goldsmith.effects.randomness import nonce as random_word
from goldsmith.effects.sockets import Lines, unix_lines
from goldsmith.errors import StepFailed, Unavailable
from goldsmith.machine.qemu import AGENT
from goldsmith.machine.reach import connected
from goldsmith.model.machine import Credential

SCRIPT = Path(__file__).with_name("agent.sh")
CREDENTIAL = "goldsmith.agent"
UNIT = "goldsmith-agent.service"
SEEDED = "/run/goldsmith-agent.sh"
UNIT_TEXT = f"""\
[Unit]
Description=Do what goldsmith asks on the host
DefaultDependencies=no
IgnoreOnIsolate=yes

[Service]
Type=exec
ExecStart=/bin/sh /run/credentials/@system/{CREDENTIAL}
Restart=on-failure
"""
# A drop-in of its own: the report's stands on sysinit.target, and a credential's name is used once.
WANTED_BY = "swap.target"
TIMEOUT = 60.0
"""Seconds for a script, where nothing else is said."""
LEAST = 1
GRACE = 15.0
"""Seconds beyond a script's own for its answer to arrive."""
TIMED_OUT = 124
"""The code of timeout(1)."""
ANSWER_WORDS = 5


def script(nonce: str) -> str:
    """The agent for one start."""
    return f"nonce={nonce}\n{SCRIPT.read_text()}"


def credentials(nonce: str) -> tuple[Credential, ...]:
    """The agent as systemd credentials."""
    return (
        Credential(CREDENTIAL, script(nonce).encode()),
        Credential(f"systemd.extra-unit.{UNIT}", UNIT_TEXT.encode()),
        Credential(f"systemd.unit-dropin.{WANTED_BY}", f"[Unit]\nWants={UNIT}\n".encode()),
    )


def boot_command(nonce: str) -> list[str]:
    """The agent as a command of cloud-init's ``bootcmd``; it stands back where systemd has started it already."""
    start = (
        f"systemctl --quiet is-active {UNIT} && exit 0; "
        f"printf '%s' \"$0\" >{SEEDED} && "
        f"systemd-run --quiet --no-block --unit={UNIT} --property=DefaultDependencies=no /bin/sh {SEEDED}"
    )
    return ["/bin/sh", "-c", start, script(nonce)]


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a script inside."""

    code: int
    """Its exit code; 124 if it did not end in time."""
    stdout: bytes
    """What it printed."""
    stderr: bytes
    """What it complained of."""

    @property
    def text(self) -> str:
        """What it printed, as text."""
        return self.stdout.decode(errors="replace")

    @property
    def complaint(self) -> str:
        """The last line it complained with."""
        lines = self.stderr.decode(errors="replace").split("\n")
        return next((line for line in reversed(lines) if line.strip()), "")


class Guest:
    """A connection to the agent inside."""

    def __init__(self, lines: Lines, nonce: str) -> None:
        self._lines = lines
        self._nonce = nonce

    def greet(self, patience: float) -> None:
        """Wait until the agent runs.

        Raises:
            Unavailable: it did not within ``patience`` seconds.
        """
        self._run(b"", b"", LEAST, patience)

    def run(self, script: str, *, stdin: bytes = b"", timeout: float = TIMEOUT) -> Done:
        """Run a shell script inside, as root.

        Args:
            script: for /bin/sh.
            stdin: what it reads.
            timeout: seconds that it has.

        Raises:
            Unavailable: nothing answers.
        """
        return self._run(
            script.encode(errors="surrogateescape"), stdin, max(LEAST, round(timeout)), timeout + GRACE
        )

    def _run(self, body: bytes, stdin: bytes, timeout: int, patience: float) -> Done:
        word = random_word()
        limit = monotonic() + patience
        self._lines.limit(patience)
        try:
            self._lines.send(f"{self._nonce} {word} {len(body)} {len(stdin)} {timeout}".encode())
            self._lines.send_bytes(body)
            self._lines.send_bytes(stdin)
            while monotonic() < limit:
                found = self._lines.receive().decode(errors="replace").split(" ")
                if found[:2] == [self._nonce, word] and len(found) == ANSWER_WORDS:
                    code, out, err = (int(part) for part in found[2:])
                    return Done(code, self._lines.receive_bytes(out), self._lines.receive_bytes(err))
        except (OSError, EOFError) as error:
            raise silent() from error
        raise silent()

    def check(self, script: str, *, stdin: bytes = b"", timeout: float = TIMEOUT) -> str:
        """Run a script that must succeed; what it prints.

        Raises:
            StepFailed: its exit code is not 0.
        """
        done = self.run(script, stdin=stdin, timeout=timeout)
        if done.code:
            raise StepFailed(
                f"a command inside the machine failed with exit code {done.code}",
                hint="look at the lines above",
                tail=done.stderr.decode(errors="replace").strip(),
            )
        return done.text


def silent() -> Unavailable:
    """The error for a guest without an agent."""
    return Unavailable(
        "nothing inside the machine answers",
        hint="the way in needs systemd 256 or newer, or cloud-init with the NoCloud datasource, and a finished start: "
        "look at goldsmith vm logs, or use goldsmith vm ssh or vm console",
    )


@contextmanager
def guest(directory: Path, nonce: str, patience: float = TIMEOUT) -> Iterator[Guest]:
    """Speak to the agent of the machine whose QEMU runs in ``directory``; one at a time, others wait.

    Args:
        directory: the machine's.
        nonce: that of its start.
        patience: seconds until the agent must have answered once; a guest that boots needs some.

    Raises:
        Unavailable: nothing answers, or no QEMU runs there.
    """
    with ExitStack() as stack:
        stack.enter_context(locked(directory / "agent.lock"))
        socket = stack.enter_context(connected(directory, AGENT))
        try:
            lines = stack.enter_context(unix_lines(socket, patience))
        except OSError as error:
            raise silent() from error
        inside = Guest(lines, nonce)
        inside.greet(patience)
        yield inside


def quoted(*words: str) -> str:
    """Words as a shell reads them."""
    return shlex.join(words)
