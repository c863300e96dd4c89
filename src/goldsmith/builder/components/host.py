"""Where the steps of a component act: everything outside is touched through a ``Host``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from goldsmith.effects.root import Root


@dataclass(frozen=True, slots=True)
class Ran:
    """A program that has ended."""

    code: int
    """Its exit code; 128 and more is a signal."""
    stdout: bytes = b""
    """What it printed on standard output."""
    stderr: bytes = b""
    """What it printed on standard error."""
    timed_out: bool = False
    """Whether it was killed because its time was over."""
    recorded: tuple[str, ...] = ()
    """What it asked for and will only happen on a running machine, as ``systemctl restart nginx``."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a WebDownload step asks for."""

    url: str
    """The address."""
    checksum: str = ""
    """The digest in lower-case hexadecimal; empty if the step gives none."""
    verify: bool = True
    """Whether the server's certificate is checked."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one action."""

    outputs: Mapping[str, str] = field(default_factory=dict)
    """What later steps can use."""
    printed: str = ""
    """What belongs in the console log."""
    failure: str = ""
    """Why it failed; empty if it did not."""
    timed_out: bool = False
    """Whether it failed because its time was over."""
    reboot: bool = False
    """Whether it asks for a reboot and to be run again (exit code 194)."""
    recorded: tuple[str, ...] = ()
    """What was asked for and not done."""


class Host(Protocol):
    """A system that steps act on. Failures of what a step asked for are raised as ``GoldsmithError`` or ``OSError``."""

    @property
    def root(self) -> Root:
        """Its files; paths cannot lead out of it."""

    @property
    def cwd(self) -> str:
        """Where relative paths start."""

    @property
    def search_path(self) -> tuple[str, ...]:
        """The directories that hold its programs."""

    def run(self, argv: Sequence[str], *, script: str | None = None, timeout: float | None = None) -> Ran:
        """Run a program that reads nothing; a script is kept in a file whose path becomes the last argument.

        When the time is over, the program and all that it started are killed.
        """

    def download(self, wanted: Wanted, descriptor: int, *, timeout: float | None = None) -> None:
        """Write what is at an address to a file descriptor; the caller checks the digest."""

    def update_packages(
        self, include: Sequence[str], exclude: Sequence[str], *, timeout: float | None = None
    ) -> Ran:
        """Bring packages (all, if none is named) to their newest versions, or record that it was asked for."""

    def reboot(self, delay: int) -> str:
        """Note that a reboot was asked for; returns the note."""
