"""Where the steps of one build work, and what they all need to know."""

import os
import shutil
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from goldsmith.effects import clock
from goldsmith.effects.sandbox import Sandbox
from goldsmith.store.home import Home


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What happens to the tree of a step that fails."""

    keep: bool = False
    """Whether what it has written is kept below ``HOME/failed``."""
    open_shell: Callable[[Sequence[str]], None] | None = None
    """Hands the terminal to a command that opens a shell in it; None if nobody wants one."""


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
    aftermath: Aftermath = Aftermath()

    def scratch(self, key: str) -> Path:
        """A directory for a step's own files outside the tree."""
        path = self.work / f"scratch-{key.removeprefix('sha256:')}"
        path.mkdir(parents=True, exist_ok=True)
        return path


def is_alive(pid: str) -> bool:
    """Whether a process of that number runs; a text that is no number is taken for one that does."""
    return not pid.isdigit() or Path(f"/proc/{pid}").exists()


def sweep(home: Home) -> None:
    """Remove what builds left that were killed."""
    for path in (home / "work").glob("*-*"):
        if not is_alive(path.name.partition("-")[0]):
            shutil.rmtree(path, ignore_errors=True)
    # Packages and tools are unpacked beside their places, as .DIGEST.PID.
    for path in [*home.path.glob("cache/debs-*/.*.*"), *home.path.glob("cache/tools/.*.*")]:
        if not is_alive(path.name.rpartition(".")[2]):
            shutil.rmtree(path, ignore_errors=True)
    # Fresh results of --no-cache are kept aside as KEY-PID-NAME.
    for path in (home / "cache/layers").glob("*-*-*"):
        if not is_alive(path.name.split("-")[1]):
            shutil.rmtree(path, ignore_errors=True)


def open_workshop(home: Home, name: str, *, epoch: int, aftermath: Aftermath) -> Workshop:
    """Make the rooms of a build; the caller removes ``work`` at the end."""
    sweep(home)
    started = clock.now()
    work = home / f"work/{os.getpid()}-{name}"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    logs = home / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / f"{name}-{started:%Y%m%dT%H%M%S}-{os.getpid()}.log"
    return Workshop(home, work, log, epoch, started.timestamp(), aftermath)


def tend_failure(shop: Workshop, tree: Path, upper: Path) -> None:
    """Do with a failing step's tree what the user asked for.

    Args:
        shop: the build.
        tree: the mounted tree.
        upper: where its changes lie.
    """
    if shop.aftermath.open_shell:
        sandbox = Sandbox(root=tree, terminal=True, environment={"TERM": "linux", "PS1": "failed step# "})
        # No job control: the terminal's session is outside, where the sandbox's processes have other numbers.
        shop.aftermath.open_shell(sandbox.argv(["/bin/sh", "+m", "-i"]))
    if shop.aftermath.keep:
        kept = shop.home / "failed" / shop.work.name.partition("-")[2]
        shutil.rmtree(kept, ignore_errors=True)
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(upper, kept, symlinks=True, ignore=_special_files)


def _special_files(directory: str, names: list[str]) -> list[str]:
    """Names that cannot be copied: marks of removed files."""
    return [name for name in names if stat.S_ISCHR(os.lstat(os.path.join(directory, name)).st_mode)]
