"""This process's terminal, joined to a Unix socket until a key is pressed or the other side ends."""

import os
import select
import socket
import sys
import termios
import tty
from pathlib import Path

LEAVE = b"\x1d"
"""Ctrl-]."""
CHUNK = 4096


def join(path: Path) -> None:
    """Join the terminal to a socket; Ctrl-] leaves.

    Raises:
        OSError: nobody listens there.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(str(path))
        keys, screen = sys.stdin.fileno(), sys.stdout.fileno()
        before = termios.tcgetattr(keys)
        tty.setraw(keys)
        try:
            while True:
                ready, _, _ = select.select([keys, connection], [], [])
                if connection in ready:
                    data = connection.recv(CHUNK)
                    if not data:
                        return
                    os.write(screen, data)
                if keys in ready:
                    typed = os.read(keys, CHUNK)
                    if not typed or LEAVE in typed:
                        return
                    connection.sendall(typed)
        finally:
            termios.tcsetattr(keys, termios.TCSADRAIN, before)
