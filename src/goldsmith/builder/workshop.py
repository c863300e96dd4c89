"""Where the steps of one build work, and what they all need to know."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from goldsmith.effects import clock
from goldsmith.store.home import Home


@dataclass(frozen=True, slots=True)
class Workshop:
    """One build's rooms and times."""

    home: Home
    work: Path
    """This build's own directory, on the file system of ``home``; removed at its end."""
    log: Path
    """Takes what all steps print."""
    epoch: int
    """SOURCE_DATE_EPOCH, in seconds since 1970."""
    started: float
    """The wall clock at the start, in seconds since 1970: what is younger was touched by this build."""

    def scratch(self, key: str) -> Path:
        """A directory for a step's own files outside the tree."""
        path = self.work / f"scratch-{key.removeprefix('sha256:')}"
        path.mkdir(parents=True, exist_ok=True)
        return path


def is_alive(pid: int) -> bool:
    """Whether a process of that number runs."""
    return Path(f"/proc/{pid}").exists()


def sweep(home: Home) -> None:
    """Remove what builds left that were killed."""
    room = home / "work"
    if not room.is_dir():
        return
    for path in room.iterdir():
        pid = path.name.partition("-")[0]
        if pid.isdigit() and not is_alive(int(pid)):
            shutil.rmtree(path, ignore_errors=True)


def open_workshop(home: Home, name: str, *, epoch: int) -> Workshop:
    """Make the rooms of a build; the caller removes ``work`` at the end."""
    sweep(home)
    started = clock.now()
    work = home / f"work/{os.getpid()}-{name}"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    logs = home / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / f"{name}-{started:%Y%m%dT%H%M%S}-{os.getpid()}.log"
    return Workshop(home, work, log, epoch, started.timestamp())
