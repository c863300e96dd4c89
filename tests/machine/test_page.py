"""A page is waited for, and told by its digest; the server is a real one on the loopback."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from goldsmith.effects.clock import monotonic
from goldsmith.effects.sockets import free_port
from goldsmith.errors import CheckFailed
from goldsmith.machine.boot import Page, fetch


@contextmanager
def served(*statuses: int) -> Iterator[int]:
    """A server that answers with these statuses in turn, the last one for ever; its port."""
    left = list(statuses)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(left.pop(0) if len(left) > 1 else left[0])
            self.end_headers()
            self.wfile.write(f"page {self.path}\n".encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield server.server_port
        finally:
            server.shutdown()


@pytest.mark.parametrize(
    "statuses",
    [
        pytest.param((200,), id="a page that is there"),
        pytest.param((503, 502, 200), id="a page whose server is not ready at once"),
    ],
)
def test_a_page_is_told_by_status_size_and_digest(statuses: tuple[int, ...]) -> None:
    with served(*statuses) as port:
        answer = fetch(Page(80, "/health"), port, monotonic() + 10, 10)
    assert (answer.port, answer.path, answer.status, answer.size) == (80, "/health", 200, 13)
    assert answer.sha256 == hashlib.sha256(b"page /health\n").hexdigest()
    assert answer.first == "page /health\n"


def test_a_refusal_ends_the_wait_at_once() -> None:
    begun = monotonic()
    with served(404) as port, pytest.raises(CheckFailed) as caught:
        fetch(Page(80, "/nothing"), port, monotonic() + 30, 30)
    assert monotonic() - begun < 10
    assert caught.value.message == (
        "the machine is up, but http://127.0.0.1:80/nothing inside it is not served (within 30 s): "
        "the server answers 404"
    )


def test_a_server_that_stays_broken_is_named_with_its_answer() -> None:
    with served(500) as port, pytest.raises(CheckFailed, match="the server answers 500"):
        fetch(Page(80, "/"), port, monotonic() + 3, 3)


def test_nobody_there_is_named_as_such() -> None:
    with pytest.raises(CheckFailed, match="nobody answers"):
        fetch(Page(80, "/"), free_port(), monotonic() + 0.6, 1)
