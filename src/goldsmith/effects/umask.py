"""The umask of this process."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def ordinary_umask() -> Iterator[None]:
    """Make files and directories as a system does (022), whatever the caller's umask is; it comes back at the end.

    It holds for all threads, so it is set before any starts.
    """
    old = os.umask(0o022)
    try:
        yield
    finally:
        os.umask(old)
