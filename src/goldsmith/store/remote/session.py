"""Talking to one registry: which protocol it speaks, and proving who we are as it asks for it.

Facts: the OCI distribution specification 1.1; the token flow of the CNCF distribution project (its pages "Token
Authentication" and "OAuth2"); RFC 9110 section 11 for challenges.
"""

import base64
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from urllib.parse import urlencode, urlsplit

from goldsmith.effects.access import shown
from goldsmith.effects.client import Client, NoTls, Reply
from goldsmith.effects.net import OK
from goldsmith.effects.part import Refused
from goldsmith.errors import IntegrityError
from goldsmith.store.remote.address import is_loopback
from goldsmith.store.remote.credentials import Credentials
from goldsmith.store.remote.manifests import read_json
from goldsmith.store.remote.trying import FORBIDDEN, NOT_FOUND, UNAUTHORIZED, refusal

FIELD = re.compile(r'([a-zA-Z]+)\s*=\s*(?:"([^"]*)"|([^\s,"]+))')
TOKEN = re.compile(r"[\x21-\x7e]+")
LARGEST_TOKEN = 1 << 16
Body = Callable[[], Iterable[bytes]]


@dataclass(slots=True)
class Session:
    """What is known of one registry while this process talks to it; shared by threads."""

    client: Client
    host: str
    """With its port."""
    credentials: Callable[[], Credentials | None]
    """Found when they are asked for."""
    plain_http: bool = False
    """Whether it speaks http, as somebody says who knows; on the loopback that is found out."""
    _base: str = ""
    _tokens: dict[str, str] = field(default_factory=dict)
    """``Authorization`` headers by scope."""
    _lock: Lock = field(default_factory=Lock)

    @property
    def base(self) -> str:
        """Scheme and host."""
        with self._lock:
            if not self._base:
                self._base = f"{self._scheme()}://{self.host}"
            return self._base

    def _scheme(self) -> str:
        if self.plain_http:
            return "http"
        if self.client.ca is None and is_loopback(self.host):
            try:
                with self.client.ask("GET", f"http://{self.host}/v2/") as reply:
                    if reply.status in {OK, UNAUTHORIZED, FORBIDDEN, NOT_FOUND}:
                        return "http"
            except Refused as refused:
                if refused.reason.startswith("no connection"):
                    raise
        return "https"

    @contextmanager
    def ask(
        self,
        method: str,
        url: str,
        *,
        scope: str,
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
    ) -> Iterator[Reply]:
        """Send a request, and once more with proof of who we are if the registry asks for it.

        Args:
            method: as ``Client.ask`` has it.
            url: a path on the registry, or a whole address that it has named.
            scope: what is to be allowed: ``repository:NAME:pull`` or ``…:pull,push``.
            headers: further ones.
            body: makes what is sent; called for each sending.

        Raises:
            Refused: no answer, or we cannot prove who we are.
        """
        address = url if "://" in url else f"{self.base}{url}"
        ours = address.startswith(f"{self.base}/")
        sent = dict(headers or {})
        if ours and scope in self._tokens:
            sent["Authorization"] = self._tokens[scope]
        challenge = None
        with self._once(method, address, sent, body) as reply:
            if reply.status != UNAUTHORIZED or not ours:
                yield reply
                return
            challenge = reply.headers.get("WWW-Authenticate", "")
        self._tokens[scope] = sent["Authorization"] = self._proof(challenge, scope)
        with self._once(method, address, sent, body) as reply:
            if reply.status == UNAUTHORIZED:
                self._tokens.pop(scope, None)
            yield reply

    @contextmanager
    def _once(
        self, method: str, address: str, headers: Mapping[str, str], body: Body | None
    ) -> Iterator[Reply]:
        try:
            with self.client.ask(method, address, headers=headers, body=body() if body else None) as reply:
                yield reply
        except NoTls as error:
            if error.trusted:
                raise Refused(
                    "the server does not speak TLS; if it is meant to be so: --plain-http", final=True
                ) from error
            raise

    def _proof(self, challenge: str, scope: str) -> str:
        """An ``Authorization`` header that answers a challenge."""
        scheme, _, rest = challenge.strip().partition(" ")
        fields = {name.lower(): quoted or plain for name, quoted, plain in FIELD.findall(rest)}
        found = self.credentials()
        if scheme.lower() == "basic":
            if found is None or found.token:
                raise Refused("the server asks for a user and a password", final=True, status=UNAUTHORIZED)
            return basic(found)
        if scheme.lower() != "bearer" or not fields.get("realm"):
            raise Refused(
                f"the server asks for {scheme[:40] or 'proof'!r}, which is not known here",
                final=True,
                status=UNAUTHORIZED,
            )
        return f"Bearer {self._token(fields, fields.get('scope') or scope, found)}"

    def _token(self, fields: Mapping[str, str], scope: str, found: Credentials | None) -> str:
        realm = fields["realm"]
        allowed = {"https", urlsplit(self.base).scheme}
        if urlsplit(realm).scheme not in allowed or not urlsplit(realm).hostname:
            raise Refused(f"the server sends us for a token to {shown(realm)!r:.200}", final=True)
        words = [("service", fields.get("service", ""))] if fields.get("service") else []
        headers: dict[str, str] = {}
        if found and found.token:
            words += [("grant_type", "refresh_token"), ("refresh_token", found.token)]
            words += [("client_id", "goldsmith"), ("scope", scope)]
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            method, address, body = "POST", realm, urlencode(words).encode()
        else:
            words += [("scope", one) for one in scope.split()]
            if found:
                headers["Authorization"] = basic(found)
            glue = "&" if urlsplit(realm).query else "?"
            method, address, body = "GET", f"{realm}{glue}{urlencode(words)}", None
        with self.client.ask(method, address, headers=headers, body=body) as reply:
            if reply.status != OK:
                raise refusal(reply)
            data = reply.read(LARGEST_TOKEN)
        try:
            value = read_json(data, "the answer of the token server")
        except IntegrityError as error:
            raise Refused(error.message, final=True) from error
        token = value.get("token") or value.get("access_token")
        if not isinstance(token, str) or not TOKEN.fullmatch(token):
            raise Refused("the token server sends no token", final=True)
        return token


def basic(found: Credentials) -> str:
    """An ``Authorization`` header with user and password."""
    return f"Basic {base64.b64encode(f'{found.user}:{found.password}'.encode()).decode()}"
