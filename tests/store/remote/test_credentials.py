"""Where credentials come from."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.store.remote.accounts import PASSWORD, USER, packed, write

from goldsmith.errors import GoldsmithError, InputError, Unavailable
from goldsmith.store.remote.credentials import Credentials, find_credentials

HOST = "registry.example:5000"


HELPER = """#!/bin/sh
read host
[ "$1" = get ] || exit 2
case $host in
registry.example:5000) echo '{"ServerURL": "x", "Username": "%s", "Secret": "%s"}' ;;
broken.example) echo oops; exit 1 ;;
*) echo 'credentials not found in native keychain'; exit 1 ;;
esac
"""


@pytest.mark.parametrize(
    ("files", "environment", "found"),
    [
        ({}, {}, None),
        ({}, {"GOLDSMITH_REMOTE_USER": "u", "GOLDSMITH_REMOTE_PASSWORD": "p"}, ("u", "p", "")),
        ({}, {"GOLDSMITH_REMOTE_USER": "u"}, None),
        (
            {},
            {"GOLDSMITH_REMOTE_USER": "u", "GOLDSMITH_REMOTE_PASSWORD": "p", "GOLDSMITH_REMOTE_HOST": HOST},
            ("u", "p", ""),
        ),
        (
            {},
            {"GOLDSMITH_REMOTE_USER": "u", "GOLDSMITH_REMOTE_PASSWORD": "p", "GOLDSMITH_REMOTE_HOST": "other"},
            None,
        ),
        ({".docker/config.json": {"auths": {HOST: {"auth": packed()}}}}, {}, (USER, PASSWORD, "")),
        (
            {".docker/config.json": {"auths": {f"https://{HOST}/v1/": {"auth": packed()}}}},
            {},
            (USER, PASSWORD, ""),
        ),
        ({".docker/config.json": {"auths": {"other.example": {"auth": packed()}}}}, {}, None),
        ({".docker/config.json": {"auths": {HOST: {}}}}, {}, None),
        (
            {".docker/config.json": {"auths": {HOST: {"auth": packed(), "identitytoken": "t"}}}},
            {},
            (USER, PASSWORD, "t"),
        ),
        (
            {".docker/config.json": {"auths": {HOST: {"username": "a", "password": "b"}}}},
            {},
            ("a", "b", ""),
        ),
        ({"there/config.json": {"auths": {HOST: {"auth": packed()}}}}, {"DOCKER_CONFIG": "there"}, (USER, PASSWORD, "")),
        ({"auth.json": {"auths": {HOST: {"auth": packed()}}}}, {"REGISTRY_AUTH_FILE": "auth.json"}, (USER, PASSWORD, "")),
        (
            {"run/containers/auth.json": {"auths": {HOST: {"auth": packed()}}}},
            {"XDG_RUNTIME_DIR": "run"},
            (USER, PASSWORD, ""),
        ),
        ({".docker/config.json": {"credHelpers": {HOST: "test"}}}, {}, ("helped", "secret", "")),
        ({".docker/config.json": {"credsStore": "test"}}, {}, ("helped", "secret", "")),
        ({".docker/config.json": {"credsStore": "token"}}, {}, ("", "", "secret")),
        ({".netrc": "machine registry.example login n password m\n"}, {}, ("n", "m", "")),
        ({".netrc": f"machine {HOST} login n password m\n"}, {}, ("n", "m", "")),
        ({".netrc": "machine other login n password m\n"}, {}, None),
        ({".netrc": "default login n password m\n"}, {}, None),
        ({"net": "machine registry.example login n password m\n"}, {"NETRC": "net"}, ("n", "m", "")),
        (
            {".docker/config.json": {"auths": {HOST: {"auth": packed()}}}, ".netrc": "machine registry.example login n password m\n"},
            {},
            (USER, PASSWORD, ""),
        ),
    ],
    ids=["nothing", "environment", "half of it", "for this host", "for another host", "docker", "docker, as an address", "docker, another host", "docker, logged out", "an identity token", "plain words", "DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "podman", "a helper for the host", "a helper for all", "a helper with a token", "netrc", "netrc with a port", "netrc, another host", "netrc, default", "NETRC", "docker before netrc"],
)  # fmt: skip
def test_credentials_come_from_the_usual_places(
    files: Mapping[str, Any],
    environment: Mapping[str, str],
    found: tuple[str, str, str] | None,
    tmp_path: Path,
) -> None:
    for name, value in files.items():
        write(tmp_path / name, value if isinstance(value, str) else json.dumps(value))
    write(tmp_path / "bin/docker-credential-test", HELPER % ("helped", "secret"), program=True)
    write(tmp_path / "bin/docker-credential-token", HELPER % ("<token>", "secret"), program=True)
    named = {
        key: str(tmp_path / value)
        if key in {"DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "NETRC"}
        else value
        for key, value in environment.items()
    }
    where = {"HOME": str(tmp_path), "PATH": f"{tmp_path}/bin:/usr/bin:/bin", **named}
    result = find_credentials(HOST, where)
    assert (None if result is None else (result.user, result.password, result.token)) == found


@pytest.mark.parametrize(
    ("files", "host", "error", "says"),
    [
        ({".docker/config.json": "{"}, HOST, InputError, "cannot be read"),
        ({".docker/config.json": "[]"}, HOST, InputError, "no JSON object"),
        ({".docker/config.json": '{"auths": {"h.x": {"auth": "%%%"}}}'}, "h.x", InputError, "no base64"),
        ({".docker/config.json": '{"credsStore": "absent"}'}, HOST, Unavailable, "'docker-credential-absent' is not inst"),
        ({".docker/config.json": '{"credsStore": "../../bin/sh"}'}, HOST, Unavailable, "no name of a credential helper"),
        ({".docker/config.json": '{"credsStore": "test"}'}, "broken.example", Unavailable, "has failed for broken.example: oops"),
        ({".netrc": "machine\n"}, HOST, InputError, "cannot be read"),
    ],
    ids=["no JSON", "a list", "no base64", "no helper", "a path", "a helper fails", "netrc"],
)  # fmt: skip
def test_broken_credentials_are_told(
    files: Mapping[str, str], host: str, error: type[GoldsmithError], says: str, tmp_path: Path
) -> None:
    for name, text in files.items():
        write(tmp_path / name, text)
    write(tmp_path / "bin/docker-credential-test", HELPER % ("helped", "secret"), program=True)
    with pytest.raises(error, match=says) as caught:
        find_credentials(host, {"HOME": str(tmp_path), "PATH": f"{tmp_path}/bin:/usr/bin:/bin"})
    assert "secret" not in str(caught.value)


def test_secrets_are_in_no_message() -> None:
    assert "secret" not in repr(Credentials("me", "secret", "secret"))
