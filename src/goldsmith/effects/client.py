"""Requests to web servers that are not trusted: every answer has bounds in time and size, and no redirect leads astray.

- Headers must be there within the limits' ``patience``; a body must not fall silent, nor come too slowly.
- A body is never read further than the bytes that are wanted.
- Redirects are followed for GET and HEAD only, by the rules of ``net``; credentials go to the first server alone.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import urllib3

from goldsmith.effects import clock
from goldsmith.effects.access import Proxies, shown
from goldsmith.effects.net import REDIRECTS, Limits, make_pool, reason, redirected
from goldsmith.effects.part import CHUNK, Refused

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable


class _Timed:
    """A connection whose answer's headers must be there in time, however slowly they come."""

    seconds: float
    sock: "socket.socket | None"

    def getresponse(self) -> Any:
        def cut() -> None:
            with suppress(OSError, AttributeError):
                self.sock.shutdown(2)  # type: ignore[union-attr] # None is suppressed

        timer = threading.Timer(self.seconds, cut)
        timer.daemon = True
        timer.start()
        try:
            return super().getresponse()  # type: ignore[misc] # of the connection that it is mixed with
        finally:
            timer.cancel()


def _timed(pool: type[urllib3.HTTPConnectionPool], seconds: float) -> type[urllib3.HTTPConnectionPool]:
    """A kind of pool whose connections are timed."""
    connection = type("_Connection", (_Timed, pool.ConnectionCls), {"seconds": seconds})
    return type("_Pool", (pool,), {"ConnectionCls": connection})


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answered; its body is read once."""

    url: str
    """What answered, after redirects."""
    status: int
    headers: Mapping[str, str]
    """By name, however it is written."""
    client: "Client"
    response: urllib3.BaseHTTPResponse

    def read(self, limit: int) -> bytes:
        """The whole body.

        Raises:
            Refused: it is longer than ``limit`` bytes, too slow, or breaks off.
        """
        data = bytearray()
        for piece in self.pieces():
            data += piece
            if len(data) > limit:
                raise Refused(f"the server sends more than {limit} bytes", final=True)
        return bytes(data)

    def pieces(self) -> Iterator[bytes]:
        """The body as it comes.

        Raises:
            Refused: it is too slow, or breaks off.
        """
        limits = self.client.limits
        since, count = clock.monotonic(), 0
        try:
            # read1 returns what is there: a server that drips cannot hold the clock back.
            while block := self.response.read1(CHUNK):
                if self.client.stop.is_set():
                    raise Refused("stopped", final=True)
                self.client.count(len(block))
                count += len(block)
                yield block
                elapsed = clock.monotonic() - since
                if elapsed >= limits.patience:
                    if count < limits.slow * elapsed:
                        raise Refused(f"the server sends less than {limits.slow} bytes per second")
                    since, count = clock.monotonic(), 0
        except urllib3.exceptions.HTTPError as error:
            raise Refused(reason(error)) from error


@dataclass(slots=True)
class Client:
    """Connections to servers, shared by threads."""

    proxies: Proxies = field(default_factory=Proxies)
    """Which proxies are used."""
    ca: Path | None = None
    """A PEM file with the authority that signs servers' certificates; None for those that the system knows."""
    limits: Limits = field(default_factory=Limits)
    """How long and how often."""
    stop: threading.Event = field(default_factory=threading.Event)
    """Set to end all that runs."""
    received: int = 0
    """Bytes of all bodies so far."""
    _pools: dict[str, urllib3.PoolManager] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, size: int) -> None:
        """Note that bytes came."""
        with self._lock:
            self.received += size

    @contextmanager
    def ask(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: "bytes | Iterable[bytes] | None" = None,
    ) -> Iterator[Reply]:
        """Send one request; the answer is open until the block ends.

        Args:
            method: GET, HEAD, POST, PUT or PATCH.
            url: an address with http or https.
            headers: with ``Authorization``, which a redirect to another server loses.
            body: what is sent; pieces need a ``Content-Length`` among the headers.

        Raises:
            Refused: no answer, or a redirect that must not be followed.
        """
        sent = {"Accept-Encoding": "identity", "User-Agent": "goldsmith", **(headers or {})}
        first = origin(url)
        response = self._send(method, url, sent, body)
        for _ in range(self.limits.redirects):
            if response.status not in REDIRECTS or method not in {"GET", "HEAD"}:
                break
            response.close()
            url = redirected(url, response.headers.get("Location", ""))
            if origin(url) != first:
                sent.pop("Authorization", None)
            response = self._send(method, url, sent, body)
        try:
            if response.status in REDIRECTS:
                raise Refused("the server redirects what must not be, or too often", final=True)
            yield Reply(url, response.status, response.headers, self, response)
        finally:
            # Connections are used again only when the body was read to its end.
            if response.status in {204, 304} or method == "HEAD" or response.closed:
                response.release_conn()
            else:
                response.close()

    def _send(
        self, method: str, url: str, headers: Mapping[str, str], body: "bytes | Iterable[bytes] | None"
    ) -> urllib3.BaseHTTPResponse:
        if self.stop.is_set():
            raise Refused("stopped", final=True)
        try:
            return self._pool(url).request(
                method,
                shown(url),
                headers=headers,
                body=body,
                redirect=False,
                retries=False,
                preload_content=False,
                decode_content=False,
                timeout=urllib3.Timeout(connect=self.limits.connect, read=self.limits.silence),
            )
        except urllib3.exceptions.SSLError as error:
            raise NoTls(reason(error), trusted="CERTIFICATE" not in str(error).upper()) from error
        except urllib3.exceptions.HTTPError as error:
            raise Refused(reason(error)) from error
        except (UnicodeError, ValueError) as error:
            raise Refused("the address is malformed", final=True) from error

    def _pool(self, url: str) -> urllib3.PoolManager:
        proxy = self.proxies.for_address(url)
        proxy = "" if proxy.upper() == "DIRECT" else proxy
        with self._lock:
            if proxy not in self._pools:
                made = make_pool(proxy, self.ca)
                seconds = self.limits.patience
                made.pool_classes_by_scheme = {
                    "http": _timed(urllib3.HTTPConnectionPool, seconds),
                    "https": _timed(urllib3.HTTPSConnectionPool, seconds),
                }
                self._pools[proxy] = made
            return self._pools[proxy]


class NoTls(Refused):
    """A server does not speak TLS as it should; ``trusted`` unless its certificate is the reason."""

    def __init__(self, reason: str, *, trusted: bool) -> None:
        super().__init__(reason, final=True)
        self.trusted = trusted


def origin(url: str) -> tuple[str, str | None, int | None]:
    """Scheme, host and port of an address."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
