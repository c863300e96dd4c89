"""Packages as apt's indices tell of them; the format is deb-control(5). Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

FIELD = re.compile(r"^([!-9;-~]+):[ \t]*(.*(?:\n[ \t].*)*)$", re.MULTILINE)
NAME = re.compile(r"[a-z0-9][a-z0-9+.-]*")


@dataclass(frozen=True, slots=True)
class Candidate:
    """One version of a package in an index."""

    name: str
    """The binary package's name."""
    version: str
    """Its version."""
    architecture: str
    """Its architecture, ``all`` among them."""
    path: str
    """``Filename``: its path below the archive's address."""
    size: int
    """Its size in bytes."""
    sha256: str
    """The SHA-256 of its bytes in hexadecimal; empty where the index has none."""
    needs: tuple[tuple[str, ...], ...]
    """``Pre-Depends`` and ``Depends``: names, each line of alternatives a tuple."""
    recommends: tuple[tuple[str, ...], ...]
    """``Recommends``, likewise."""
    provides: tuple[str, ...]
    """Names that it also answers to."""
    essential: bool
    """Whether every system must have it."""
    stanza: str
    """The whole text of the index about it."""


def relations(text: str) -> tuple[tuple[str, ...], ...]:
    """The names in a dependency field, without versions and architectures."""
    lines = []
    for group in text.split(","):
        names = [found.group() for part in group.split("|") if (found := NAME.match(part.strip()))]
        if names:
            lines.append(tuple(names))
    return tuple(lines)


def fields_of(stanza: str) -> Mapping[str, str]:
    """The fields of one stanza by name."""
    return {found[1]: found[2] for found in FIELD.finditer(stanza)}


def candidate(stanza: str) -> Candidate:
    """Read one stanza of a ``Packages`` index."""
    fields = fields_of(stanza)
    return Candidate(
        name=fields["Package"],
        version=fields["Version"],
        architecture=fields["Architecture"],
        path=fields.get("Filename", ""),
        size=int(fields.get("Size", "0")),
        sha256=fields.get("SHA256", ""),
        needs=relations(fields.get("Pre-Depends", "")) + relations(fields.get("Depends", "")),
        recommends=relations(fields.get("Recommends", "")),
        provides=tuple(names[0] for names in relations(fields.get("Provides", ""))),
        essential=fields.get("Essential") == "yes",
        stanza=stanza.strip(),
    )


def candidates(text: str) -> Iterator[Candidate]:
    """Read the stanzas of an index, or of what ``apt-cache show`` prints."""
    return (candidate(stanza) for stanza in text.split("\n\n") if stanza.strip())


def closure(
    roots: Iterable[str], among: Mapping[str, Candidate], *, recommends: bool = False
) -> frozenset[str]:
    """The names of ``roots`` and of all they need, as far as they are in ``among``.

    Every alternative and every provider that is there counts as needed: which of them dpkg will use is its choice.
    """
    providers: dict[str, list[str]] = {}
    for package in among.values():
        for name in (package.name, *package.provides):
            providers.setdefault(name, []).append(package.name)
    found: set[str] = set()
    todo = [name for root in roots for name in providers.get(root, ())]
    while todo:
        name = todo.pop()
        if name in found:
            continue
        found.add(name)
        package = among[name]
        wanted = package.needs + (package.recommends if recommends else ())
        todo += [provider for names in wanted for other in names for provider in providers.get(other, ())]
    return frozenset(found)
