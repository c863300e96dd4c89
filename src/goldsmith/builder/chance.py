"""Packages whose scripts leave something of their own making in the tree that no two builds have alike.

A database that is made while its package is installed has an identity and times of its own, in formats that only it
can write. What cannot be made equal is at least named.
"""

from dataclasses import dataclass

from goldsmith.builder.match import find
from goldsmith.effects.root import Root


@dataclass(frozen=True, slots=True)
class Chance:
    """A row: what shows that such a thing is there."""

    name: str
    """What made it, for people."""
    pattern: str
    """A file of it."""
    directory: str
    """Where it lies."""


ROWS = (
    Chance("MariaDB or MySQL", "/var/lib/mysql/ibdata1", "/var/lib/mysql"),
    Chance("PostgreSQL", "/var/lib/postgresql/*/*/global/pg_control", "/var/lib/postgresql"),
    Chance("the LDAP server slapd", "/var/lib/ldap/data.mdb", "/var/lib/ldap"),
)


def left_to_chance(tree: Root) -> list[str]:
    """A warning for each such thing in a tree."""
    return [
        f"{row.name} has made its database in the build: no two builds are equal in {row.directory}, and every machine "
        "has the same one; remove it in a component and let the machine make it at its first boot"
        for row in ROWS
        if any(True for _ in find(tree, row.pattern))
    ]
