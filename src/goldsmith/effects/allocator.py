"""How memory is kept and found again: by the C library, whose threads would each hoard their own, and by Python."""

import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager

M_ARENA_MAX, M_MMAP_THRESHOLD = -8, -3
ARENAS = 2
LARGE = 4 << 20
"""Pieces from this size are given back to the system at once; by default glibc soon keeps those of up to 32 MiB."""


def hoard_little() -> None:
    """Call before the first thread; a C library without ``mallopt`` is left as it is.

    Measured on a full build of 200 packages: a peak of 111 MiB instead of 158 to 187, in the same time. With a limit
    of 256 KiB every buffer's pages were faulted in again each time: 2 s more of the kernel's time.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_ARENA_MAX, ARENAS)
        mallopt(M_MMAP_THRESHOLD, LARGE)


@contextmanager
def garbage_kept() -> Iterator[None]:
    """Do not look for cycles among values meanwhile: with hundreds of thousands of them that takes a fifth of the time.

    What is there in the end is not looked at later either, which would take as long once more.
    """
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.freeze()
            gc.enable()
