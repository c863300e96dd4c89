"""What a server may do that means no good, and what must be so afterwards."""

import time
from collections.abc import Callable

from tests.store.remote.twisted import Answer, Handler, Twist

from goldsmith.store.check import Hurt, check
from goldsmith.store.home import Home
from goldsmith.store.images import layout_of

SOON = 20
"""Seconds within which everything is refused, on a busy machine."""


def untouched(home: Home) -> bool:
    """Whether a store has no names, and of objects at most whole ones that nothing needs."""
    layout = layout_of(home)
    kinds = {problem.kind for problem in check(layout, read=True)}
    return not layout.refs() and kinds <= {Hurt.UNUSED, Hurt.STRAY}


def endless(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
    while True:
        handler.wfile.write(bytes(1 << 16))


def endless_headers(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(100_000):
        handler.wfile.write(b"X-%d: y\r\n" % number)


def dripping(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    for _ in range(100):
        handler.wfile.write(b"x")
        time.sleep(0.1)


def dripping_headers(handler: Handler) -> None:
    for byte in b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 100:
        handler.wfile.write(bytes([byte]))
        time.sleep(0.1)


def silent(handler: Handler) -> None:  # noqa: ARG001 - one of several
    time.sleep(4)


def no_http(handler: Handler) -> None:
    handler.wfile.write(b"220 mail ready\r\n")


def at(pattern: str, *actions: Callable[[Handler], None], change: Twist | None = None) -> Twist:
    """Twist the answers of paths that contain a text."""

    def twist(answer: Answer) -> None:
        if pattern in answer.path:
            answer.before += actions
            if change:
                change(answer)

    return twist


def body(data: bytes) -> Twist:
    def change(answer: Answer) -> None:
        answer.body, answer.headers["Content-Length"] = data, str(len(data))

    return change


def flip(answer: Answer) -> None:
    answer.body = answer.body[:-1] + bytes([answer.body[-1] ^ 1])


def cut(answer: Answer) -> None:
    answer.body = answer.body[:-1]
    answer.headers["Content-Length"] = str(len(answer.body))


def break_off(answer: Answer) -> None:
    answer.body = answer.body[:-1]


def redirect(target: str) -> Twist:
    def change(answer: Answer) -> None:
        answer.status, answer.headers["Location"] = 302, target

    return change


def status(number: int) -> Twist:
    def change(answer: Answer) -> None:
        answer.status = number

    return change
