"""Who we are to a registry: basic and token logins, and TLS with an authority of our own."""

import base64
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.store.remote.accounts import PASSWORD, USER, packed, write
from tests.store.remote.conftest import Move
from tests.store.remote.images import Maker, files_of
from tests.store.remote.registries import Registry, registry
from tests.store.remote.twisted import Answer, twisted

from goldsmith.effects.client import Client
from goldsmith.effects.net import Limits
from goldsmith.errors import InputError, NetworkError
from goldsmith.store.home import Home
from goldsmith.store.remote.address import parse
from goldsmith.store.remote.transfer import Ways, session, transfer

ENVIRONMENT = {"GOLDSMITH_REMOTE_USER": USER, "GOLDSMITH_REMOTE_PASSWORD": PASSWORD}


@pytest.fixture(scope="module")
def basic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry with a password file."""
    room = tmp_path_factory.mktemp("basic")
    hashed = subprocess.run(
        [sys.executable, "-c", CRYPT, PASSWORD], capture_output=True, text=True, check=True
    ).stdout.strip()
    (room / "htpasswd").write_text(f"{USER}:{hashed}\n")
    with registry(room, auth={"htpasswd": {"realm": "test", "path": str(room / "htpasswd")}}) as started:
        yield started


CRYPT = """
import ctypes, ctypes.util, sys
library = ctypes.CDLL(ctypes.util.find_library("crypt"))
library.crypt.restype = ctypes.c_char_p
print(library.crypt(sys.argv[1].encode(), b"$2a$05$abcdefghijklmnopqrstuu").decode())
"""


def test_a_registry_with_passwords(basic: Registry, maker: Maker, there: Home, move: Move) -> None:
    maker.make("web", "1.0.0", files_of(1))
    address = f"{basic.host}/team/web:1.0.0"
    move(maker.home, "web:1.0.0", address, environment=ENVIRONMENT)
    move(there, address, "web:1.0.0", environment=ENVIRONMENT)
    for environment, says in (
        ({}, "asks for a user and a password"),
        ({**ENVIRONMENT, "GOLDSMITH_REMOTE_PASSWORD": "wrong"}, "asks who we are"),
    ):
        with pytest.raises(NetworkError, match=says) as caught:
            move(Home(there.path / "x"), address, "web:1.0.0", environment=environment)
        assert "log in" in caught.value.hint
        assert PASSWORD not in str(caught.value)


@dataclass
class TokenServer:
    """Gives tokens to those who know the password, as the registry's own documentation describes it."""

    room: Path
    asked: list[dict[str, list[str]]] = field(default_factory=list)
    address: str = ""
    answer: bytes | None = None


