"""A web server that only gives: GET and HEAD, whole objects or one part of them, over HTTP/1.1."""

import re
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import BoundedSemaphore
from typing import BinaryIO, Protocol

from goldsmith.errors import Unavailable

RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
SILENCE = 30
"""Seconds after which a client that says nothing, or takes nothing, is left."""
AT_ONCE = 128
"""Connections at a time; further ones are closed."""
OK, PARTIAL, NOT_FOUND, RANGE_NOT_SATISFIABLE = 200, 206, 404, 416


@dataclass(frozen=True, slots=True)
class Page:
    """What a path stands for."""

    body: bytes | Path
    """Bytes, or a file that has them and never changes."""
    media_type: str = "application/octet-stream"
    headers: tuple[tuple[str, str], ...] = ()
    status: int = OK


class Site(Protocol):
    """What is served."""

    def page(self, path: str) -> Page | None:
        """What a request's path, as it came, stands for; None for nothing. Called from several threads."""


class WebServer:
    """Serves a site until it is closed."""

    def __init__(self, host: str, port: int, site: Site, log: Callable[[str], None] | None = None) -> None:
        """Listen.

        Args:
            host: an address of this machine.
            port: a TCP port; 0 for any that is free.
            site: what is served.
            log: is told of each request.

        Raises:
            Unavailable: the address cannot be listened on.
        """

        class Handler(_Handler):
            pass

        Handler.site, Handler.log = site, staticmethod(log or _nothing)
        try:
            family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
            kind = type("_Bound", (_Server,), {"address_family": family})
            self._server = kind((host, port), Handler)
        except OSError as error:
            raise Unavailable(
                f"cannot listen on {host} port {port}: {error.strerror or error}",
                hint="choose another port (--port 0 takes any free one) or address",
            ) from error
        name = f"[{host}]" if ":" in host else host
        self.address = f"http://{name}:{self._server.server_address[1]}"
        """Where it listens."""

    def run(self) -> None:
        """Serve until the process is asked to end or another thread calls ``close``."""
        try:
            self._server.serve_forever(poll_interval=0.2)
        finally:
            self._server.server_close()

    def close(self) -> None:
        """Stop serving; may be called from another thread only."""
        self._server.shutdown()


def _nothing(line: str) -> None:
    """Log nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._room = BoundedSemaphore(AT_ONCE)
        super().__init__(address, handler)

    def process_request(self, request: "socket.socket | tuple[bytes, socket.socket]", client: object) -> None:
        if not self._room.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client)

    def process_request_thread(
        self, request: "socket.socket | tuple[bytes, socket.socket]", client: object
    ) -> None:
        try:
            super().process_request_thread(request, client)
        finally:
            self._room.release()

    def handle_error(self, request: object, client: object) -> None:  # noqa: ARG002 - as the base has it
        if not isinstance(sys.exception(), OSError):  # a client that went away is no news
            sys.stderr.write(f"goldsmith: a request failed: {sys.exception()!r}\n")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "goldsmith"
    sys_version = ""
    timeout = SILENCE
    disable_nagle_algorithm = True
    site: Site
    log: Callable[[str], None]

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def _answer(self, *, body: bool) -> None:
        page = self.site.page(self.path)
        if page is None:
            page = Page(b"not found\n", "text/plain", status=NOT_FOUND)
        if isinstance(page.body, bytes):
            self._send(page, len(page.body), None, body=body)
            return
        try:
            with page.body.open("rb", buffering=0) as stream:
                self._send(page, stream.seek(0, 2), stream, body=body)
        except FileNotFoundError:
            self._send(Page(b"gone\n", "text/plain", status=NOT_FOUND), 5, None, body=body)

    def _send(self, page: Page, size: int, stream: BinaryIO | None, *, body: bool) -> None:
        start, end, status = part(self.headers.get("Range", "") if page.status == OK else "", size)
        self.send_response(page.status if status == OK else status)
        self.send_header("Content-Type", page.media_type)
        self.send_header("Content-Length", str(end - start))
        self.send_header("Accept-Ranges", "bytes")
        if status == PARTIAL:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{size}")
        if status == RANGE_NOT_SATISFIABLE:
            self.send_header("Content-Range", f"bytes */{size}")
        for name, value in page.headers:
            self.send_header(name, value)
        self.end_headers()
        if not body or start == end:
            return
        if stream is None:
            assert isinstance(page.body, bytes)
            self.wfile.write(page.body[start:end])
        elif self.connection.sendfile(stream, start, end - start) < end - start:
            self.close_connection = True  # the file was cut short; the client must notice

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002 - as the base has it
        self.close_connection = True
        data = f"{message or code}\n".encode()
        with suppress(OSError):
            self.send_response(code)
            self.send_header("Content-Length", str(len(data)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's own name
        text = (format % args).encode("ascii", "backslashreplace").decode()
        type(self).log(f"{self.client_address[0]} {''.join(c if c.isprintable() else '?' for c in text)}")


def part(wanted: str, size: int) -> tuple[int, int, int]:
    """First byte, the one after the last, and the status, of a ``Range`` header; several parts are given as the whole."""
    match = RANGE.fullmatch(wanted)
    if match is None or match.groups() == ("", ""):
        return 0, size, OK
    first, last = match.groups()
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(size, int(last) + 1 if last else size)
    if start >= size or (last and first and int(last) < int(first)):
        return 0, 0, RANGE_NOT_SATISFIABLE
    return start, end, PARTIAL
