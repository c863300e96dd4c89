"""What system a tree holds: its distribution, architecture, packages and kernels."""

import io
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain

from goldsmith.disk.adopt.contents import Contents

OS_RELEASE = ("/etc/os-release", "/usr/lib/os-release")
MANAGERS = {
    "dpkg": "/var/lib/dpkg/status",
    "rpm": "/usr/lib/sysimage/rpm",
    "rpm ": "/var/lib/rpm",
    "apk": "/lib/apk/db/installed",
    "pacman": "/var/lib/pacman/local",
}
"""Where each package manager keeps what it knows."""
MACHINES = {
    3: "i386",
    21: "ppc64el",
    22: "s390x",
    40: "armhf",
    62: "amd64",
    183: "arm64",
    243: "riscv64",
}
"""ELF's numbers of machines, by Debian's names."""
FIELDS = frozenset({"Package", "Status", "Version", "Architecture"})
"""What is read of dpkg's status."""
PROGRAMS = ("/bin/sh", "/sbin/init", "/usr/lib/systemd/systemd", "/usr/bin/dpkg", "/bin/busybox")


@dataclass(frozen=True, slots=True)
class Installed:
    """One package of an adopted system."""

    name: str
    version: str
    architecture: str


@dataclass(frozen=True, slots=True)
class Recognised:
    """What is known of a system."""

    os: Mapping[str, str]
    """The fields of os-release; empty if there is none."""
    architecture: str
    """As Debian names it; empty if no program tells."""
    manager: str
    """``dpkg``, ``rpm``, ``apk`` or ``pacman``; empty if there is none that is known."""
    packages: tuple[Installed, ...]
    """What dpkg has installed; those of other managers are not read."""
    kernels: tuple[str, ...]
    """Versions of the kernels in /boot."""

    @property
    def name(self) -> str:
        """The system as a person calls it."""
        return self.os.get("PRETTY_NAME") or self.os.get("ID") or "an unknown system"

    @property
    def distribution(self) -> str:
        """As os-release names it: ``debian`` or ``ubuntu``, say."""
        return self.os.get("ID", "")

    @property
    def suite(self) -> str:
        """Its code name, as in ``trixie``; empty for those that have none."""
        return self.os.get("VERSION_CODENAME", "")


def recognise_system(contents: Contents) -> Recognised:
    """Look at what every system keeps in the same places."""
    manager = next((name.strip() for name, path in MANAGERS.items() if contents.find(path)), "")
    status = contents.data(MANAGERS["dpkg"]) if manager == "dpkg" else None
    packages = installed((status or b"").decode(errors="replace"))
    own = {package.name: package.architecture for package in packages}.get("dpkg", "")
    boot = "/boot/vmlinuz-"
    kernels = tuple(sorted(path.removeprefix(boot) for path in contents.entries if path.startswith(boot)))
    return Recognised(
        os=os_release(contents),
        architecture=own or machine(contents),
        manager=manager,
        packages=packages,
        kernels=kernels,
    )


def os_release(contents: Contents) -> dict[str, str]:
    """The fields of the tree's os-release; empty if there is none."""
    for path in OS_RELEASE:
        data = contents.data(path, limit=1 << 16)
        if data is not None:
            break
    else:
        return {}
    return parse_os_release(data.decode(errors="replace"))


def parse_os_release(text: str) -> dict[str, str]:
    """The fields of os-release(5); lines that are none are left out."""
    fields = {}
    for line in text.splitlines():
        name, equals, value = line.strip().partition("=")
        if equals and name.isidentifier():
            try:
                fields[name] = " ".join(shlex.split(value))
            except ValueError:
                fields[name] = value
    return fields


def machine(contents: Contents) -> str:
    """The architecture that the system's own programs are for."""
    for path in PROGRAMS:
        head = contents.data(path, limit=20)
        if head and len(head) == 20 and head[:4] == b"\x7fELF":  # noqa: PLR2004 - up to ELF's e_machine
            number = int.from_bytes(head[18:20], "little" if head[5] == 1 else "big")
            return MACHINES.get(number, "")
    return ""


def installed(status: str) -> tuple[Installed, ...]:
    """The packages of dpkg's status that are installed, by name."""
    found = []
    fields: dict[str, str] = {}
    for line in chain(io.StringIO(status), "\n"):
        name, _, value = line.rstrip("\n").partition(": ")
        if name in FIELDS:
            fields[name] = value
        if line != "\n":
            continue
        if fields.get("Status", "").endswith(" ok installed") and "Package" in fields:
            found.append(
                Installed(fields["Package"], fields.get("Version", ""), fields.get("Architecture", ""))
            )
        fields = {}
    return tuple(sorted(found, key=lambda package: (package.name, package.architecture)))
