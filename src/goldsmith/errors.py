"""Every error that goldsmith raises on purpose; a class is an exit code and an HTTP status.

    GoldsmithError
    ├── CheckFailed        1  422  a check or a gate said no
    ├── UsageError         2  400  the command's words are off
    │   └── InputError     2  400  a file is wrong: file:line:column, what, and what would be right
    ├── StaleLock          3  409  the recipe asks for something the lock does not hold
    ├── IntegrityError     4  500  bytes are not what their digest says
    ├── TrustError         5  403  a signature or an approval is missing or wrong
    ├── StepFailed         6  500  a tool or a build step failed; its log is named
    └── Unavailable        7  503  something needed is not there
        ├── MissingTool    7  503  a host program; the package that has it is named
        ├── NoSpace        7  507  how much is needed, and where
        └── NetworkError   7  502  a server did not answer, or lied and was not believed

Every error has a message (what is wrong), and a hint (what to do next).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where in a file something stands; lines and columns count from 1, 0 means unknown."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        """``file:line:column``, shortened to what is known."""
        if not self.line:
            return self.file
        return f"{self.file}:{self.line}:{self.column}" if self.column else f"{self.file}:{self.line}"


class GoldsmithError(Exception):
    """The root of all errors raised on purpose."""

    exit_code: ClassVar[int] = 6
    http_status: ClassVar[int] = 500

    def __init__(self, message: str, *, hint: str, where: Place | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.where = where

    def __str__(self) -> str:
        """The text a person reads: place, message, and the hint on a line of its own."""
        place = f"{self.where}: " if self.where else ""
        return f"{place}{self.message}\n  hint: {self.hint}"

    def as_json(self) -> Mapping[str, object]:
        """The same for machines: ``{"error", "message", "hint", "where", "exit_code"}``."""
        return {
            "error": type(self).__name__,
            "message": self.message,
            "hint": self.hint,
            "where": str(self.where) if self.where else None,
            "exit_code": self.exit_code,
        }


class CheckFailed(GoldsmithError):
    """A check or a gate said no; nothing is broken but the thing that was checked."""

    exit_code = 1
    http_status = 422


class UsageError(GoldsmithError):
    """The command was called with words that do not fit together."""

    exit_code = 2
    http_status = 400


class InputError(UsageError):
    """A file that a person wrote is wrong; ``where`` says at which place."""


class StaleLock(GoldsmithError):
    """The lock does not answer to the recipe any more."""

    exit_code = 3
    http_status = 409


class IntegrityError(GoldsmithError):
    """Bytes are not what their digest says."""

    exit_code = 4


class TrustError(GoldsmithError):
    """A signature is missing, wrong, or by nobody we trust."""

    exit_code = 5
    http_status = 403


class StepFailed(GoldsmithError):
    """A tool or a build step failed; ``log`` names the file with all it printed, ``tail`` its last lines."""

    def __init__(
        self, message: str, *, hint: str, where: Place | None = None, log: str | None = None, tail: str = ""
    ) -> None:
        super().__init__(message, hint=hint, where=where)
        self.log = log
        self.tail = tail

    def __str__(self) -> str:
        """Message, the last lines that were printed, the log's path, the hint."""
        place = f"{self.where}: " if self.where else ""
        lines = "".join(f"\n  | {line}" for line in self.tail.splitlines())
        log = f"\n  log: {self.log}" if self.log else ""
        return f"{place}{self.message}{lines}{log}\n  hint: {self.hint}"

    def as_json(self) -> Mapping[str, object]:
        """As every error, with ``log`` and ``tail``."""
        return {**GoldsmithError.as_json(self), "log": self.log, "tail": self.tail}


class Unavailable(GoldsmithError):
    """Something that is needed is not there."""

    exit_code = 7
    http_status = 503


class MissingTool(Unavailable):
    """A host program is missing; the hint names the package that has it."""


class NoSpace(Unavailable):
    """A file system is too small; the message says how much is needed, and where."""

    http_status = 507


class NetworkError(Unavailable):
    """A server did not answer, or answered something that was not believed."""

    http_status = 502
