import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

MEMORY = Path("/dev/shm")


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Path]:
    """A directory in memory where there is one: thousands of small stores are made in it."""
    if not MEMORY.is_dir():
        yield tmp_path
        return
    room = Path(tempfile.mkdtemp(prefix="goldsmith-crash-", dir=MEMORY))
    try:
        yield room
    finally:
        shutil.rmtree(room)
