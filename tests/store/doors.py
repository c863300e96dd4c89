"""A door to the file system that fails where a test wants it."""

import errno
import os
from dataclasses import dataclass
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
