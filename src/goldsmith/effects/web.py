"""Read one address of the web into a file, when nothing is known of it in advance."""

import os
import ssl
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3

from goldsmith.effects.clock import monotonic, sleep
from goldsmith.effects.files import write_all
from goldsmith.errors import NetworkError

ATTEMPTS = 5
BLOCK = 1 << 16
OK = 200
REDIRECTS = urllib3.Retry(total=None, connect=0, read=0, status=0, other=0, redirect=10)


def download(
    url: str, descriptor: int, *, timeout: float | None, verify: bool = True, pause: float = 0.5
) -> None:
    """Write the body of ``url`` to a file descriptor; up to five attempts, redirects are followed.

    Args:
        url: an http or https address.
        descriptor: a regular file, open for writing, empty.
        timeout: seconds for all of it; None is no limit but that for silence.
        verify: whether the server's certificate is checked.
        pause: seconds before the second attempt; doubled before each further one.

    Raises:
        NetworkError: no attempt was answered with 200 and a whole body.
    """
    end = None if timeout is None else monotonic() + timeout
    reason = "the time was over"
    for attempt in range(ATTEMPTS):
        if attempt:
            sleep(min(pause * 2 ** (attempt - 1), _left(end)))
        if _left(end) <= 0:
            break
        try:
            _once(url, descriptor, end, verify)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            reason = str(error)
        else:
            return
    raise NetworkError(
        f"cannot download {url!r}: {reason}",
        hint="check the address and that this machine reaches it",
    )


def _pool(url: str, *, ssl_context: ssl.SSLContext, timeout: float) -> urllib3.PoolManager:
    """Connections to a server, through the proxy that the environment names for it."""
    parts = urlsplit(url)
    proxy = getproxies().get(parts.scheme)
    if proxy is None or proxy_bypass(parts.netloc):
        return urllib3.PoolManager(ssl_context=ssl_context, timeout=timeout)
    return urllib3.ProxyManager(proxy, ssl_context=ssl_context, timeout=timeout)


def _left(end: float | None) -> float:
    return 60.0 if end is None else end - monotonic()


def _once(url: str, descriptor: int, end: float | None, verify: bool) -> None:
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.ftruncate(descriptor, 0)
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    with _pool(url, ssl_context=context, timeout=min(60.0, _left(end))) as pool:
        answer = pool.request("GET", url, preload_content=False, retries=REDIRECTS)
        try:
            if answer.status != OK:
                raise urllib3.exceptions.HTTPError(
                    f"the server answered {answer.status} {answer.reason or ''}".rstrip()
                )
            for block in answer.stream(BLOCK):
                if _left(end) <= 0:
                    raise urllib3.exceptions.HTTPError("the time was over")
                write_all(descriptor, block)
        finally:
            answer.release_conn()
