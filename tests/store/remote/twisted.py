"""A web server that serves a store as ``goldsmith serve`` does, and lies, dawdles or goes on for ever where it is told to."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from goldsmith.effects.webserver import Page, part
from goldsmith.store.layout import Layout
from goldsmith.store.remote.site import StoreSite


@dataclass
class Answer:
    """What is sent; a twist changes it."""

    status: int
    body: bytes
    headers: dict[str, str]
    path: str
    range: str
    before: list[Callable[["Handler"], None]] = field(default_factory=list)
    """Done instead of sending the answer."""


Twist = Callable[[Answer], None]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    site: StoreSite
    twist: Twist
    asked: list[tuple[str, str, dict[str, str]]]
    timeout = 5
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self.asked.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
        page = self.site.page(self.path) or Page(b"no", status=404)
        body = (
            page.body
            if isinstance(page.body, bytes)
            else page.body.read_bytes()
            if page.body.exists()
            else b""
        )
        wanted = self.headers.get("Range", "")
        start, end, status = part(wanted if page.status == 200 else "", len(body))
        headers = {"Content-Type": page.media_type, **dict(page.headers)}
        if status == 206:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(body)}"
        answer = Answer(page.status if status == 200 else status, body[start:end], headers, self.path, wanted)
        answer.headers["Content-Length"] = str(len(answer.body))
        type(self).twist(answer)
        if answer.before:
            self.close_connection = True
            with suppress(OSError):
                for action in answer.before:
                    action(self)
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        with suppress(OSError):
            self.wfile.write(answer.body)

    do_HEAD = do_POST = do_PUT = do_GET  # noqa: N815 - the base's own names

    def log_message(self, *args: Any) -> None:
        pass


@dataclass(frozen=True)
class Twisted:
    """A server that runs."""

    host: str
    asked: list[tuple[str, str, dict[str, str]]]

    @property
    def address(self) -> str:
        return f"http://{self.host}"


@contextmanager
def twisted(layout: Layout, twist: Twist = lambda _: None) -> Iterator[Twisted]:
    """Serve a store with a twist."""
    asked: list[tuple[str, str, dict[str, str]]] = []
    handler = type("H", (Handler,), {"site": StoreSite(layout), "twist": staticmethod(twist), "asked": asked})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.02), daemon=True)
    thread.start()
    try:
        yield Twisted(f"127.0.0.1:{server.server_address[1]}", asked)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
