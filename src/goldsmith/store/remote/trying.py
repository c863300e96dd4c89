"""Ask again what may work the second time; and answers of web servers as reasons."""

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from goldsmith.effects.client import Client, Reply
from goldsmith.effects.net import OK, PARTIAL, RANGE_NOT_SATISFIABLE, SERVER_ERROR, TOO_MANY_REQUESTS
from goldsmith.effects.part import Refused
from goldsmith.errors import GoldsmithError, IntegrityError, NetworkError
from goldsmith.store.remote.source import Damaged, NoRanges

UNAUTHORIZED, FORBIDDEN, NOT_FOUND, GONE, TIMEOUT = 401, 403, 404, 410, 408
SAID = 2000
"""Bytes of an error's body that are looked at."""
Result = TypeVar("Result")


def trying(client: Client, what: str, work: Callable[[], Result]) -> Result:
    """The result of ``work``, which is tried again as the client's limits say.

    Raises:
        NoRanges: the whole must be asked for instead.
        NetworkError: the last refusal; ``what`` says what was asked for.
        IntegrityError: what came each time is not what its digest says.
    """
    wait = client.limits.backoff
    tries = client.limits.tries
    for left in reversed(range(tries)):
        try:
            return work()
        except NoRanges:
            raise
        except Refused as refused:
            if refused.final or not left or client.stop.is_set():
                raise failed(what, refused, tries) from refused
        client.stop.wait(wait)
        wait *= 2
    raise AssertionError("the last try returns or raises")


def failed(what: str, refused: Refused, tries: int = 1) -> GoldsmithError:
    """The error for what could not be had."""
    if isinstance(refused, Damaged):
        return IntegrityError(
            f"{what}: {refused.reason}",
            hint="what is kept there is damaged, or is changed on its way; nothing of it is used",
        )
    times = "" if refused.final or tries == 1 else f" ({tries} tries)"
    hints = {
        UNAUTHORIZED: "log in (skopeo login, podman login or docker login), or set GOLDSMITH_REMOTE_USER"
        " and GOLDSMITH_REMOTE_PASSWORD",
        FORBIDDEN: "this user may not do that there; log in as another",
        NOT_FOUND: "it is not there (any more); check the address",
    }
    hint = hints.get(refused.status, "check the address, the network and the proxy settings")
    if "certificate" in refused.reason:
        hint = "name the authority that signs the server's certificate: --ca FILE"
    return NetworkError(f"{what}: {refused.reason}{times}", hint=hint)


def refusal(reply: Reply) -> Refused:
    """Why an answer is none."""
    retry = reply.status >= SERVER_ERROR or reply.status in {TOO_MANY_REQUESTS, TIMEOUT}
    reason = f"the server answers with status {reply.status}"
    if reply.status == UNAUTHORIZED:
        reason = "the server asks who we are, and does not take what it is told"
    return Refused(reason, final=not retry, status=reply.status)


def byte_range(start: int, end: int, size: int) -> Mapping[str, str]:
    """The header that asks for a part; none for all."""
    return {} if (start, end) == (0, size) else {"Range": f"bytes={start}-{end - 1}"}


def part(reply: Reply, start: int, end: int, size: int) -> Iterator[bytes]:
    """The bytes from ``start`` to before ``end`` out of an answer; never more.

    Raises:
        Refused: the answer is another part, or breaks off.
    """
    whole = (start, end) == (0, size)
    if reply.status == OK and not whole:
        raise NoRanges
    if reply.status == RANGE_NOT_SATISFIABLE:
        raise Refused("the server has fewer bytes than are announced", final=True)
    if reply.status not in {OK, PARTIAL}:
        raise refusal(reply)
    said = reply.headers.get("Content-Range", "")
    if reply.status == PARTIAL and not said.startswith(f"bytes {start}-{end - 1}/"):
        raise Refused(f"the server sends another part: {said!r:.100}")
    left = end - start
    for piece in reply.pieces():
        yield piece[:left]
        left -= min(left, len(piece))
        if not left:
            return
    if left:
        raise Refused(f"the server sends {left} bytes too few")
