"""A range of a file, of which only what lies in it can be read."""

import os
from dataclasses import dataclass

from goldsmith.errors import InputError

HINT = "the file is damaged, or made to confuse its readers; get it again from where it came"


def malformed(what: str) -> InputError:
    """The error for bytes that no sound disk has."""
    return InputError(what, hint=HINT)


def refused(what: str, hint: str) -> InputError:
    """The error for a disk that is sound but cannot be read."""
    return InputError(what, hint=hint)


@dataclass(frozen=True, slots=True)
class Area:
    """A range of a file: a disk, or a partition of it."""

    descriptor: int
    """The open file."""
    start: int
    """Where it begins, in bytes."""
    size: int
    """How long it is, in bytes."""

    def read(self, at: int, length: int) -> bytes:
        """Bytes of it.

        Raises:
            InputError: they do not all lie in it.
        """
        if at < 0 or length < 0 or at + length > self.size:
            raise malformed(f"something is said to lie at byte {at}, beyond the end at {self.size}")
        data = os.pread(self.descriptor, length, self.start + at)
        if len(data) != length:
            raise malformed(f"the file ends at byte {self.start + at + len(data)}, within what is read")
        return data

    def part(self, at: int, size: int) -> "Area":
        """A range of this range.

        Raises:
            InputError: it does not lie in it.
        """
        if at < 0 or size < 0 or at + size > self.size:
            raise malformed(f"the bytes from {at} to {at + size} lie beyond the end at {self.size}")
        return Area(self.descriptor, self.start + at, size)
