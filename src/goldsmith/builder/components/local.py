"""The machine that goldsmith runs on, for ``goldsmith component run``."""

import os
import shlex
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from goldsmith.builder.components.host import Ran, Wanted
from goldsmith.effects.group import run_group
from goldsmith.effects.root import Root
from goldsmith.effects.web import download
from goldsmith.errors import MissingTool, Unavailable

NOT_FOUND = 127
"""What a shell says of a program that is not there."""


@dataclass(frozen=True, slots=True)
class LocalHost:
    """Steps act on this machine, as the user who runs goldsmith. It is never rebooted."""

    root: Root
    """``Root(Path("/"))``."""
    cwd: str
    """Where relative paths and commands start."""
    environment: Mapping[str, str]
    """What commands see."""
    pause: float = 0.5
    """Seconds before the second attempt at a download; doubled before each further one."""

    @property
    def search_path(self) -> tuple[str, ...]:
        """The directories of PATH."""
        return tuple(filter(None, self.environment.get("PATH", os.defpath).split(":")))

    def run(self, argv: Sequence[str], *, script: str | None = None, timeout: float | None = None) -> Ran:
        """Run a program; as ``Host.run``."""
        with tempfile.TemporaryDirectory(prefix="goldsmith-step-") as directory:
            command = list(argv)
            if script is not None:
                path = Path(directory, "script.sh")
                path.write_text(script, encoding="utf-8", errors="surrogateescape")
                command.append(str(path))
            try:
                ended = run_group(command, env=self.environment, cwd=self.cwd, timeout=timeout)
            except MissingTool:
                return Ran(NOT_FOUND, stderr=f"{argv[0]}: No such file or directory\n".encode())
        code = ended.code if ended.code >= 0 else 128 - ended.code
        return Ran(code, ended.stdout, ended.stderr, ended.timed_out)

    def download(self, wanted: Wanted, descriptor: int, *, timeout: float | None = None) -> None:
        """Download; as ``Host.download``."""
        download(wanted.url, descriptor, timeout=timeout, verify=wanted.verify, pause=self.pause)

    def update_packages(
        self, include: Sequence[str], exclude: Sequence[str], *, timeout: float | None = None
    ) -> Ran:
        """Update with apt-get; excluded packages are held for the time of the update.

        Raises:
            Unavailable: this machine has no apt-get.
        """
        if shutil.which("apt-get", path=":".join(self.search_path)) is None:
            raise Unavailable("UpdateOS needs apt-get, and this machine has none", hint="remove the step")
        return self.run(["bash"], script=update_script(include, exclude), timeout=timeout)

    def reboot(self, delay: int) -> str:
        """Not done: it would take away the machine from whoever runs goldsmith on it."""
        return f"reboot after {delay} s: not done, reboot this machine yourself"


def update_script(include: Sequence[str], exclude: Sequence[str]) -> str:
    """The bash script that updates with apt-get."""
    names, held = (" ".join(shlex.quote(name) for name in given) for given in (include, exclude))
    lines = ["set -e", "export DEBIAN_FRONTEND=noninteractive", "apt-get update"]
    if held:
        lines += [
            "fresh=$(for name in "
            + held
            + '; do apt-mark showhold | grep -qxF -- "$name" || echo "$name"; done)',
            'if [ -n "$fresh" ]; then apt-mark hold $fresh; trap "apt-mark unhold $fresh" EXIT; fi',
        ]
    command = "apt-get -y -o Dpkg::Options::=--force-confold"
    lines.append(f"{command} install --only-upgrade -- {names}" if names else f"{command} upgrade")
    return "\n".join(lines) + "\n"
