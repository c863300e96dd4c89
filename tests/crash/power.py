"""What a disk may hold after a power loss: operations are recorded, and every state is made that a file system may leave.

A file's bytes are sure once the file was synced, a name once its directory was. What is not sure is lost, is there, or
is there in part.
"""

import os
import random
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

VERSIONS = "versions"
"""Beside the store: the bytes of every file that was made, by its first name."""


@dataclass
class Recorder:
    """The real door without waiting for a disk; tells what passes."""

    root: Path
    told: list[tuple[str, ...]] = field(default_factory=list)
    forgets: str = ""
    """The canary: ``files`` or ``directories`` are never synced, as if someone had taken the call out."""

    def create(self, path: Path) -> int:
        self.told.append(("create", self.below(path)))
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)

    def write(self, descriptor: int, data: bytes | memoryview) -> None:
        os.write(descriptor, data)

    def sync(self, path: Path) -> None:
        kind = "files" if path.is_file() else "directories"
        if self.forgets != kind:
            self.told.append(("sync", self.below(path)))

    def rename(self, old: Path, new: Path) -> None:
        versions = self.root.parent / VERSIONS
        versions.mkdir(exist_ok=True)
        with suppress(FileExistsError):
            os.link(old, versions / old.name)
        self.told.append(("rename", self.below(old), self.below(new)))
        os.replace(old, new)

    def remove(self, path: Path) -> None:
        self.told.append(("remove", self.below(path)))
        path.unlink()

    def below(self, path: Path) -> str:
        return "" if path == self.root.parent else str(path.relative_to(self.root))

    def acknowledge(self, names: Mapping[str, str]) -> None:
        """From here on these refs must survive, as they are."""
        self.told.append(("acknowledged", *(f"{name} {digest}" for name, digest in names.items())))


class Luck(StrEnum):
    """What happens to what is not sure."""

    LOST = "lost"
    KEPT = "kept"
    NAMES = "names without bytes"
    CHANCE = "by chance"


@dataclass(frozen=True)
class Left:
    """What is left of a store."""

    files: Mapping[str, bytes]
    """By path."""
    acknowledged: Mapping[str, str]
    """The refs that must be there: name → digest."""


def left(told: list[tuple[str, ...]], versions: Path, luck: Luck, seed: int) -> Left:
    """What may be left after these effects."""
    chance = random.Random(seed)
    synced: set[str] = set()
    live: dict[str, str] = {}
    durable: dict[str, str] = {}
    acknowledged: dict[str, str] = {}
    for action, *paths in told:
        if action == "create":
            live[paths[0]] = paths[0]
        elif action == "rename":
            live[paths[1]] = live.pop(paths[0])
        elif action == "remove":
            live.pop(paths[0], None)
        elif action == "acknowledged":
            acknowledged = dict(text.split(" ") for text in paths)
        elif paths[0] in live:
            synced.add(live[paths[0]])
        else:
            settle(live, durable, paths[0])
    names = survivors(live, durable, luck, chance)
    files = {path: content(versions, name, name in synced, luck, chance) for path, name in names.items()}
    return Left(files, acknowledged)


def settle(live: Mapping[str, str], durable: dict[str, str], directory: str) -> None:
    """A directory's names are sure."""
    for path in {*live, *durable}:
        if str(Path(path).parent) == (directory or "."):
            durable.pop(path, None)
            if path in live:
                durable[path] = live[path]


def survivors(
    live: Mapping[str, str], durable: Mapping[str, str], luck: Luck, chance: random.Random
) -> dict[str, str]:
    """The names that are there, with what they mean."""
    if luck is Luck.LOST:
        return dict(durable)
    if luck in {Luck.KEPT, Luck.NAMES}:
        return dict(live)
    return {
        path: found
        for path in sorted({*live, *durable})
        if (found := chance.choice((live.get(path), durable.get(path)))) is not None
    }


def content(versions: Path, name: str, sure: bool, luck: Luck, chance: random.Random) -> bytes:
    """The bytes of a file that has a name."""
    source = versions / Path(name).name
    data = source.read_bytes() if source.exists() else b""
    if sure or luck is Luck.KEPT:
        return data
    return data[: chance.randrange(len(data) + 1)] if luck is Luck.CHANCE else b""


def states(told: list[tuple[str, ...]], begin: int, versions: Path) -> Iterator[tuple[str, Left]]:
    """Every state after the first ``begin`` effects, with a name for it."""
    for end in range(begin, len(told) + 1):
        for luck in Luck:
            for seed in range(3 if luck is Luck.CHANCE else 1):
                yield f"{end} {luck.value} {seed}", left(told[:end], versions, luck, seed)
