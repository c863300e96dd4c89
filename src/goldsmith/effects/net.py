"""Downloads: several at a time, whole and verified or not at all.

Rules:
- A body is never read further than its known size, or than the limit where none is known.
- A server that sends too slowly, stops, lies or fails is tried again; what came before is kept and resumed.
- A redirect goes from http to http or https, from https to https only, and takes no credentials to another server.
- Credentials are in no message and in no ``repr``.
"""

import base64
import os
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import urllib3

from goldsmith.effects import clock, files
from goldsmith.effects.access import Access, Progress, Proxies, no_progress, shown
from goldsmith.effects.part import CHUNK, Part, Refused, Wanted, part_path, unfinished
from goldsmith.errors import GoldsmithError, InputError, NetworkError, NoSpace

REDIRECTS = frozenset({301, 302, 303, 307, 308})
OK, PARTIAL, RANGE_NOT_SATISFIABLE, TOO_MANY_REQUESTS, SERVER_ERROR = 200, 206, 416, 429, 500
SCHEMES = ("http", "https")


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how much."""

    tries: int = 3
    """How often one file is asked for."""
    backoff: float = 0.5
    """Seconds to wait before the second try; doubled for each further one."""
    connect: float = 10
    """Seconds for a connection."""
    silence: float = 20
    """Seconds without a byte."""
    slow: int = 1024
    """Bytes per second, on average over ``patience`` seconds, that a server must send."""
    patience: float = 30
    """Seconds over which ``slow`` is measured."""
    redirects: int = 5
    """Redirects that are followed."""
    body: int = 16 << 30
    """Bytes that are read where the size is not known."""


@dataclass(frozen=True, slots=True)
class Got:
    """A file that was downloaded and verified."""

    wanted: Wanted
    """What was asked for."""
    size: int
    """Its size in bytes."""
    sha256: str
    """Its SHA-256 in hexadecimal."""


class NotThere(NetworkError):
    """The server says that it does not have the file at ``url``."""

    def __init__(self, message: str, *, hint: str, url: str) -> None:
        super().__init__(message, hint=hint)
        self.url = url


def download(
    wanted: Sequence[Wanted],
    *,
    jobs: int = 8,
    proxies: Proxies | None = None,
    limits: Limits | None = None,
    progress: Progress = no_progress,
) -> tuple[Got, ...]:
    """Download files, ``jobs`` at a time; each appears at its path when it is whole and verified.

    What was read of a file that did not become whole stays beside its path, and is resumed by the next call.

    Raises:
        NotThere: a server says 404 or 410.
        NetworkError: a server did not answer, or what it sent is not what was wanted, after all tries.
        NoSpace: the file system is too small; checked before the first byte.
    """
    if not wanted:
        return ()
    _check_space(wanted)
    crew = _Crew(proxies or Proxies(), limits or Limits())
    todo: queue.SimpleQueue[Wanted] = queue.SimpleQueue()
    for item in wanted:
        todo.put(item)
    done: queue.SimpleQueue[int | Got | BaseException] = queue.SimpleQueue()
    # Daemons, so that an interrupted download never keeps the process from ending.
    workers = [
        threading.Thread(target=crew.work, args=(todo, done), daemon=True)
        for _ in range(max(1, min(jobs, len(wanted))))
    ]
    for worker in workers:
        worker.start()
    try:
        got = _gather(done, wanted, progress)
    finally:
        crew.stop.set()
    for worker in workers:
        worker.join()
    return got


def _check_space(wanted: Sequence[Wanted]) -> None:
    need = sum(item.size or 0 for item in wanted)
    place = wanted[0].path.parent
    free = files.free_bytes(place)
    if need > free:
        raise NoSpace(
            f"the downloads need {need / 1e6:.1f} MB in {place}, and {free / 1e6:.1f} MB are free",
            hint="free some space there, or set GOLDSMITH_HOME to a directory on a larger disk",
        )


def _gather(
    done: "queue.SimpleQueue[int | Got | BaseException]", wanted: Sequence[Wanted], progress: Progress
) -> tuple[Got, ...]:
    total = sum(item.size or 0 for item in wanted)
    here = 0
    results: dict[int, Got] = {}
    progress(0, total)
    while len(results) < len(wanted):
        event = done.get()
        if isinstance(event, BaseException):
            raise event
        if isinstance(event, Got):
            results[id(event.wanted)] = event
            continue
        here += event
        progress(here, max(total, here))
    return tuple(results[id(item)] for item in wanted)


class _Crew:
    """What the workers of one call share: limits, connections, and the word to stop."""

    def __init__(self, proxies: Proxies, limits: Limits) -> None:
        self.proxies = proxies
        self.limits = limits
        self.stop = threading.Event()
        self._pools: dict[tuple[str, Path | None], urllib3.PoolManager] = {}
        self._lock = threading.Lock()

    def work(
        self,
        todo: "queue.SimpleQueue[Wanted]",
        done: "queue.SimpleQueue[int | Got | BaseException]",
    ) -> None:
        """Take files until none is left."""
        while not self.stop.is_set():
            try:
                item = todo.get_nowait()
            except queue.Empty:
                return
            try:
                done.put(self._get(item, done.put))
            except BaseException as error:  # noqa: BLE001 - it is raised again in the caller's thread
                done.put(error)
                return

    def _get(self, item: Wanted, tell: Callable[[int], None]) -> Got:
        wait = self.limits.backoff
        for left in reversed(range(self.limits.tries)):
            try:
                return self._try(item, tell)
            except Refused as refused:
                if refused.final or not left or self.stop.is_set():
                    raise _error(item, refused, self.limits.tries) from refused
            self.stop.wait(wait)
            wait *= 2
        raise AssertionError("the last try returns or raises")

    def _try(self, item: Wanted, tell: Callable[[int], None]) -> Got:
        with unfinished(item.path) as descriptor:
            if (there := _already_there(item)) is not None:
                os.unlink(part_path(item.path))
                return there
            part = Part(descriptor, item, tell, self.limits.body)
            try:
                if urlsplit(item.url).scheme == "file":
                    _copy(item, part)
                else:
                    self._receive(item, part)
                part.check()
            except Refused:
                tell(-part.told)
                raise
            os.replace(part_path(item.path), item.path)
            return Got(item, part.size, part.sha256)

    def _receive(self, item: Wanted, part: Part) -> None:
        if item.size is not None and part.size == item.size:
            return
        try:
            response = self._open(item, part.size)
        except urllib3.exceptions.HTTPError as error:
            raise Refused(reason(error)) from error
        try:
            if response.status == RANGE_NOT_SATISFIABLE:
                part.empty()
                raise Refused("the server cannot resume")
            if response.status == OK and part.size:
                part.empty()
            elif response.status not in {OK, PARTIAL}:
                raise _status(response.status)
            if response.status == PARTIAL:
                _check_range(response, part)
            self._read(response, part)
        except urllib3.exceptions.HTTPError as error:
            raise Refused(reason(error)) from error
        finally:
            response.close()

    def _open(self, item: Wanted, have: int) -> urllib3.BaseHTTPResponse:
        url = item.url
        for _ in range(self.limits.redirects + 1):
            headers = {"Accept-Encoding": "identity", "User-Agent": "goldsmith"}
            if have:
                headers["Range"] = f"bytes={have}-"
            headers |= _authorization(item, url)
            response = self._pool(item.access, url).request(
                "GET",
                shown(url),
                headers=headers,
                redirect=False,
                retries=False,
                preload_content=False,
                decode_content=False,
                timeout=urllib3.Timeout(connect=self.limits.connect, read=self.limits.silence),
            )
            if response.status not in REDIRECTS:
                return response
            response.close()
            url = redirected(url, response.headers.get("Location", ""))
        raise Refused(f"more than {self.limits.redirects} redirects", final=True)

    def _read(self, response: urllib3.BaseHTTPResponse, part: Part) -> None:
        since, count = clock.monotonic(), 0
        while True:
            # read1 returns what is there: a server that drips cannot hold the clock back.
            block = response.read1(CHUNK)
            if not block:
                return
            if self.stop.is_set():
                raise Refused("stopped", final=True)
            part.add(block)
            count += len(block)
            elapsed = clock.monotonic() - since
            if elapsed >= self.limits.patience:
                if count < self.limits.slow * elapsed:
                    raise Refused(f"the server sends less than {self.limits.slow} bytes per second")
                since, count = clock.monotonic(), 0

    def _pool(self, access: Access, url: str) -> urllib3.PoolManager:
        proxy = access.proxy or self.proxies.for_address(url)
        proxy = "" if proxy.upper() == "DIRECT" else proxy
        with self._lock:
            key = (proxy, access.ca)
            if key not in self._pools:
                self._pools[key] = make_pool(proxy, access.ca)
            return self._pools[key]


def make_pool(proxy: str, ca: Path | None) -> urllib3.PoolManager:
    """Connections, through a proxy unless that is empty, to servers whose authority is ``ca`` or known to the system."""
    if ca is not None and not ca.is_file():
        raise InputError(
            f"the authority's certificate {str(ca)!r} is not there",
            hint="correct the path of the certificate",
        )
    named = os.environ.get("SSL_CERT_FILE", "")
    ca_certs = str(ca) if ca else named if os.path.isfile(named) else None
    if not proxy:
        return urllib3.PoolManager(num_pools=32, maxsize=16, ca_certs=ca_certs)
    address = proxy if "://" in proxy else f"http://{proxy}"
    user = urlsplit(address).username
    headers = {}
    if user is not None:
        pair = f"{unquote(user)}:{unquote(urlsplit(address).password or '')}"
        headers = urllib3.make_headers(proxy_basic_auth=pair)
    return urllib3.ProxyManager(
        shown(address), num_pools=32, maxsize=16, ca_certs=ca_certs, proxy_headers=headers
    )


def _already_there(item: Wanted) -> Got | None:
    """What another process brought while this one waited for its turn."""
    if not item.digests or not item.path.is_file():
        return None
    size, sha256 = item.path.stat().st_size, files.sha256_file(item.path)
    return Got(item, size, sha256) if item.digests.get("sha256", "") == sha256 else None


def _copy(item: Wanted, part: Part) -> None:
    source = unquote(urlsplit(item.url).path)
    part.empty()
    try:
        with open(source, "rb") as stream:
            while block := stream.read(CHUNK):
                part.add(block)
    except FileNotFoundError as error:
        raise Refused("there is no such file", final=True, status=404) from error
    except OSError as error:
        raise Refused(error.strerror or str(error), final=True) from error


def _authorization(item: Wanted, url: str) -> dict[str, str]:
    first, now = urlsplit(item.url), urlsplit(url)
    if (first.scheme, first.hostname, first.port) != (now.scheme, now.hostname, now.port):
        return {}
    pair = item.access.credentials
    if not pair and first.username is not None:
        pair = f"{unquote(first.username)}:{unquote(first.password or '')}"
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"} if pair else {}


def redirected(url: str, location: str) -> str:
    """Where a redirect leads.

    Raises:
        Refused: it must not be followed.
    """
    target = urljoin(url, location)
    old, new = urlsplit(url).scheme, urlsplit(target).scheme
    if not location or new not in SCHEMES or (old == "https" and new != "https"):
        raise Refused(f"the server redirects to {shown(target)!r}, which is not followed", final=True)
    return target


def _check_range(response: urllib3.BaseHTTPResponse, part: Part) -> None:
    said = response.headers.get("Content-Range", "")
    if not said.startswith(f"bytes {part.size}-"):
        part.empty()
        raise Refused(f"the server resumes at another place: {said!r}")


def _status(status: int) -> Refused:
    retry = status >= SERVER_ERROR or status in {TOO_MANY_REQUESTS, 408}
    return Refused(f"the server answers with status {status}", final=not retry, status=status)


def reason(error: urllib3.exceptions.HTTPError) -> str:
    """What went wrong, in words; urllib3's own text names objects of its code."""
    kinds = (
        (urllib3.exceptions.NameResolutionError, "the host's name is not known"),
        (urllib3.exceptions.ProxyError, "the proxy does not answer"),
        (urllib3.exceptions.NewConnectionError, "no connection"),
        (urllib3.exceptions.ConnectTimeoutError, "no connection in time"),
        (urllib3.exceptions.ReadTimeoutError, "the server fell silent"),
        (urllib3.exceptions.IncompleteRead, "the connection ended too early"),
        (urllib3.exceptions.SSLError, "the server's certificate is not trusted"),
        (urllib3.exceptions.ProtocolError, "the connection broke"),
        (urllib3.exceptions.LocationParseError, "the address is malformed"),
    )
    return next((words for kind, words in kinds if isinstance(error, kind)), type(error).__name__)


def _error(item: Wanted, refused: Refused, tries: int) -> GoldsmithError:
    address = shown(item.url)
    if refused.status in {404, 410}:
        return NotThere(
            f"{address!r} is not there: {refused.reason}",
            hint="check the address, or use another mirror",
            url=item.url,
        )
    times = "" if refused.final else f" ({tries} tries)"
    return NetworkError(
        f"cannot download {address!r}: {refused.reason}{times}",
        hint=refused.hint or "check the network and proxy settings, or use another mirror",
    )


def keep(got: Got, path: Path) -> None:
    """Move a downloaded file to another name of the same file system, as its digest says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    os.replace(got.wanted.path, path)
