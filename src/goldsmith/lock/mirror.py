"""Which package mirror is used, and how it is reached: configuration, never part of a lock."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from goldsmith.effects.access import Proxies
from goldsmith.effects.process import run
from goldsmith.errors import MissingTool, Place, StepFailed, Unavailable, UsageError
from goldsmith.model.distribution import Distribution

ADDRESS = re.compile(r"(https?|file)://?\S+")
NONE = "-"
"""In place of a second address: this mirror has no security archive."""


@dataclass(frozen=True, slots=True)
class Mirror:
    """Where a distribution's packages come from."""

    main: str
    """The address of the main archive, without a slash at its end."""
    security: str
    """The address of the security archive; empty for none."""
    origin: str = "given"
    """Who said so, for messages."""
    proxies: Proxies = field(default_factory=Proxies)
    """The proxies that lead there."""
    keyring: Path | None = None
    """The keys of a mirror that signs its indices itself; None for the distribution's keyring."""
    check_valid_until: bool = True
    """Whether an index that has expired is refused; an administrator who keeps an old mirror says no in apt.conf."""


@dataclass(frozen=True, slots=True)
class HostApt:
    """What the host's own apt is told."""

    sources: Path = Path("/etc/apt")
    """The directory with ``sources.list`` and ``sources.list.d``."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Settings of ``apt-config dump`` by name, in lower case."""


@dataclass(frozen=True, slots=True)
class HostSource:
    """One address of the host's sources with one suite."""

    uri: str
    suite: str
    components: tuple[str, ...]
    signed_by: str


def read_host_apt() -> HostApt:
    """Read the settings of this host's apt; none where it has no apt."""
    try:
        text = run(["apt-config", "dump"]).text
    except (MissingTool, StepFailed):
        return HostApt()
    found = re.findall(r'^([^\s"]+) "(.*)";$', text, re.MULTILINE)
    return HostApt(settings={name.lower(): value for name, value in found})


def find_mirror(
    distribution: Distribution,
    *,
    option: str = "",
    recipe: str = "",
    where: Place | None = None,
    environment: Mapping[str, str],
    host: HostApt,
) -> Mirror:
    """The mirror for a distribution: ``--mirror``, the recipe's, ``GOLDSMITH_MIRROR``, or the host's.

    Each of the first three is one address, or two with a space between: the main and the security archive. A ``-``
    as the second says that there is no security archive; without a second, it is taken to stand beside the main one.
    ``GOLDSMITH_MIRROR_KEYRING`` names the keys of a mirror that signs its indices itself.

    Args:
        distribution: whose packages.
        option: the value of ``--mirror``; empty if not given.
        recipe: the recipe's ``mirror``; empty if not given.
        where: where in the recipe that stands.
        environment: the environment's variables.
        host: what the host's apt is told.

    Raises:
        UsageError: an address is malformed.
        Unavailable: there is none.
    """
    proxies, keyring = find_proxies(environment, host), own_keyring(environment)
    check = host.settings.get("acquire::check-valid-until", "true").lower() not in {"false", "0", "no"}
    given = (
        (option, "--mirror", None),
        (recipe, "the recipe", where),
        (environment.get("GOLDSMITH_MIRROR", ""), "GOLDSMITH_MIRROR", None),
    )
    for text, origin, place in given:
        if text.strip():
            main, security = parse_mirror(text, distribution, origin, place)
            return Mirror(main, security, origin, proxies, keyring, check)
    main, security = host_mirror(distribution, read_sources(host.sources))
    if not main:
        raise no_mirror(distribution.name)
    return Mirror(main, security, "the host's apt", proxies, keyring, check)


def own_keyring(environment: Mapping[str, str]) -> Path | None:
    """The file that ``GOLDSMITH_MIRROR_KEYRING`` names.

    Raises:
        UsageError: it is not there.
    """
    name = environment.get("GOLDSMITH_MIRROR_KEYRING", "")
    if name and not Path(name).is_file():
        raise UsageError(
            f"GOLDSMITH_MIRROR_KEYRING names {name!r}, which is not there",
            hint="name the file with the mirror's OpenPGP keys, or unset the variable",
        )
    return Path(name).absolute() if name else None


def no_mirror(distribution: str) -> Unavailable:
    """The error where a mirror is needed and none is known."""
    return Unavailable(
        f"no package mirror for {distribution} is configured",
        hint="set GOLDSMITH_MIRROR=URI (or 'MAIN-URI SECURITY-URI'), or `mirror:` in the recipe, or use --mirror URI",
    )


