"""What is asked of every clone, in one script: identities, files, ports, setuid files, memory, dumps."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from goldsmith.machine.channel import Guest
from goldsmith.machine.identity import ask_identity
from goldsmith.model.machine import GuestReport

SCRIPT = r"""
section() { printf '\n== %s\n' "$1"; }
section files
find /etc /root /home /opt /srv /boot /usr/local -xdev -type f -exec sha256sum {} + 2>/dev/null
# cloud-init writes the time into a comment of these.
for file in /etc/sudoers.d/90-cloud-init-users; do
  [ ! -f "$file" ] || printf '%s  %s without comments\n' "$(grep -v '^#' "$file" | sha256sum | head -c 64)" "$file"
done
section links
find /etc -xdev -type l -printf '%p -> %l\n' 2>/dev/null
section packages
command -v dpkg-query >/dev/null && dpkg-query -W -f '${Package} ${Version} ${db:Status-Status}\n'
section sockets
for kind in tcp tcp6 udp udp6; do sed "1d; s/^/$kind /" /proc/net/$kind 2>/dev/null; done
section setuid
find / -xdev -perm /6000 -type f 2>/dev/null
section memory
sed -n 's/^MemTotal: *//p; s/^MemAvailable: *//p' /proc/meminfo
section dumps
journalctl --boot --quiet --no-pager --output=cat |
  grep -E 'dumped core|segfault at|code=(dumped|killed), status=(4|5|6|7|8|11|31)/' | head -n 20
ls /var/lib/systemd/coredump 2>/dev/null
section root
stat -f -c %T /
exit 0
"""
SECONDS = 120.0
LISTENS = {"tcp": "0A", "udp": "07"}
"""The states of sockets that wait for anybody; Linux's include/net/tcp_states.h."""
LOOPBACK = re.compile(r"[0-9A-F]{6}7F|0{24}01000000|0{16}FFFF0000[0-9A-F]{6}7F")
CLIENTS = frozenset({"68:udp", "546:udp"})
"""Where DHCP clients get their answers."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a clone is like."""

    report: GuestReport
    """Its own report."""
    identity: Mapping[str, str]
    """What makes it itself."""
    files: Mapping[str, str]
    """SHA-256 or link target, by path."""
    packages: frozenset[str]
    """Name, version and state of each."""
    ports: frozenset[str]
    """What others can reach: ``22:tcp``."""
    setuid: frozenset[str]
    """Files that run with somebody else's rights."""
    memory: int
    """Bytes in use."""
    dumps: tuple[str, ...]
    """Signs of crashed programs."""
    root: str
    """The root's file system."""


def ask_facts(guest: Guest, report: GuestReport) -> Facts:
    """Ask a clone.

    Raises:
        StepFailed: it does not say.
        Unavailable: nothing answers.
    """
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in guest.check(SCRIPT, timeout=SECONDS).splitlines():
        if line.startswith("== "):
            lines = found.setdefault(line[3:], [])
        elif line:
            lines.append(line)
    files = {path: digest for digest, _, path in (line.partition("  ") for line in found["files"])}
    links = {path: target for path, _, target in (line.partition(" -> ") for line in found["links"])}
    total, free = (int(line.split()[0]) << 10 for line in found["memory"][:2])
    return Facts(
        report=report,
        identity=ask_identity(guest),
        files={**files, **links},
        packages=frozenset(found["packages"]),
        ports=frozenset(filter(None, map(listening, found["sockets"]))) - CLIENTS,
        setuid=frozenset(found["setuid"]),
        memory=total - free,
        dumps=tuple(found["dumps"]),
        root="".join(found["root"]),
    )


def listening(line: str) -> str:
    """``PORT:PROTOCOL`` of a line of ``/proc/net`` that others can reach; empty for any other line."""
    words = line.split()
    protocol = words[0].removesuffix("6")
    address, _, port = words[2].partition(":")
    state = words[4]
    if state != LISTENS[protocol] or LOOPBACK.fullmatch(address):
        return ""
    return f"{int(port, 16)}:{protocol}"
