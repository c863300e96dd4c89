"""apt in its private root: read signed indices, and choose packages. Works as root and as an ordinary user."""

import email.utils
import hashlib
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from goldsmith.effects.process import Finished, missing, run
from goldsmith.errors import IntegrityError, Place, StepFailed, Unavailable
from goldsmith.lock.aptroot import AptRoot
from goldsmith.lock.candidate import Candidate, candidates
from goldsmith.lock.complaint import may_pass, solve_error, update_error
from goldsmith.lock.source import Source
from goldsmith.model.lock import LockedPackage, LockedRepository
from goldsmith.model.recipe import PackageRequest

TRIES = 3
LINE = re.compile(r"^'([^']+)' (\S+)_(\S+)_([^_ ]+)\.deb (\d+) SHA256:([0-9a-f]{64})$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Ask:
    """What apt is asked for."""

    wanted: tuple[PackageRequest, ...]
    """Packages, by name, name and version, or name and suite."""
    forbidden: tuple[str, ...] = ()
    """Packages that must not be installed."""
    essential: bool = True
    """Whether all essential packages are wanted too, and apt itself."""
    usual: tuple[str, ...] = ()
    """Packages that count as essential where the archive has them."""
    recommends: bool = False
    """Whether recommended packages are wanted too."""
    installed: tuple[Candidate, ...] = ()
    """Packages that count as installed, and stay."""
    status: str = ""
    """dpkg's own list of what an image has, where the packages come into one."""
    where: Place | None = None
    """Where that is asked, for messages."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A package that apt chose, and where it comes from."""

    package: Candidate
    """What the index says of it."""
    locked: LockedPackage
    """The same as an entry of a lock, in no group yet."""


def update(root: AptRoot) -> None:
    """Read the indices anew.

    Raises:
        TrustError: a signature is missing, wrong, or by nobody we trust.
        IntegrityError: an index is not what its signature says, in all tries.
        NetworkError: an archive cannot be reached.
    """
    for left in reversed(range(TRIES)):
        done = _apt(root, "apt-get", "update", "-q")
        if done.code == 0:
            return
        error = update_error(_printed(done.stdout, done.stderr), root.sources)
        if not left or not may_pass(error):
            raise error


def _apt(root: AptRoot, *argv: str) -> Finished:
    """Run one of apt's programs; it dies with us, also where we are killed."""
    if not shutil.which(argv[0]):
        raise missing(argv[0])
    dying = ["setpriv", "--pdeathsig", "KILL", "--"]
    return run([*dying, *argv], env=root.environment, check=False, shown=argv)


def has_lists(root: AptRoot) -> bool:
    """Whether the indices of all sources are here from an earlier time."""
    return all(
        (root.lists / f"{_list_name(source)}InRelease").is_file()
        or (root.lists / f"{_list_name(source)}Release").is_file()
        for source in root.sources
    )


def need_lists(root: AptRoot) -> None:
    """Check that apt can work without a network.

    Raises:
        Unavailable: an index was never read.
    """
    if not has_lists(root):
        raise Unavailable(
            "the package lists are not in the cache, and --offline forbids to read them",
            hint="run once without --offline",
        )


def indices(root: AptRoot) -> tuple[LockedRepository, ...]:
    """What the signed indices are: their dates and digests."""
    found = []
    for source in root.sources:
        path = root.lists / f"{_list_name(source)}InRelease"
        if not path.is_file():
            path = root.lists / f"{_list_name(source)}Release"
        data = path.read_bytes()
        date = re.search(rb"^Date: (.+)$", data, re.MULTILINE)
        seconds = int(email.utils.parsedate_to_datetime(date[1].decode()).timestamp()) if date else 0
        found.append(
            LockedRepository(
                id=source.id,
                suite=source.suite,
                components=source.components,
                date=seconds,
                sha256=hashlib.sha256(data).hexdigest(),
                uri=source.uri if source.is_extra else "",
            )
        )
    return tuple(found)


def _list_name(source: Source) -> str:
    """What apt calls the lists of a source: the address with ``_`` for ``/``, odd characters in hexadecimal."""
    address = re.sub(r"^\w+:/*", "", f"{source.uri}/")
    address = re.sub(r"^[^/@]*@", "", address) if not source.uri.startswith("file:") else f"/{address}"
    rest = source.suite if source.suite.endswith("/") else f"dists/{source.suite}/"
    quoted = re.sub(r'[\\|{}\[\]<>"^~_=!@#$%&*]', lambda odd: f"%{ord(odd[0]):02x}", address + rest)
    return quoted.replace("/", "_")


def solve(root: AptRoot, ask: Ask) -> tuple[Chosen, ...]:
    """Choose packages; those in ``ask.installed`` are not among the result.

    Raises:
        InputError: a package does not exist, or the packages do not fit together; apt's reason is in the message.
        IntegrityError: an index has no SHA-256 for a package.
    """
    _write_state(root, ask)
    options = ["-o", f"APT::Install-Recommends={str(ask.recommends).lower()}"]
    command = ("apt-get", "install", "--print-uris", "-y", "--no-remove", *options)
    words = ["--", *essential_pattern(ask), *(str(request) for request in ask.wanted)]
    done = _apt(root, *command, "-qq", *words)
    if done.code != 0:
        # Quietly, apt does not say why.
        done = _apt(root, *command, "-q", *words)
        places = {request.name: request.where for request in ask.wanted if request.where}
        raise solve_error(_printed(done.stdout, done.stderr), package_names(root), places, ask.where)
    _refuse_marks(root, ask)
    lines = LINE.findall(done.text)
    if len(lines) != sum(line.startswith("'") for line in done.text.splitlines()):
        odd = next(line for line in done.text.splitlines() if line.startswith("'") and not LINE.match(line))
        raise IntegrityError(
            f"the index has no SHA-256 for a package: {odd[:200]}",
            hint="the archive must be made anew with SHA-256 in its Packages file",
        )
    known = {package.sha256: package for package in show(root, [_exact(*line[1:4]) for line in lines])}
    return tuple(_chosen(root.sources, known[line[5]], line[0], int(line[4])) for line in lines)


def _refuse_marks(root: AptRoot, ask: Ask) -> None:
    """Apt takes ``cron+`` for cron where no package has that name; in a recipe it is a slip. Errors as ``solve``."""
    for request in ask.wanted:
        if not request.name.endswith("+"):
            continue
        if request.name not in {item.name for item in show(root, [request.name])}:
            places = {request.name: request.where} if request.where else {}
            printed = f"E: Unable to locate package {request.name}"
            raise solve_error(printed, package_names(root), places, ask.where)


def essential_pattern(ask: Ask) -> tuple[str, ...]:
    """apt-patterns(7) for the packages that every system has; apt is one of them in apt's own eyes."""
    if not ask.essential:
        return ()
    named = {*ask.forbidden, *(request.name for request in ask.wanted)}
    without = "".join(f",?not(?exact-name({name}))" for name in sorted(named))
    usual = "".join(f",?exact-name({name})" for name in ask.usual)
    every = f"?or(?essential{usual})" if usual else "?essential"
    return (f"?and({every}{without})",) if without else (every,)


def show(root: AptRoot, names: Sequence[str]) -> tuple[Candidate, ...]:
    """What the index says of packages, each ``name=version`` or ``name:architecture=version``.

    A version that is in no index is not in the result.
    """
    if not names:
        return ()
    return tuple(candidates(_apt(root, "apt-cache", "show", "--", *names).text))


def package_names(root: AptRoot) -> tuple[str, ...]:
    """The names of all packages in the lists."""
    return tuple(_apt(root, "apt-cache", "pkgnames").text.split())


def _exact(name: str, version: str, architecture: str) -> str:
    return exact(unquote(name), unquote(version), architecture)


def exact(name: str, version: str, architecture: str) -> str:
    """A package's name as ``show`` takes it."""
    return f"{name}={version}" if architecture == "all" else f"{name}:{architecture}={version}"


def _chosen(sources: Iterable[Source], package: Candidate, uri: str, size: int) -> Chosen:
    plain = unquote(uri).replace("file:///", "file:/")
    fits = [
        (source, start)
        for source in sources
        if plain.startswith(start := f"{source.uri.replace('file:///', 'file:/')}/")
    ]
    if not fits:
        raise StepFailed(f"apt names an address of no known source: {uri!r}", hint="report this as a fault")
    source, start = max(fits, key=lambda pair: len(pair[1]))
    locked = LockedPackage(
        name=package.name,
        version=package.version,
        architecture=package.architecture,
        repository=source.archive,
        path=plain[len(start) :],
        size=size,
        sha256=package.sha256,
    )
    return Chosen(package, locked)


def _write_state(root: AptRoot, ask: Ask) -> None:
    pins = "".join(f"Package: {name}\nPin: release *\nPin-Priority: -1\n\n" for name in sorted(ask.forbidden))
    own = f"{ask.status.rstrip()}\n\n" if ask.status else ""
    status = own + "".join(status_stanza(package) for package in ask.installed)
    for name, text in (("preferences", pins), ("status", status)):
        path = root.path / name
        # apt keeps its cache for as long as these files are as old as they were.
        if not path.is_file() or path.read_text() != text:
            path.write_text(text)


def status_stanza(package: Candidate) -> str:
    """A package as an entry of dpkg's status."""
    lines = package.stanza.splitlines()
    return "\n".join([lines[0], "Status: install ok installed", *lines[1:]]) + "\n\n"


def _printed(stdout: bytes, stderr: bytes) -> str:
    return (stdout + b"\n" + stderr).decode(errors="replace")


def by_name(chosen: Iterable[Chosen]) -> Mapping[str, Chosen]:
    """What was chosen, by package name."""
    return {item.locked.name: item for item in chosen}
