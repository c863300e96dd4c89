"""Where the steps of one build work, and what they all need to know."""

import os
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from goldsmith.effects import clock
from goldsmith.effects.claims import claimed
from goldsmith.effects.sandbox import Sandbox
from goldsmith.store.gc import sweep as sweep_store
from goldsmith.store.home import Home
from goldsmith.store.images import layout_of

LEFT_AFTER_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What happens to the tree of a step that fails."""

    keep: bool = False
    """Whether what it has written is kept below ``HOME/failed``."""
    open_shell: Callable[[Sequence[str]], None] | None = None
    """Hands the terminal to a command that opens a shell in it; None if nobody wants one."""
    tell: Callable[[str], None] = lambda _line: None
    """Told where something is kept."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """One build's rooms and times."""

    home: Home
    name: str
    """The image's name."""
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


def sweep(home: Home) -> None:
    """Remove what builds left that were killed; what belongs to a build has its room in ``work``."""
    # Fresh results of --no-cache are kept aside as KEY-ROOM. They are listed before the rooms: a build that starts in
    # between has its room first.
    aside = list((home / "cache/layers").glob("*-*-*"))
    living = {path.name for path in (home / "work").iterdir()}
    for path in aside:
        if path.name.partition("-")[2] not in living:
            shutil.rmtree(path, ignore_errors=True)
    sweep_store(layout_of(home))
    # Packages and tools are unpacked beside their places in seconds; what is old was left.
    for path in [*home.path.glob("cache/debs-*/.*.*"), *home.path.glob("cache/tools/.*.*")]:
        with suppress(OSError):
            if clock.now().timestamp() - path.stat().st_mtime > LEFT_AFTER_SECONDS:
                shutil.rmtree(path, ignore_errors=True)


@contextmanager
def workshop(home: Home, name: str, *, epoch: int, aftermath: Aftermath) -> Iterator[Workshop]:
    """The rooms of a build, removed at its end; those of builds that were killed are removed first.

    A lock in the room says that its build lives, so builds in containers that share ``home`` see each other.
    """
    started = clock.now()
    logs = home / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / f"{name}-{started:%Y%m%dT%H%M%S}-{os.getpid()}.log"
    with claimed(home / "work") as work:
        sweep(home)
        yield Workshop(home, name, work, log, epoch, started.timestamp(), aftermath)


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
        kept = shop.home / "failed" / shop.name
        shutil.rmtree(kept, ignore_errors=True)
        kept.parent.mkdir(parents=True, exist_ok=True)
        with suppress(OSError, shutil.Error):  # the step's own error is what counts
            shutil.copytree(upper, kept, symlinks=True, ignore=_special_files)
        shop.aftermath.tell(f"what the failing step has done is kept in {kept}")


def _special_files(directory: str, names: list[str]) -> list[str]:
    """Names that cannot be copied: marks of removed files, pipes, sockets."""
    modes = {name: os.lstat(os.path.join(directory, name)).st_mode for name in names}
    plain = (stat.S_ISREG, stat.S_ISDIR, stat.S_ISLNK)
    return [name for name, mode in modes.items() if not any(is_kind(mode) for is_kind in plain)]