def parse_mirror(
    text: str, distribution: Distribution, origin: str, where: Place | None = None
) -> tuple[str, str]:
    """The main and the security address in a setting.

    Raises:
        UsageError: an address is malformed, or there are more than two.
    """
    words = [word.rstrip("/") for word in text.split()]
    most = 2
    wrong = [
        word
        for place, word in enumerate(words)
        if not ADDRESS.fullmatch(word) and (word != NONE or not place)
    ]
    if wrong or len(words) > most:
        raise UsageError(
            f"{origin} says {text!r}, which is no mirror",
            hint="give one http, https or file address, or two with a space between: main and security archive",
            where=where,
        )
    if len(words) == 1:
        return words[0], beside(words[0], distribution)
    return words[0], "" if words[1] == NONE else words[1]


def beside(main: str, distribution: Distribution) -> str:
    """Where the security archive is if nothing else is said."""
    if not distribution.security_directory:
        return main
    return f"{main.rpartition('/')[0]}/{distribution.security_directory}"


def host_mirror(distribution: Distribution, sources: tuple[HostSource, ...]) -> tuple[str, str]:
    """The distribution's main and security address among the host's sources; empty if it is not there."""
    keyring = distribution.keyring_package.removesuffix("-keyring")
    names = {*distribution.suites, *distribution.aliases}
    main, security = [], []
    for source in sources:
        ours = keyring in source.signed_by
        release = source.suite.split("/")[0].split("-")[0]
        if release not in names or (source.signed_by and not ours) or "main" not in source.components:
            continue
        rank = (not ours, not source.uri.endswith(f"/{distribution.name}"))
        if source.suite.endswith(("-security", "/updates")):
            security.append((rank, source.uri))
        else:
            main.append((rank, source.uri))
    if not main:
        return "", ""
    best = min(main, key=lambda pair: pair[0])[1]
    return best, min(security, key=lambda pair: pair[0])[1] if security else beside(best, distribution)


def read_sources(directory: Path) -> tuple[HostSource, ...]:
    """All package sources that apt would read below ``directory``, in its order."""
    parts = directory / "sources.list.d"
    files = [directory / "sources.list"]
    if parts.is_dir():
        files += sorted(path for path in parts.iterdir() if path.suffix in {".list", ".sources"})
    found: list[HostSource] = []
    for path in files:
        try:
            text = path.read_text(errors="replace")
        except OSError:
            continue
        found += parse_deb822(text) if path.suffix == ".sources" else parse_list(text)
    return tuple(found)


def parse_list(text: str) -> Iterator[HostSource]:
    """The binary sources of a one-line file; sources.list(5)."""
    for line in text.splitlines():
        found = re.match(r"\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s*([^#]*)", line)
        if not found:
            continue
        signed = re.search(r"signed-by=(\S+)", found[1] or "", re.IGNORECASE)
        for uri in real_addresses(found[2]):
            yield HostSource(uri, found[3], tuple(found[4].split()), signed[1] if signed else "")


def parse_deb822(text: str) -> Iterator[HostSource]:
    """The binary sources of a deb822 file; sources.list(5)."""
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for stanza in re.split(r"\n[ \t]*\n", lines):
        pairs = re.findall(r"^([\w-]+):[ \t]*(.*(?:\n[ \t].*)*)", stanza, re.MULTILINE)
        fields = {name.lower(): value.strip() for name, value in pairs}
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() == "no":
            continue
        for address in fields.get("uris", "").split():
            for uri in real_addresses(address):
                for suite in fields.get("suites", "").split():
                    components = tuple(fields.get("components", "").split())
                    yield HostSource(uri, suite, components, fields.get("signed-by", ""))


def real_addresses(uri: str) -> Iterator[str]:
    """The addresses behind one of the host's: a list of mirrors is a file, of which the first entry is taken."""
    if uri.startswith(("mirror+file:", "mirror:file:")):
        path = Path("/" + uri.split("file:", 1)[1].lstrip("/"))
        try:
            lines = [line.split()[0] for line in path.read_text().splitlines() if line.split("#")[0].strip()]
        except OSError:
            return
        uri = lines[0] if lines else ""
    if ADDRESS.fullmatch(uri):
        yield uri.rstrip("/")


def find_proxies(environment: Mapping[str, str], host: HostApt) -> Proxies:
    """The proxies of the environment; where it names none, those of the host's apt."""

    def variable(name: str) -> str:
        return environment.get(name) or environment.get(name.upper()) or ""

    def setting(name: str) -> str:
        value = host.settings.get(name, "")
        return "" if value.upper() == "DIRECT" else value

    # HTTP_PROXY in capitals is what a web client may set through CGI; apt and curl leave it alone too.
    http = environment.get("http_proxy") or setting("acquire::http::proxy")
    https = variable("https_proxy") or setting("acquire::https::proxy")
    return Proxies(http, https or http * (not environment.get("http_proxy")), variable("no_proxy"))
