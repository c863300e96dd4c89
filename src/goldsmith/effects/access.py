"""How servers are reached: proxies, authorities, credentials. Values only, so that importing them costs nothing."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit, urlunsplit


@dataclass(frozen=True, slots=True)
class Proxies:
    """Which proxies are used where a server has none of its own."""

    http: str = ""
    """The proxy for http addresses."""
    https: str = ""
    """The proxy for https addresses."""
    bypass: str = ""
    """Hosts that are reached directly, as in ``no_proxy``."""

    def for_address(self, url: str) -> str:
        """The proxy for an address; empty for none."""
        # Costly to import, and rarely needed. typeshed does not list the name.
        from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]  # noqa: PLC0415

        parts = urlsplit(url)
        host = parts.hostname or ""
        with_port = f"{host}:{parts.port}" if parts.port else host
        if self.bypass and proxy_bypass_environment(with_port, {"no": self.bypass}):
            return ""
        return self.https if parts.scheme == "https" else self.http


@dataclass(frozen=True, slots=True)
class Access:
    """How one server is reached."""

    proxy: str = ""
    """A proxy for this server only; empty for the general ones, ``DIRECT`` for none."""
    ca: Path | None = None
    """A PEM file with the authority that signs the server's certificate."""
    credentials: str = field(default="", repr=False)
    """``user:password``."""


class Progress(Protocol):
    """Is told how far a download is."""

    def __call__(self, done: int, total: int) -> None:
        """``done`` of ``total`` bytes are here; ``total`` counts known sizes only. Called from one thread."""


def no_progress(done: int, total: int) -> None:
    """Tell nobody."""


def shown(url: str) -> str:
    """An address without user and password."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
