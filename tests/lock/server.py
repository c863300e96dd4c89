"""An HTTP server on the loopback that can lie."""

import base64
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote


class Server(ThreadingHTTPServer):
    """Serves a directory; ``lies`` says for a path how the next requests are answered, the honest way after that.

    A lie is: ``500`` (any status), ``truncate N`` (full length promised, N bytes sent), ``cut N`` (N bytes, and that
    is called all), ``change`` (one byte is another), ``endless``, ``silent``, ``drip`` (a byte now and then),
    ``redirect URL``, ``wrong-range``. With ``always `` in front it is told for ever.
    """

    daemon_threads = True

    def __init__(self, root: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.root = root
        self.lies: dict[str, list[str]] = defaultdict(list)
        self.asked: list[str] = []
        self.ranges: list[str] = []
        self.authorizations: list[str] = []
        self.password = ""
        self.closing = threading.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is part of the tests."""


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Be quiet."""

    def do_GET(self) -> None:
        path = unquote(self.path)
        self.server.asked.append(path)
        self.server.ranges.append(self.headers.get("Range", ""))
        given = self.headers.get("Authorization", "")
        self.server.authorizations.append(given)
        wanted = f"Basic {base64.b64encode(self.server.password.encode()).decode()}"
        if self.server.password and given != wanted:
            return self.answer(401, b"")
        if path.startswith("http://"):  # as a proxy does
            path = "/" + path.split("/", 3)[3]
        lies = self.server.lies[path]
        lie = "" if not lies else lies[0] if lies[0].startswith("always ") else lies.pop(0)
        words = lie.removeprefix("always ").split()
        if words and words[0].isdigit():
            return self.answer(int(words[0]), b"no")
        if words and words[0] == "redirect":
            return self.answer(302, b"", headers={"Location": words[1]})
        file = self.server.root / path.lstrip("/")
        if not file.is_file():
            return self.answer(404, b"not here")
        data, status, headers = file.read_bytes(), 200, {}
        if self.headers.get("Range") and "If-Range" not in self.headers:
            start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
            if start >= len(data):
                return self.answer(416, b"")
            shown = start + 1 if words[:1] == ["wrong-range"] else start
            headers["Content-Range"] = f"bytes {shown}-{len(data) - 1}/{len(data)}"
            data, status = data[start:], 206
        return self.tell(words, data, status, headers)

    def tell(self, words: list[str], data: bytes, status: int, headers: dict[str, str]) -> None:
        kind = words[0] if words else ""
        if kind == "change":
            data = bytes([data[0] ^ 1]) + data[1:]
        if kind == "cut":
            data = data[: int(words[1])]
        if kind == "truncate":
            self.answer(status, data[: int(words[1])], length=len(data), headers=headers)
            self.close_connection = True
            return
        if kind in {"endless", "drip", "silent"}:
            self.send_response(status)
            self.end_headers()
            self.close_connection = True
            with suppress(OSError):
                while not self.server.closing.is_set():
                    if kind != "silent":
                        self.wfile.write(b"x" if kind == "drip" else b"x" * 65536)
                    if kind != "endless":
                        time.sleep(0.05)
            return
        self.answer(status, data, headers=headers)

    def answer(
        self, status: int, data: bytes, length: int | None = None, headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data) if length is None else length))
        self.end_headers()
        self.wfile.write(data)


@contextmanager
def serving(root: Path) -> Iterator[Server]:
    """Serve a directory until the block ends."""
    server = Server(root)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
