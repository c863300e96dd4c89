"""The agent that runs inside guests, run here: its port is a pseudo terminal instead of a virtio port."""

import os
import socket
import subprocess
import threading
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from goldsmith.effects.sockets import Lines
from goldsmith.machine.channel import Guest, script

NONCE = "cafe"


def pump(source: int, target: int) -> None:
    """Carry bytes until one side is gone."""
    try:
        while data := os.read(source, 1 << 16):
            while data:
                data = data[os.write(target, data) :]
    except OSError:
        pass


@pytest.fixture
def line(tmp_path: Path) -> Iterator[socket.socket]:
    """The host's end of the port of an agent that runs."""
    master, slave = os.openpty()
    tty.setraw(slave)
    text = f"port={os.ttyname(slave)}\nspool={tmp_path}/spool\n{script(NONCE)}"
    agent = subprocess.Popen(["sh", "-c", text], stdin=subprocess.DEVNULL, start_new_session=True)
    ours, theirs = socket.socketpair()
    for source, target in ((theirs.fileno(), master), (master, theirs.fileno())):
        threading.Thread(target=pump, args=(source, target), daemon=True).start()
    yield ours
    agent.kill()
    agent.wait()
    for end in (ours, theirs):
        end.close()
    os.close(master)
    os.close(slave)


@pytest.fixture
def guest(line: socket.socket) -> Iterator[Guest]:
    with line.makefile("rb") as reader:
        inside = Guest(Lines(line, reader), NONCE)
        inside.greet(20)
        yield inside
