"""Where images are, as a person writes it.

| written | is |
|---|---|
| `HOST[:PORT]/PATH/NAME:VERSION`, also with `docker://` or `oci:` before it | a registry |
| `http://…/NAME:VERSION`, `https://…` | a layout that a web server serves; read only |
| `/PATH/NAME:VERSION`, `./…`, `../…`, `dir:PATH/…` | a directory: an OCI image layout |
| `NAME:VERSION` | the local store |

As with container tools, the first part of a registry's address has a point or a port, or is ``localhost``.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address

from goldsmith.effects.access import shown
from goldsmith.errors import UsageError
from goldsmith.store.layout import REFERENCE

PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
REPOSITORY = re.compile(rf"{PART}(?:/{PART})*")
"""A repository's name, as the distribution specification has it."""
HOST = re.compile(r"(?:[A-Za-z0-9.-]+|\[[0-9a-fA-F:.]+\])(?::[0-9]{1,5})?")
IMAGE = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9._-]*)(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127})|@(?P<digest>sha256:[0-9a-f]{64}))"
)
LONGEST = 4096
WAYS = (
    "write HOST/PATH/NAME:VERSION for a registry, http://HOST/NAME:VERSION for a web server, "
    "./DIRECTORY/NAME:VERSION for a directory"
)


class Kind(StrEnum):
    """What keeps images."""

    STORE = "store"
    """The local store."""
    DIRECTORY = "directory"
    """An OCI image layout."""
    REGISTRY = "registry"
    WEB = "web"
    """A layout that a web server serves."""


SPELLINGS = (
    ("http://", True, Kind.WEB),
    ("https://", True, Kind.WEB),
    ("/", True, Kind.DIRECTORY),
    ("./", True, Kind.DIRECTORY),
    ("../", True, Kind.DIRECTORY),
    ("dir:", False, Kind.DIRECTORY),
    ("docker://", False, Kind.REGISTRY),
    ("oci:", False, Kind.REGISTRY),
)
"""What a text begins with, whether that is a part of it, and what it means."""


@dataclass(frozen=True, slots=True)
class Place:
    """What keeps images, and where."""

    kind: Kind
    where: str
    """A directory, a URL without a slash at its end, or a path in a registry; empty for none."""
    host: str = ""
    """Of a registry, with its port."""

    def __str__(self) -> str:
        """As it is written, without a password."""
        if self.kind == Kind.REGISTRY:
            plain = "/".join(part for part in (self.host, self.where) if part)
            return plain if _is_host(self.host) else f"docker://{plain}"
        if self.kind == Kind.DIRECTORY:
            return self.where if self.where.startswith(("/", ".")) else f"./{self.where}"
        return shown(self.where) if self.kind == Kind.WEB else "the local store"


@dataclass(frozen=True, slots=True)
class Address:
    """One image in a place."""

    place: Place
    name: str
    tag: str = ""
    """Its version, or another name that it goes by; empty if ``digest`` is known."""
    digest: str = ""

    @property
    def reference(self) -> str:
        """``NAME:VERSION`` or ``NAME@DIGEST``."""
        return f"{self.name}:{self.tag}" if self.tag else f"{self.name}@{self.digest}"

    @property
    def repository(self) -> str:
        """Its repository's name in a registry."""
        return "/".join(part for part in (self.place.where, self.name) if part)

    def __str__(self) -> str:
        """As it is written."""
        if self.place.kind == Kind.STORE:
            return self.reference
        return f"{str(self.place).rstrip('/')}/{self.reference}"


def parse_place(text: str) -> Place:
    """A place without an image.

    Raises:
        UsageError: the text is none.
    """
    rest, kind = _kind(text)
    if kind == Kind.STORE and not _is_host(rest):
        raise UsageError(f"{text!r:.200} is no place for images", hint=WAYS)
    if kind == Kind.DIRECTORY:
        return Place(kind, rest.rstrip("/") or "/")
    if kind == Kind.WEB:
        return Place(kind, _url(rest))
    host, _, path = rest.strip("/").partition("/")
    if not HOST.fullmatch(host) or (path and not REPOSITORY.fullmatch(path)):
        raise UsageError(f"{text!r:.200} is no place for images", hint=WAYS)
    return Place(Kind.REGISTRY, path, host)


