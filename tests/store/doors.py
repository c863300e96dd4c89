"""Doors to the file system that fail where a test wants it, or remember what was done for a power loss later on."""

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from goldsmith.effects.drafts import Kernel


class Killed(BaseException):
    """The process ended here: nothing that it would have done afterwards happens."""


@dataclass
class Failing(Kernel):
    """The real door, until effect number ``at``: that one, and after a kill all others, do not happen."""

    at: int = -1
    kill: bool = False
    number: int = errno.EIO
    done: int = 0
    dead: bool = False

    def pass_through(self) -> None:
        self.done += 1
        if self.dead:
            raise Killed
        if self.done == self.at:
            if self.kill:
                self.dead = True
                raise Killed
            raise OSError(self.number, os.strerror(self.number))

    def create(self, path: Path) -> int:
        self.pass_through()
        return super().create(path)

    def write(self, descriptor: int, data: bytes | memoryview) -> None:
        self.pass_through()
        super().write(descriptor, data)

    def sync(self, path: Path) -> None:
        self.pass_through()
        super().sync(path)

    def rename(self, old: Path, new: Path) -> None:
        self.pass_through()
        super().rename(old, new)

    def remove(self, path: Path) -> None:
        self.pass_through()
        super().remove(path)


@dataclass
class Cache:
    """What a file system holds, twice: in memory, and what is on the disk for sure."""

    memory: dict[str, bytes] = field(default_factory=dict)
    """By path: what a process reads."""
    names: dict[str, str] = field(default_factory=dict)
    """On the disk, by path: under which identity its bytes are found."""
    synced: dict[str, bytes] = field(default_factory=dict)
    """On the disk, by identity."""


@dataclass
class Recording(Kernel):
    """The real door, which tells all that passes: ``("rename", old, new)`` and the like, paths below ``root``."""

    root: Path = Path()
    told: list[tuple[str, ...]] = field(default_factory=list)
    forgets_sync: bool = False
    """The canary: files are never synced, as if someone had taken the call out."""
    after: Callable[[], None] = lambda: None

    def create(self, path: Path) -> int:
        self.told.append(("create", self.below(path)))
        return super().create(path)

    def sync(self, path: Path) -> None:
        if self.forgets_sync and path.is_file():
            return
        self.told.append(("sync", self.below(path)))
        super().sync(path)

    def rename(self, old: Path, new: Path) -> None:
        self.told.append(("rename", self.below(old), self.below(new)))
        super().rename(old, new)

    def remove(self, path: Path) -> None:
        self.told.append(("remove", self.below(path)))
        super().remove(path)

    def below(self, path: Path) -> str:
        return "" if path == self.root.parent else str(path.relative_to(self.root))

    def acknowledge(self, name: str) -> None:
        """Remember that from here on something must survive."""
        self.told.append(("acknowledged", name))


def after_power_loss(told: list[tuple[str, ...]], final: Path, room: Path, *, eager: bool) -> set[str]:
    """Make in ``room`` what may be left of ``final`` when the power goes after ``told``; what was acknowledged by then.

    Names that were not synced are lost, or, ``eager``, all there; bytes that were not synced are lost either way.

    The bytes of a file are taken from ``final``, where every name is an object's own digest, so they never changed,
    but for ``index.json``, whose versions the recorder keeps beside it.
    """
    synced: set[str] = set()
    live: dict[str, str] = {}
    durable: dict[str, str] = {}
    acknowledged: set[str] = set()
    for action, *paths in told:
        if action == "create":
            live[paths[0]] = paths[0]
        elif action == "rename":
            live[paths[1]] = live.pop(paths[0])
        elif action == "remove":
            live.pop(paths[0], None)
        elif action == "acknowledged":
            acknowledged.add(paths[0])
        elif paths[0] in live:
            synced.add(live[paths[0]])
        else:
            inside = {path for path in {*live, *durable} if str(Path(path).parent) == (paths[0] or ".")}
            for path in inside:
                durable.pop(path, None)
                if path in live:
                    durable[path] = live[path]
    for path, identity in (live if eager else durable).items():
        source = final / "versions" / Path(identity).name
        target = room / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes() if identity in synced else b"")
    return acknowledged
