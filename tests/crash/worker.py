"""One operation on a store, for a test that kills it: ``python -m tests.crash.worker OPERATION STORE ROOM``.

What belongs to the operation lies between two calls that nothing else makes: ``chroot`` of a path that is not there.
"""

import os
import sys
from contextlib import suppress
from pathlib import Path

from tests.crash.operations import OPERATIONS, disk

from goldsmith.store.layout import Layout

MARK = "/nowhere/goldsmith-mark"


def mark() -> None:
    """A call to be found among others."""
    with suppress(OSError):
        os.chroot(MARK)


def main() -> None:
    """Run it."""
    name, store, room = sys.argv[1:]
    layout = Layout(Path(store))
    for version in (1, 2, 3):
        disk(version, Path(room))
    mark()
    OPERATIONS[name].run(layout, Path(room))
    mark()


if __name__ == "__main__":
    main()
