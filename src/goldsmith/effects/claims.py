"""Directories that belong to a living process, and the sweeping of those whose process is gone."""

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from goldsmith.effects.files import locked

CLAIM = ".claim"
KEEP = ".keep"


@contextmanager
def claimed(parent: Path, *, keep: bool = False) -> Iterator[Path]:
    """A new directory under ``parent`` that is removed when the block ends.

    A lock in it, held until this process ends, however it ends, says that it is in use; directories there whose
    lock is free were left by processes that died, and are removed first.

    Args:
        parent: where the directory is made; it is made too if need be.
        keep: leave the directory for a person to look at; it is not swept later either.
    """
    with locked(parent / ".lock"):
        sweep(parent)
        room = parent / f"{os.getpid()}-{secrets.token_hex(4)}"
        room.mkdir(mode=0o700)
        claim = os.open(room / CLAIM, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(claim, fcntl.LOCK_EX)
    try:
        if keep:
            (room / KEEP).touch()
        yield room
    finally:
        os.close(claim)
        if keep:
            (room / CLAIM).unlink(missing_ok=True)
        else:
            shutil.rmtree(room, ignore_errors=True)


def sweep(parent: Path) -> None:
    """Remove what dead processes left under ``parent``; its lock must be held."""
    for room in parent.iterdir():
        if room.is_dir() and not (room / KEEP).exists() and not _is_held(room / CLAIM):
            shutil.rmtree(room, ignore_errors=True)


def _is_held(claim: Path) -> bool:
    try:
        descriptor = os.open(claim, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
