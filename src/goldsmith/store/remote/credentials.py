"""Who we are to a server, from the usual places; the first that knows the host counts.

1. ``GOLDSMITH_REMOTE_USER`` and ``GOLDSMITH_REMOTE_PASSWORD``; for one host only if ``GOLDSMITH_REMOTE_HOST`` names it
2. ``$REGISTRY_AUTH_FILE``, ``$DOCKER_CONFIG/config.json``, ``$XDG_RUNTIME_DIR/containers/auth.json``,
   ``~/.config/containers/auth.json``, ``~/.docker/config.json``: credential helpers before what is written there
3. ``$NETRC``, else ``~/.netrc``
"""

import base64
import binascii
import json
import netrc
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from goldsmith.effects.process import run
from goldsmith.errors import InputError, MissingTool, Place, Unavailable

HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
HELPER_SECONDS = 60
LARGEST = 1 << 20
NOT_FOUND = b"credentials not found"
TOKEN_USER = "<token>"  # noqa: S105 - a name, not a secret
"""The user name by which credential helpers say that the secret is an identity token."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user's name and password, or an identity token; both are in no message."""

    user: str = field(repr=False)
    password: str = field(repr=False)
    token: str = field(default="", repr=False)
    """Exchanged for an access token where it is there."""
    source: str = ""
    """Where they were found, for messages."""


def find_credentials(host: str, environment: Mapping[str, str]) -> Credentials | None:
    """The credentials for a host, written with its port; None if nothing knows it.

    Raises:
        InputError: a file that should hold them is none of its kind.
        Unavailable: a credential helper that is named for the host fails.
    """
    user, password = environment.get("GOLDSMITH_REMOTE_USER"), environment.get("GOLDSMITH_REMOTE_PASSWORD")
    if user is not None and password is not None and environment.get("GOLDSMITH_REMOTE_HOST", host) == host:
        return Credentials(user, password, source="GOLDSMITH_REMOTE_USER")
    for path in config_files(environment):
        found = from_config(path, host, environment)
        if found:
            return found
    return from_netrc(host, environment)


def config_files(environment: Mapping[str, str]) -> Iterator[Path]:
    """The files of container tools that may know a host, as far as they are there."""
    home = environment.get("HOME", "")
    rooms = (
        (environment.get("REGISTRY_AUTH_FILE", ""), ""),
        (environment.get("DOCKER_CONFIG", ""), "config.json"),
        (environment.get("XDG_RUNTIME_DIR", ""), "containers/auth.json"),
        (home, ".config/containers/auth.json"),
        (home, ".docker/config.json"),
    )
    for room, name in rooms:
        path = Path(room) / name
        if room and path.is_file():
            yield path


def from_config(path: Path, host: str, environment: Mapping[str, str]) -> Credentials | None:
    """What one file of container tools knows of a host."""
    config = _read(path)
    helpers = config.get("credHelpers")
    named = helpers.get(host) if isinstance(helpers, Mapping) else None
    helper = named or config.get("credsStore")
    if isinstance(helper, str) and helper:
        found = from_helper(helper, host, environment)
        if found or named:
            return found
    auths = config.get("auths")
    for key, entry in auths.items() if isinstance(auths, Mapping) else ():
        plain = re.sub(r"^https?://", "", str(key)).partition("/")[0]
        if plain == host and isinstance(entry, Mapping):
            found = _entry(path, entry)
            if found:
                return found
    return None


def _read(path: Path) -> Mapping[str, object]:
    try:
        with path.open("rb") as stream:
            value = json.loads(stream.read(LARGEST))
    except (OSError, ValueError, RecursionError) as error:
        raise _broken(path, str(error)) from error
    if not isinstance(value, dict):
        raise _broken(path, "it is no JSON object")
    return value


def _broken(path: Path, reason: str) -> InputError:
    return InputError(
        f"credentials cannot be read: {reason}", hint="mend the file, or log in again", where=Place(str(path))
    )


def _entry(path: Path, entry: Mapping[str, object]) -> Credentials | None:
    token = entry.get("identitytoken")
    packed = entry.get("auth")
    user, password = str(entry.get("username") or ""), str(entry.get("password") or "")
    if isinstance(packed, str) and packed:
        try:
            user, _, password = base64.b64decode(packed, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError) as error:
            raise _broken(path, "an `auth` is no base64 of user:password") from error
        password = password.rstrip("\0")
    if not user and not token:
        return None
    return Credentials(user, password, str(token or ""), source=str(path))


def from_helper(name: str, host: str, environment: Mapping[str, str]) -> Credentials | None:
    """What ``docker-credential-NAME get`` says of a host; None if it does not know it."""
    program = f"docker-credential-{name}"
    if not HELPER.fullmatch(name):
        raise Unavailable(
            f"{name!r:.80} is no name of a credential helper", hint="correct it in docker's config"
        )
    try:
        said = run(
            [program, "get"], stdin=host.encode(), env=environment, timeout=HELPER_SECONDS, check=False
        )
    except MissingTool as error:
        raise Unavailable(
            f"the credential helper {program!r} is not installed",
            hint="install it, or take it out of docker's config",
        ) from error
    if said.code != 0:
        if NOT_FOUND in said.stdout + said.stderr:
            return None
        reason = (said.stdout or said.stderr).decode(errors="replace").strip()[:200]
        raise Unavailable(f"{program} has failed for {host}: {reason}", hint="log in again with its own tool")
    try:
        told = json.loads(said.stdout)
        user, secret = str(told["Username"]), str(told["Secret"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Unavailable(
            f"{program} says no credentials for {host}, but something else",
            hint="log in again with its own tool",
        ) from error
    if user == TOKEN_USER:
        return Credentials("", "", secret, source=program)
    return Credentials(user, secret, source=program)


def from_netrc(host: str, environment: Mapping[str, str]) -> Credentials | None:
    """What the user's netrc says of a host; entries name hosts without or with a port; `default` is not used."""
    named = environment.get("NETRC") or (f"{environment['HOME']}/.netrc" if environment.get("HOME") else "")
    if not named or not Path(named).is_file():
        return None
    try:
        hosts = netrc.netrc(named).hosts
    except (OSError, netrc.NetrcParseError, UnicodeDecodeError) as error:
        raise _broken(Path(named), str(error)) from error
    plain = re.sub(r":\d+$", "", host).strip("[]")
    found = hosts.get(host) or hosts.get(plain)
    return Credentials(found[0], found[2], source=named) if found and found[2] else None