def parse(text: str) -> Address:
    """One image somewhere.

    Raises:
        UsageError: the text is none.
    """
    rest, kind = _kind(text)
    before, slash, last = rest.rpartition("/")
    image = IMAGE.fullmatch(last)
    if image is None or (kind != Kind.STORE and not slash):
        raise UsageError(f"{text!r:.200} names no image", hint=WAYS)
    name, tag, digest = image["name"], image["tag"] or "", image["digest"] or ""
    if kind == Kind.STORE:
        return Address(Place(kind, ""), name, tag, digest)
    prefix = {Kind.DIRECTORY: "dir:", Kind.WEB: "", Kind.REGISTRY: "docker://"}[kind]
    address = Address(parse_place(f"{prefix}{before or '/'}"), name, tag, digest)
    if kind == Kind.REGISTRY:
        check_repository(address)
    return address


def destination(text: str, name: str, tag: str) -> Address:
    """Where an image goes: a place, where it keeps its name, or a place and another name.

    Raises:
        UsageError: the text is neither.
    """
    rest, kind = _kind(text)
    last = rest.rpartition("/")[2]
    image = IMAGE.fullmatch(last)
    is_place = (
        kind in {Kind.REGISTRY, Kind.WEB} and rest.removeprefix("http://").removeprefix("https://") == last
    )
    if image and image["tag"] and not is_place:
        return parse(text)
    address = Address(parse_place(text), name, tag)
    if address.place.kind == Kind.REGISTRY:
        check_repository(address)
    return address


def check_repository(address: Address) -> None:
    """Refuse what no registry takes as a name.

    Raises:
        UsageError: with the rule.
    """
    if not REPOSITORY.fullmatch(address.repository):
        raise UsageError(
            f"{address.repository!r} cannot name a repository of a registry",
            hint="small letters and digits, with single . _ - between them",
        )


def is_loopback(host: str) -> bool:
    """Whether a host, with or without port, is this machine."""
    plain = _without_port(host)
    return plain == "localhost" or (_is_address(host) and ip_address(plain).is_loopback)


def _without_port(host: str) -> str:
    return re.sub(r":\d+$", "", host).strip("[]")


def _is_address(host: str) -> bool:
    try:
        ip_address(_without_port(host))
    except ValueError:
        return False
    return True


def _kind(text: str) -> tuple[str, Kind]:
    """What a text means, without what it begins with to say so."""
    if len(text) > LONGEST or not text.isprintable() or not text:
        raise UsageError(f"{text!r:.80} names no image", hint=WAYS)
    for prefix, kept, kind in SPELLINGS:
        if f"{text}/".startswith(prefix) if kept else text.startswith(prefix):
            return text if kept else text.removeprefix(prefix), kind
    if "://" in text:
        raise UsageError(f"{text!r:.200} begins with a scheme that is not known", hint=WAYS)
    if "/" in text:
        if not _is_host(text.partition("/")[0]):
            raise UsageError(
                f"{text!r:.200}: {text.partition('/')[0]!r} is no host",
                hint=f"write ./{text} for a directory, docker://HOST/… for a registry",
            )
        return text, Kind.REGISTRY
    if _is_host(text) and (is_loopback(text) or _is_address(text) or not REFERENCE.fullmatch(text)):
        return text, Kind.REGISTRY
    return text, Kind.STORE


def _is_host(text: str) -> bool:
    return bool(HOST.fullmatch(text)) and ("." in text or ":" in text or text == "localhost")


def _url(text: str) -> str:
    scheme, _, rest = text.partition("://")
    host = rest.partition("/")[0].rpartition("@")[2]
    if not HOST.fullmatch(host) or "?" in text or "#" in text or "/.." in text:
        raise UsageError(f"{text!r:.200} is no address of a web server", hint="as in http://HOST:PORT/PATH")
    return f"{scheme}://{rest}".rstrip("/")
