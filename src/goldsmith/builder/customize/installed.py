"""Which packages the tree has, by dpkg's own record."""

import re

from goldsmith.effects.root import Root

STATUS = "/var/lib/dpkg/status"


def installed_packages(tree: Root) -> frozenset[str]:
    """The names of all packages that are installed and configured."""
    if not tree.is_file(STATUS):
        return frozenset()
    names = set()
    for stanza in tree.read_text(STATUS).split("\n\n"):
        name = re.search(r"^Package: (\S+)$", stanza, re.MULTILINE)
        if name and re.search(r"^Status: \S+ \S+ installed$", stanza, re.MULTILINE):
            names.add(name[1])
    return frozenset(names)


def is_installed(tree: Root, package: str) -> bool:
    """Whether the tree has a package, configured."""
    return package in installed_packages(tree)
