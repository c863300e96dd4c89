"""Run a program with a tree as its ``/``: own mounts, processes and host name, no network unless asked for."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from goldsmith.effects.process import Finished, run

INIT = Path(__file__).with_name("sandbox_init.py")
BASE_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "TERM": "dumb",
}


@dataclass(frozen=True, slots=True)
class Bind:
    """A path of the host shown inside."""

    source: Path
    target: str
    writable: bool = False


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What a program sees; ``namespace.enter()`` must have been called in this process."""

    root: Path
    """The directory that becomes ``/``."""
    binds: tuple[Bind, ...] = ()
    """What of the host is shown; missing mount points are made in the tree."""
    network: bool = False
    writable: bool = True
    """Whether the tree can be written (binds and tmpfs say for themselves)."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables added to the base environment."""
    tmpfs: tuple[str, ...] = ("/tmp", "/run")  # noqa: S108 - the sandbox's own, empty at each start
    cwd: str = "/"
    terminal: bool = False
    """Keep the caller's terminal, for a shell that a person types into."""

    def argv(self, command: Sequence[str]) -> list[str]:
        """The host command that runs ``command`` inside."""
        spec = {
            "argv": list(command),
            "root": str(self.root.resolve()),
            "binds": [(str(b.source.resolve()), b.target, b.writable) for b in self.binds],
            "network": self.network,
            "writable": self.writable,
            "environment": {**BASE_ENVIRONMENT, **self.environment},
            "tmpfs": list(self.tmpfs),
            "cwd": self.cwd,
            "terminal": self.terminal,
            "parent": os.getpid(),
        }
        return [sys.executable, "-I", "-S", str(INIT), json.dumps(spec)]

    def run(
        self,
        command: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout: float | None = None,
        check: bool = True,
        log: Path | None = None,
        hint: str = "look at the lines above",
    ) -> Finished:
        """Run ``command`` to its end; parameters and errors as ``process.run``."""
        return run(
            self.argv(command), stdin=stdin, timeout=timeout, check=check, log=log, hint=hint, shown=command
        )
