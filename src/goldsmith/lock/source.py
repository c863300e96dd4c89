"""The apt sources of a recipe: the distribution's archives on its mirror, and extra repositories."""

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from goldsmith.effects.access import Access
from goldsmith.errors import InputError, Unavailable, UsageError
from goldsmith.lock.mirror import Mirror
from goldsmith.model.distribution import DISTRIBUTIONS, Distribution
from goldsmith.model.recipe import Base, Repository

BASE, UPDATES, SECURITY = "base", "base-updates", "base-security"
ARMOUR = b"-----BEGIN PGP PUBLIC KEY BLOCK"


@dataclass(frozen=True, slots=True)
class Source:
    """One suite of one archive."""

    id: str
    """A short name; those of the distribution start with ``base``."""
    archive: str
    """What packages say they come from: suites of one archive share it."""
    uri: str
    """The archive's address, without a slash at its end."""
    suite: str
    """The suite; a name that ends in ``/`` is a flat archive."""
    components: tuple[str, ...]
    """Its components."""
    keyring: Path
    """The OpenPGP key or keys that sign it."""
    is_extra: bool = False
    """Whether it is one of the recipe's repositories."""
    access: Access = field(default_factory=Access)
    """How its server is reached."""


def find_distribution(base: Base) -> Distribution:
    """The distribution of ``debian:trixie``.

    Raises:
        UsageError: goldsmith does not know it, or not that suite.
    """
    distribution = DISTRIBUTIONS.get(base.distribution)
    if distribution is None:
        raise UsageError(
            f"{base.distribution!r} is no distribution that goldsmith knows",
            hint=f"one of: {', '.join(sorted(DISTRIBUTIONS))}",
        )
    if base.suite not in distribution.suites:
        raise UsageError(
            f"{base.suite!r} is no suite of {distribution.name} that goldsmith knows",
            hint=f"one of: {', '.join(distribution.suites)}",
        )
    return distribution


def find_keyring(distribution: Distribution) -> Path:
    """The distribution's keyring on this host.

    Raises:
        Unavailable: it is not installed.
    """
    for name in distribution.keyrings:
        if os.access(name, os.R_OK):
            return Path(name)
    raise Unavailable(
        f"the keyring of {distribution.name} is not on this host: {distribution.keyrings[-1]!r}",
        hint=f"install it: apt-get install --no-install-recommends {distribution.keyring_package}; if this host's distribution"
        " lacks that package, copy the file from a host that has it",
    )


def base_sources(base: Base, mirror: Mirror) -> tuple[Source, ...]:
    """The sources of a distribution's suite, with updates and security where it has them.

    Raises:
        UsageError: the distribution or suite is not known.
        Unavailable: its keyring is not on this host.
    """
    distribution = find_distribution(base)
    suite = distribution.suites[base.suite]
    keyring, components = mirror.keyring or find_keyring(distribution), distribution.components
    sources = [Source(BASE, BASE, mirror.main, suite.name, components, keyring)]
    if suite.has_updates:
        sources.append(Source(UPDATES, BASE, mirror.main, f"{suite.name}-updates", components, keyring))
    if suite.has_security and mirror.security:
        archive = SECURITY if mirror.security != mirror.main else BASE
        security = f"{suite.name}-security"
        sources.append(Source(SECURITY, archive, mirror.security, security, components, keyring))
    return tuple(sources)


def extra_sources(
    repositories: Sequence[Repository], directory: Path, environment: Mapping[str, str]
) -> tuple[Source, ...]:
    """The sources of a recipe's repositories.

    Args:
        repositories: as the recipe says.
        directory: where relative paths start.
        environment: the environment's variables, for credentials.

    Raises:
        InputError: a key, an authority or a secret is not there, or two repositories have the same id.
    """
    sources: list[Source] = []
    for repository in repositories:
        name = repository_id(repository)
        if name in {BASE, UPDATES, SECURITY, *(source.id for source in sources)}:
            raise InputError(
                f"two repositories are called {name!r}",
                hint="give one of them another `id:`",
                where=repository.where,
            )
        if urlsplit(repository.uri).username is not None:
            raise InputError(
                f"the address of repository {name!r} holds a user name or password",
                hint="put them into `credentials: env:NAME` or `file:PATH`; an address is kept in the lock",
                where=repository.where,
            )
        ca = _file(repository, directory, repository.ca, "ca") if repository.ca else None
        access = Access(repository.proxy, ca, credentials_of(repository, directory, environment))
        sources.append(
            Source(
                id=name,
                archive=name,
                uri=repository.uri.rstrip("/"),
                suite=repository.suite,
                components=repository.components,
                keyring=_file(repository, directory, repository.key, "key"),
                is_extra=True,
                access=access,
            )
        )
    return tuple(sources)


def repository_id(repository: Repository) -> str:
    """The repository's id, or one made from its address and suite."""
    if repository.id:
        return repository.id
    address = re.sub(r"^\w+:/*([^/@]*@)?", "", repository.uri)
    words = re.sub(r"[^a-z0-9]+", "-", f"{address}/{repository.suite}".lower()).strip("-")
    return words[:63].strip("-")


def credentials_of(repository: Repository, directory: Path, environment: Mapping[str, str]) -> str:
    """``user:password`` of a repository; empty for none. Read when it is needed, and never kept.

    Raises:
        InputError: the variable or the file is not there, or does not hold a pair.
    """
    if not repository.credentials:
        return ""
    kind, _, name = repository.credentials.partition(":")
    if kind == "env":
        if name not in environment:
            raise InputError(
                f"the environment variable {name!r} is not set; repository {repository_id(repository)!r} "
                "takes its credentials from it",
                hint=f"set {name}=user:password",
                where=repository.where,
            )
        text = environment[name]
    else:
        text = _file(repository, directory, name, "credentials").read_text()
    text = text.strip()
    if ":" not in text or any(character.isspace() for character in text):
        raise InputError(
            f"the credentials of repository {repository_id(repository)!r} are not of the form user:password",
            hint=f"correct {repository.credentials!r}; its value is not shown",
            where=repository.where,
        )
    return text


def key_digest(repository: Repository, directory: Path) -> str:
    """The SHA-256 of a repository's key file, in hexadecimal.

    Raises:
        InputError: it is not there.
    """
    path = _file(repository, directory, repository.key, "key")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _file(repository: Repository, directory: Path, name: str, key: str) -> Path:
    path = directory / name
    if not path.is_file():
        raise InputError(
            f"repository {repository_id(repository)!r}: the file {name!r} of `{key}` is not there",
            hint="paths start at the recipe's directory",
            where=repository.where,
        )
    return path.absolute()
