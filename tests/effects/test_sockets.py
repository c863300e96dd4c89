"""Unix sockets whose listener is busy."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from goldsmith.effects.sockets import unix_lines


@pytest.fixture
def full(tmp_path: Path) -> Iterator[socket.socket]:
    """A listener whose queue has no room; ``accept`` makes some."""
    waiting = socket.socket(socket.AF_UNIX)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen(0)
        waiting.connect(str(tmp_path / "s"))
        yield listener
    waiting.close()


def test_a_listener_that_is_busy_is_waited_for(full: socket.socket, tmp_path: Path) -> None:

    def accept() -> None:
        full.accept()[0].close()

    timer = threading.Timer(0.3, accept)
    timer.start()
    with unix_lines(tmp_path / "s", 10) as lines:
        lines.send(b"hello")
    timer.join()


@pytest.mark.usefixtures("full")
def test_a_listener_that_stays_busy_is_given_up(tmp_path: Path) -> None:
    begun = time.monotonic()
    with pytest.raises(OSError, match="temporarily unavailable"), unix_lines(tmp_path / "s", 0.3):
        pass
    assert time.monotonic() - begun < 5
