"""A private root for apt: its own sources, lists and state; nothing of the host's but its programs."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from goldsmith.effects import files
from goldsmith.errors import UsageError
from goldsmith.lock.mirror import Mirror
from goldsmith.lock.source import ARMOUR, Source
from goldsmith.model.canonical import digest
from goldsmith.store.home import Home

VERSION = 1
"""Part of the root's name: another layout gets another root."""
DIRECTORIES = ("etc/keys", "etc/empty", "lists/partial", "cache/archives/partial", "log")


@dataclass(frozen=True, slots=True)
class AptRoot:
    """A private apt root that is ready to use."""

    path: Path
    """The directory."""
    sources: tuple[Source, ...]
    """What it reads."""
    architecture: str
    """The architecture it resolves for."""
    environment: Mapping[str, str]
    """Variables that apt must be run with."""

    @property
    def lists(self) -> Path:
        """Where apt keeps indices."""
        return self.path / "lists"


@contextmanager
def opened(home: Home, sources: Sequence[Source], architecture: str, mirror: Mirror) -> Iterator[AptRoot]:
    """The root for these sources, held by this process alone; its lists are those of the last use.

    Raises:
        UsageError: the data directory's name has a character that apt cannot have in the path of a key.
    """
    if odd := re.search(r"[\s,\[\]\"%]", str(home.path)):
        raise UsageError(
            f"the data directory {str(home.path)!r} has {odd[0]!r} in its name, which apt cannot read",
            hint="set GOLDSMITH_HOME to another directory",
        )
    key = digest(
        {
            "version": VERSION,
            "architecture": architecture,
            "sources": [
                (source.uri, source.suite, source.components, files.sha256_file(source.keyring))
                for source in sources
            ],
        }
    )
    path = home / "cache" / "apt" / key.removeprefix("sha256:")[:16]
    with files.locked(path.with_suffix(".lock")):
        for name in DIRECTORIES:
            (path / name).mkdir(parents=True, exist_ok=True)
        secrets = path / "etc/auth.conf"
        try:
            _fill(path, sources, architecture, mirror)
            environment = {"APT_CONFIG": str(path / "etc/apt.conf"), **proxy_variables(mirror)}
            yield AptRoot(path, tuple(sources), architecture, environment)
        finally:
            secrets.unlink(missing_ok=True)


def _fill(path: Path, sources: Sequence[Source], architecture: str, mirror: Mirror) -> None:
    lines = []
    for number, source in enumerate(sources):
        key = source.keyring.read_bytes()
        keyring = path / "etc/keys" / f"{number}{'.asc' if key.lstrip().startswith(ARMOUR) else '.gpg'}"
        keyring.write_bytes(key)
        lines.append(source_line(source, keyring))
    (path / "etc/sources.list").write_text("".join(lines))
    (path / "etc/apt.conf").write_text(configuration(path, architecture, sources, mirror))
    secrets = path / "etc/auth.conf"
    secrets.unlink(missing_ok=True)
    descriptor = os.open(secrets, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        files.write_all(descriptor, authentication(sources).encode())
    finally:
        os.close(descriptor)


def source_line(source: Source, keyring: Path) -> str:
    """One line of ``sources.list``."""
    words = ["deb", f"[signed-by={keyring}]", f"{source.uri}/", source.suite, *source.components]
    return " ".join(words) + "\n"


def authentication(sources: Sequence[Source]) -> str:
    """apt_auth.conf(5) for the sources that have credentials."""
    lines = []
    for source in sources:
        user, _, password = source.access.credentials.partition(":")
        if user:
            parts = urlsplit(source.uri)
            lines.append(
                f"machine {parts.scheme}://{parts.netloc}{parts.path} login {user} password {password}\n"
            )
    return "".join(lines)


def configuration(path: Path, architecture: str, sources: Sequence[Source], mirror: Mirror) -> str:
    """apt.conf(5) of the root. Pure.

    ``APT_CONFIG`` is read before the host's files, and ``Dir::Etc`` in it keeps those from being read at all.
    """
    settings = [
        ("Dir", f"{path}/"),
        ("Dir::State", str(path)),
        ("Dir::State::lists", str(path / "lists")),
        ("Dir::State::status", str(path / "status")),
        ("Dir::State::extended_states", str(path / "extended_states")),
        ("Dir::Cache", str(path / "cache")),
        ("Dir::Etc", str(path / "etc")),
        ("Dir::Etc::main", "/dev/null"),
        ("Dir::Etc::parts", str(path / "etc/empty")),
        ("Dir::Etc::sourceparts", str(path / "etc/empty")),
        ("Dir::Etc::preferences", str(path / "preferences")),
        ("Dir::Etc::preferencesparts", str(path / "etc/empty")),
        ("Dir::Etc::trusted", "/dev/null"),
        ("Dir::Etc::trustedparts", str(path / "etc/empty")),
        ("Dir::Etc::netrc", str(path / "etc/auth.conf")),
        ("Dir::Etc::netrcparts", str(path / "etc/empty")),
        ("Dir::Log", str(path / "log")),
        ("APT::Architecture", architecture),
        ("APT::Architectures", architecture),
        ("APT::Install-Suggests", "false"),
        ("APT::Sandbox::User", "root"),
        ("APT::Solver", "internal"),
        ("APT::Update::Error-Mode", "any"),
        ("APT::Get::Always-Include-Phased-Updates", "true"),
        ("APT::Get::AllowUnauthenticated", "false"),
        ("Acquire::AllowInsecureRepositories", "false"),
        ("Acquire::AllowReleaseInfoChange", "true"),
        ("Acquire::Check-Valid-Until", str(mirror.check_valid_until).lower()),
        ("Acquire::ForceHash", "SHA256"),
        ("Acquire::GzipIndexes", "false"),
        ("Acquire::Languages", "none"),
        ("Acquire::PDiffs", "false"),
        ("Acquire::Retries", "2"),
        ("Acquire::Retries::Delay::Maximum", "2"),
        ("Acquire::http::Timeout", "20"),
        ("Acquire::https::Timeout", "20"),
        ("Binary::apt-get::APT::Color", "false"),
        ("Debug::NoLocking", "true"),
    ]
    for source in sources:
        parts = urlsplit(source.uri)
        if source.access.proxy:
            settings.append((f"Acquire::{parts.scheme}::Proxy::{parts.hostname}", source.access.proxy))
        if source.access.ca:
            settings.append((f"Acquire::https::{parts.hostname}::CaInfo", str(source.access.ca)))
    lines = [f'{name} "{value}";\n' for name, value in settings]
    # A list, because APT::Architectures "amd64" alone would leave the host's foreign architectures in place.
    lines[[name for name, _ in settings].index("APT::Architectures")] = (
        f'#clear APT::Architectures;\nAPT::Architectures {{ "{architecture}"; }};\n'
    )
    return "".join(lines)


def proxy_variables(mirror: Mirror) -> Mapping[str, str]:
    """The proxies as the variables that apt's methods read."""
    proxies = mirror.proxies
    named = {"http_proxy": proxies.http, "https_proxy": proxies.https, "no_proxy": proxies.bypass}
    return {name: value for name, value in named.items() if value}
