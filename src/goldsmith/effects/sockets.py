"""Sockets of this machine: a free loopback port, one line-by-line Unix client, and a GET through the loopback."""

import errno
import http.client
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from goldsmith.effects.clock import monotonic, sleep

LOOPBACK = "127.0.0.1"
BANNER = 256
QUEUE_FULL = 0.05
"""Seconds until a listener that had no room is asked again."""


def free_port() -> int:
    """A TCP port of the loopback that nobody listens on just now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind((LOOPBACK, 0))
        port: int = listener.getsockname()[1]
        return port


def hindrance(port: int) -> int:
    """Why nobody can listen on a TCP port of the loopback just now, as an error number; 0 where one can."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((LOOPBACK, port))
        except OSError as error:
            return error.errno or errno.EIO
    return 0


def banner(port: int, *, timeout: float) -> bytes:
    """The first bytes that a server on a port of the loopback says by itself; empty if none does in time."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=timeout) as connection:
            return connection.recv(BANNER)
    except OSError:
        return b""


class Lines:
    """A stream socket spoken to in lines, each ended by one newline."""

    def __init__(self, connection: socket.socket, reader: BinaryIO) -> None:
        self._connection = connection
        self._reader = reader

    def send(self, line: bytes) -> None:
        """Send one line; the newline is added here."""
        self._connection.sendall(line + b"\n")

    def send_bytes(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._connection.sendall(data)

    def receive(self) -> bytes:
        """The next line without its newline; empty when the other side has closed."""
        return self._reader.readline().rstrip(b"\r\n")

    def receive_bytes(self, size: int) -> bytes:
        """Exactly so many bytes.

        Raises:
            EOFError: the other side has closed before.
        """
        data = self._reader.read(size)
        if len(data) < size:
            raise EOFError(f"{len(data)} of {size} bytes came")
        return data

    def limit(self, seconds: float) -> None:
        """Give up each later wait after so many seconds."""
        self._connection.settimeout(seconds)


@contextmanager
def unix_lines(path: Path, timeout: float) -> Iterator[Lines]:
    """Speak in lines to the Unix socket at ``path``.

    Args:
        path: the socket.
        timeout: seconds after which connecting, sending or receiving gives up.

    Raises:
        OSError: nobody listens, or nothing came in time.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout)
        _connect(connection, path, monotonic() + timeout)
        with connection.makefile("rb") as reader:
            yield Lines(connection, reader)


def _connect(connection: socket.socket, path: Path, deadline: float) -> None:
    """Connect; a listener whose queue is full refuses at once whatever the time limit, see connect(2) on EAGAIN."""
    while True:
        try:
            return connection.connect(str(path))
        except BlockingIOError:
            if monotonic() >= deadline:
                raise
            sleep(QUEUE_FULL)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a web server answered."""

    status: int
    """The HTTP status."""
    body: bytes
    """The body, up to the limit that was asked for."""


def get(port: int, path: str, *, timeout: float, limit: int) -> Answer:
    """GET ``path`` from a port of the loopback, following no redirects.

    Args:
        port: the TCP port.
        path: the path with its leading slash.
        timeout: seconds for each wait on the socket.
        limit: how many bytes of the body are read at most.

    Raises:
        OSError: nobody answered in time, or what answered does not speak HTTP.
    """
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=timeout)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return Answer(response.status, response.read(limit))
    except http.client.HTTPException as error:
        raise ConnectionError(f"port {port} does not speak HTTP: {error!r}") from error
    finally:
        connection.close()
