"""Proof: what two clones of an image showed when they were booted. No I/O."""

from dataclasses import dataclass
from enum import StrEnum


class Group(StrEnum):
    """What an assertion is about, in the order of the report."""

    HEALTH = "health"
    IDENTITY = "identity"
    RECIPE = "recipe"
    TESTS = "tests"
    SURFACE = "surface"
    AGAIN = "again"


class Standing(StrEnum):
    """What became of an assertion."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a recipe's customization must look like on a live machine."""

    name: str
    """What it is, as a person says it."""
    script: str
    """A shell script that prints what is found."""
    wanted: str
    """What it must print, without white space at both ends."""


@dataclass(frozen=True, slots=True)
class Assertion:
    """One thing that was looked at."""

    group: Group
    """What it is about."""
    name: str
    """What was asserted."""
    standing: Standing
    """What became of it."""
    reason: str = ""
    """Why it failed or was left out."""
    lines: tuple[str, ...] = ()
    """Lines of logs that belong to it."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a recipe allows of a machine that is seen from outside; ``None`` allows anything."""

    ports: tuple[str, ...] | None = None
    """Ports that may be listened on beyond loopback, as in ``22:tcp``."""
    setuid: tuple[str, ...] | None = None
    """Files that may be setuid or setgid."""
    boot_seconds: float | None = None
    """The longest boot, by systemd's own clock."""
    memory: int | None = None
    """The most bytes in use once it is up."""
    disk: int | None = None
    """The most bytes of the root file system in use."""
    slow: tuple[str, ...] = ()
    """Units that may rest when they start."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What is known about an image once it was booted twice."""

    ref: str
    """What was asked for."""
    digest: str
    """The image's digest, or that of the file's name, size and time."""
    when: str
    """When, in UTC."""
    seconds: float
    """For everything."""
    first_boots: float
    """Seconds until both clones were up and looked at."""
    accelerator: str
    """KVM or TCG."""
    side_by_side: bool
    """Whether both clones ran at once."""
    assertions: tuple[Assertion, ...]
    """All, in the order of the groups."""
    kept: str = ""
    """Where console and journal of the clones are, after a failure."""

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return all(item.standing is not Standing.FAILED for item in self.assertions)
