"""Run the real command as a person would, and look at what it leaves behind."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GOLDSMITH = Path(sys.executable).with_name("goldsmith")
VARIABLES = ("PATH", "HOME", "GOLDSMITH_MIRROR", "http_proxy", "https_proxy", "no_proxy")
"""What is kept of the tests' own environment."""


@dataclass(frozen=True)
class Said:
    """A command that has ended."""

    pid: int
    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> dict[str, Any]:
        assert self.code == 0, self.stderr
        found = json.loads(self.stdout)
        assert isinstance(found, dict)
        return found

    @property
    def complaint(self) -> str:
        """The error's text, without the progress before it."""
        return "".join(f"{line}\n" for line in self.stderr.splitlines()[self._start() :])

    def _start(self) -> int:
        lines = self.stderr.splitlines()
        return next((n for n, line in enumerate(lines) if line.startswith(("goldsmith: ", "Usage: "))), 0)


def environment(home: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a command: ``home`` is its data directory."""
    kept = {name: os.environ[name] for name in VARIABLES if name in os.environ}
    return {**kept, "GOLDSMITH_HOME": str(home), **(more or {})}


def goldsmith(
    *words: str | Path,
    home: Path,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    prefix: Sequence[str] = (),
    timeout: float = 560,
) -> Said:
    """Run ``goldsmith`` to its end; ``prefix`` is a command that runs it, such as ``unshare -n``."""
    # A prefix ends in exec, so this is the process number of goldsmith itself.
    with subprocess.Popen(
        [*prefix, str(GOLDSMITH), *map(str, words)],
        cwd=cwd,
        env=environment(home, env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            stdout, stderr = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            raise
    assert "Traceback" not in stderr, stderr
    return Said(process.pid, process.returncode, stdout, stderr)


def processes_about(path: Path) -> list[str]:
    """Command lines that name a path, but for those of this process and its parents."""
    own = set(_parents(os.getpid()))
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (directory / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if str(path) in words and int(directory.name) not in own:
                found.append(words)
    return found


def _parents(pid: int) -> Iterator[int]:
    while pid > 1:
        yield pid
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def mounts_below(path: Path) -> list[str]:
    """Mount points below a path, in the tests' own mount namespace."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line.split()[4] for line in lines if line.split()[4].startswith(str(path))]


def litter(home: Path, pid: int | None = None) -> list[str]:
    """What no build may leave below its data directory; of one process if it is named."""
    names: set[Path] = set()
    own = "*" if pid is None else str(pid)
    patterns = (f"work/{own}-*", f"cache/layers/*-{own}-*", f"cache/layers/*/*.{own}", f"cache/*/.*.{own}*")
    for pattern in (*patterns, f"store/**/.draft-{own}-*", f"packages/**/.*.{own}.*tmp"):
        names.update(home.glob(pattern))
    return sorted(map(str, names))


def assert_nothing_is_left(home: Path, pid: int) -> None:
    """No work, no mounts, no processes of a command that has ended."""
    assert litter(home, pid) == []
    assert mounts_below(home / f"work/{pid}-") == []
    assert processes_about(home / f"work/{pid}-") == []
