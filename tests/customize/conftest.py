"""A tree with Debian's account files, and runners of programs that say what they were asked."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from goldsmith.effects.process import Finished
from goldsmith.effects.root import Root
from goldsmith.errors import StepFailed

PASSWD = """\
root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
"""
GROUP = """\
root:x:0:
daemon:x:1:
adm:x:4:
sudo:x:27:
www-data:x:33:
shadow:x:42:
users:x:100:
nogroup:x:65534:
"""
SHADOW = "".join(f"{name}:*:19000:0:99999:7:::\n" for name in ("root", "daemon", "www-data", "nobody"))
GSHADOW = "".join(f"{line.split(':')[0]}:*::\n" for line in GROUP.splitlines())
LOGIN_DEFS = """\
# comment
UMASK		022
HOME_MODE	0700
PASS_MAX_DAYS	99999
PASS_MIN_DAYS	0
PASS_WARN_AGE	7
UID_MIN	1000
UID_MAX	60000
GID_MIN	1000
GID_MAX	60000
SUB_UID_MIN 100000
SUB_UID_MAX 600100000
SUB_UID_COUNT 65536
SUB_GID_MIN 100000
SUB_GID_MAX 600100000
SUB_GID_COUNT 65536
USERGROUPS_ENAB yes
"""
SERVICES = """\
ftp		21/tcp
ssh		22/tcp				# SSH Remote Login Protocol
domain		53/tcp
domain		53/udp
http		80/tcp		www	# WorldWideWeb HTTP
https		443/tcp
https		443/udp
"""


def debian_tree(directory: Path) -> Path:
    """The files of a Debian tree that customizations look at."""
    for name in (
        "etc/skel/.config",
        "etc/default",
        "root",
        "home",
        "usr/bin",
        "bin",
        "var/www",
        "var/lib/dpkg",
        "srv",
    ):
        (directory / name).mkdir(parents=True, exist_ok=True)
    for name, text in {
        "etc/passwd": PASSWD,
        "etc/group": GROUP,
        "etc/shadow": SHADOW,
        "etc/gshadow": GSHADOW,
        "etc/subuid": "",
        "etc/subgid": "",
        "etc/login.defs": LOGIN_DEFS,
        "etc/services": SERVICES,
        "etc/skel/.profile": "# profile\n",
        "etc/skel/.config/settings": "x=1\n",
        "bin/bash": "",
        "usr/bin/systemctl": "",
        "var/lib/dpkg/status": "",
    }.items():
        (directory / name).write_text(text)
    (directory / "etc/skel/.config/settings").chmod(0o600)
    (directory / "etc/skel/.link").symlink_to(".profile")
    (directory / "etc/shadow").chmod(0o640)
    os.chown(directory / "etc/shadow", 0, 42)
    return directory


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Root]:
    with Root(debian_tree(tmp_path / "tree")) as root:
        yield root


class Install:
    """Records packages as dpkg does, without unpacking anything."""

    def __init__(self, tree: Root) -> None:
        self.tree = tree

    def __call__(self, *packages: str) -> None:
        stanzas = "".join(
            f"Package: {name}\nStatus: install ok installed\nVersion: 1\n\n" for name in packages
        )
        self.tree.append("/var/lib/dpkg/status", stanzas.encode())


@pytest.fixture
def install(tree: Root) -> Install:
    return Install(tree)


@dataclass
class Recorder:
    """A runner that does nothing but write down; ``fail`` is what it prints when it is told to fail."""

    commands: list[list[str]] = field(default_factory=list)
    fail: str = ""

    def __call__(self, command: Sequence[str], /) -> Finished:
        self.commands.append(list(command))
        if self.fail:
            raise StepFailed(f"{command[0]} failed with exit code 1", hint="look", tail=self.fail)
        return Finished(tuple(command), 0, b"", b"")


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()