@contextmanager
def token_server(room: Path) -> Iterator[TokenServer]:
    """A token server, and a key and a certificate for the registry to believe it."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test",
         "-keyout", room / "key.pem", "-out", room / "cert.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    state = TokenServer(room)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.give(
                parse_qs(urlsplit(self.path).query), self.headers.get("Authorization") == f"Basic {packed()}"
            )

        def do_POST(self) -> None:
            words = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.give(words, words.get("refresh_token") == ["identity"])

        def give(self, words: dict[str, list[str]], known: bool) -> None:
            state.asked.append(words)
            scopes = " ".join(words["scope"]).split()
            access = [
                {"type": kind, "name": name, "actions": actions.split(",") if known else ["pull"]}
                for kind, name, actions in (scope.rsplit(":", 2) for scope in scopes)
            ]
            data = (
                state.answer
                or json.dumps({"token": signed(state.room, words["service"][0], access)}).encode()
            )
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.address = f"http://127.0.0.1:{server.server_address[1]}/token"
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.02), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()


def signed(room: Path, service: str, access: object) -> str:
    """A JSON Web Token, signed by openssl."""
    lines = (room / "cert.pem").read_text().splitlines()
    head = {"typ": "JWT", "alg": "RS256", "x5c": ["".join(lines[1:-1])]}
    now = int(time.time())
    claims = {"iss": "test", "sub": "x", "aud": service, "exp": now + 300, "nbf": now - 10, "iat": now, "jti": "1", "access": access}  # fmt: skip
    text = ".".join(unpadded(json.dumps(value).encode()) for value in (head, claims))
    signature = subprocess.run(
        ["openssl", "dgst", "-sha256", "-sign", room / "key.pem"],
        input=text.encode(),
        capture_output=True,
        check=True,
    )
    return f"{text}.{unpadded(signature.stdout)}"


def unpadded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@pytest.fixture
def tokens(tmp_path: Path) -> Iterator[tuple[Registry, TokenServer]]:
    """A registry that wants tokens, and the server that gives them."""
    room = tmp_path / "tokens"
    room.mkdir()
    with token_server(room) as server:
        auth = {
            "token": {
                "realm": server.address,
                "service": "the registry",
                "issuer": "test",
                "rootcertbundle": str(room / "cert.pem"),
            }
        }
        with registry(room, auth=auth) as started:
            yield started, server


def test_a_registry_with_tokens(
    tokens: tuple[Registry, TokenServer], maker: Maker, there: Home, move: Move, tmp_path: Path
) -> None:
    started, server = tokens
    maker.make("web", "1.0.0", files_of(1))
    maker.make("other", "1.0.0", files_of(1))
    move(maker.home, "web:1.0.0", f"{started.host}/team/web:1.0.0", environment=ENVIRONMENT)
    assert 1 <= len(server.asked) <= 12
    move(there, f"{started.host}/team/web:1.0.0", "web:1.0.0")  # without a name: what everybody may
    moved = move(maker.home, "other:1.0.0", f"{started.host}/team/other:1.0.0", environment=ENVIRONMENT)
    assert moved.reused
    write(
        tmp_path / "docker/config.json", json.dumps({"auths": {started.host: {"identitytoken": "identity"}}})
    )
    environment = {"DOCKER_CONFIG": str(tmp_path / "docker")}
    move(maker.home, "web:1.0.0", f"{started.host}/third/web:1.0.0", environment=environment)
    with pytest.raises(NetworkError, match="asks who we are"):
        move(maker.home, "web:1.0.0", f"{started.host}/fourth/web:1.0.0")


@pytest.mark.parametrize(
    "answer",
    [b"{}", b"no", b'{"token": "a\\r\\nX: y"}', b'{"token": 3}', b"x" * 100_000],
    ids=lambda x: str(x)[:12],
)
def test_a_token_that_is_none(
    answer: bytes, tokens: tuple[Registry, TokenServer], maker: Maker, move: Move
) -> None:
    started, server = tokens
    server.answer = answer
    maker.make("web", "1.0.0", files_of(1))
    with pytest.raises(NetworkError, match=r"no token|is no JSON|sends more than"):
        move(maker.home, "web:1.0.0", f"{started.host}/team/web:1.0.0")


@pytest.mark.parametrize(
    ("challenge", "says"),
    [
        ('Bearer realm="file:///etc/passwd"', "sends us for a token to 'file:///etc/passwd'"),
        ('Bearer realm="ftp://x/y"', "sends us for a token to"),
        ("Bearer", "asks for 'Bearer'"),
        ("Negotiate", "asks for 'Negotiate'"),
        ("", "asks for 'proof'"),
    ],
    ids=["a file", "another protocol", "no realm", "another scheme", "nothing"],
)
def test_a_challenge_that_is_not_answered(
    challenge: str, says: str, maker: Maker, there: Home, move: Move
) -> None:
    maker.make("web", "1.0.0", files_of(1))

    def twist(answer: Answer) -> None:
        answer.status, answer.headers["WWW-Authenticate"] = 401, challenge

    with twisted(maker.layout, twist) as server, pytest.raises(NetworkError, match=says):
        move(there, f"{server.host}/web:1.0.0", "web:1.0.0", environment=ENVIRONMENT)


def test_a_password_stays_with_its_server(maker: Maker, there: Home, move: Move) -> None:
    """A redirect to another server loses it."""
    maker.make("web", "1.0.0", files_of(1))
    with twisted(maker.layout) as other:

        def twist(answer: Answer) -> None:
            if "/blobs/" in answer.path:
                answer.status, answer.headers["Location"] = 307, f"{other.address}{answer.path}"

        with twisted(maker.layout, twist) as server:
            move(there, f"{server.address}/web:1.0.0", "web:1.0.0", environment=ENVIRONMENT)
            assert all("authorization" in headers for _, _, headers in server.asked)
        assert other.asked
        assert not [headers for _, _, headers in other.asked if "authorization" in headers]


# -- TLS


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Registry, Path]]:
    """A registry with a certificate of an authority of our own, and that authority's."""
    room = tmp_path_factory.mktemp("secure")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", room / "key.pem", "-out", room / "cert.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    tls = {"certificate": str(room / "cert.pem"), "key": str(room / "key.pem")}
    with registry(room, http={"tls": tls}) as started:
        yield started, room / "cert.pem"


def test_tls_with_an_authority_of_our_own(secure: tuple[Registry, Path], maker: Maker, there: Home) -> None:
    started, authority = secure
    maker.make("web", "1.0.0", files_of(1))
    address = f"{started.host}/team/web:1.0.0"
    for home, source, target in ((maker.home, "web:1.0.0", address), (there, address, "web:1.0.0")):
        transfer(Ways(home, Client(ca=authority, limits=Limits(backoff=0.1))), parse(source), parse(target))
    for client, says in (
        (Client(limits=Limits(backoff=0.1)), "certificate is not trusted"),
        (Client(ca=other_authority(started.room), limits=Limits(backoff=0.1)), "certificate is not trusted"),
    ):
        with pytest.raises(NetworkError, match=says) as caught:
            transfer(Ways(there, client), parse(address), parse("web:1.0.0"))
        assert "--ca FILE" in caught.value.hint
    with pytest.raises(InputError, match="is not there"):
        transfer(Ways(there, Client(ca=started.room / "none")), parse(address), parse("web:1.0.0"))


def other_authority(room: Path) -> Path:
    path = room / "other.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=other",
         "-keyout", room / "other.key", "-out", path],
        check=True, capture_output=True,
    )  # fmt: skip
    return path


def test_http_is_spoken_on_the_loopback_and_where_it_is_asked_for() -> None:
    """No server listens on a documentation address; what is tried shows in the error alone."""
    client = Client(limits=Limits(backoff=0.1))
    for plain in (False, True):
        ways = Ways(Home(Path("/nonexistent")), client, plain_http=plain)
        assert session(ways, "registry.example").base == f"http{'' if plain else 's'}://registry.example"
