"""Which packages a tree has, by dpkg's own record."""

import re
from dataclasses import dataclass

STATUS = "/var/lib/dpkg/status"
LONGEST = 12
"""Digits of a size that is believed."""
FIELD = re.compile(r"^([A-Za-z-]+): (.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Installed:
    """A package that is installed."""

    name: str
    """With the architecture behind a colon where another than the first of that name has it too."""
    version: str
    architecture: str
    size: int
    """Bytes that it takes, as its maker says."""


def installed(status: bytes) -> dict[str, Installed]:
    """The packages of dpkg's status file that are unpacked or more, by name."""
    found: dict[str, Installed] = {}
    for stanza in status.decode(errors="surrogateescape").split("\n\n"):
        fields = dict(FIELD.findall(stanza))
        state = fields.get("Status", "").rpartition(" ")[2]
        if "Package" not in fields or state in {"", "not-installed", "config-files"}:
            continue
        architecture, size = fields.get("Architecture", ""), fields.get("Installed-Size", "0")
        name = fields["Package"]
        if name in found:
            name = f"{name}:{architecture}"
        kib = int(size) if size.isdecimal() and len(size) <= LONGEST else 0
        found[name] = Installed(name, fields.get("Version", ""), architecture, kib << 10)
    return found
