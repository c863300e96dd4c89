"""The third way into a guest: the agent written into a throwaway copy of the disk, for images with an older systemd.

Before version 256 systemd takes no units from credentials, and not every image has cloud-init. The root file system is
looked at from outside, by debugfs and without mounting; only an ext2, ext3 or ext4 root can be read and written so.
What is written goes to a copy in the machine's directory, never to the disk.
"""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from goldsmith.disk.read.area import Area
from goldsmith.disk.read.kinds import kind_of
from goldsmith.disk.read.tables import partitions
from goldsmith.effects.process import run
from goldsmith.effects.sparse import copy_sparse
from goldsmith.errors import InputError
from goldsmith.machine.agent import UNIT, Agent, unit_text
from goldsmith.machine.overlay import disk_format

COPY = "planted.raw"
TAKES_UNITS = 256
"""The first systemd that takes units from credentials."""
LIBRARIES = (
    "/usr/lib/x86_64-linux-gnu/systemd",
    "/usr/lib/systemd",
    "/usr/lib64/systemd",
    "/lib/x86_64-linux-gnu/systemd",
    "/lib/systemd",
)
"""Where distributions keep systemd's own library, whose name has the version in it."""
VERSION = re.compile(r"/libsystemd-shared-(\d+)")
SCRIPT = "goldsmith-report.sh"
UNITS = "/etc/systemd/system"
WANTS = f"{UNITS}/sysinit.target.wants"
SEARCH = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
"""debugfs lies in sbin, which an ordinary user's PATH does not have."""


def with_agent(disk: Path, directory: Path, agent: Agent) -> Path:
    """A disk that lets the agent in: the disk itself, or a copy of it in ``directory``.

    Raises:
        InputError: ``disk`` is no disk.
        MissingTool: debugfs is not installed, or ``qemu-img`` for a qcow2 disk.
    """
    copy = directory / COPY
    if disk_format(disk) != "raw":
        run(["qemu-img", "convert", "-O", "raw", str(disk.resolve()), str(copy)])
    root = find_root(copy if copy.exists() else disk)
    if root is None or root[1] >= TAKES_UNITS:
        copy.unlink(missing_ok=True)
        return disk
    if not copy.exists():
        with copy.open("wb") as stream:
            stream.truncate(disk.stat().st_size)
            copy_sparse(disk, stream.fileno(), 0)
    return copy if plant(copy, root[0], directory, agent) else disk


def find_root(raw: Path) -> tuple[int, int] | None:
    """Where the root file system starts, in bytes, and systemd's version; ``None`` where neither can be told."""
    for start in ext4_starts(raw):
        listed = debugfs(raw, start, [f"ls -p {directory}" for directory in LIBRARIES])
        found = VERSION.search(listed)
        if found:
            return start, int(found[1])
    return None


def ext4_starts(raw: Path) -> Iterator[int]:
    """Where file systems start that debugfs can read."""
    descriptor = os.open(raw, os.O_RDONLY | os.O_CLOEXEC)
    try:
        disk = Area(descriptor, 0, raw.stat().st_size)
        for part in partitions(disk)[1]:
            if kind_of(disk.part(part.start, part.size)) == "ext4":
                yield part.start
    except InputError:
        return  # a table that cannot be read is the firmware's and the kernel's matter
    finally:
        os.close(descriptor)


def plant(raw: Path, start: int, directory: Path, agent: Agent) -> bool:
    """Write the agent into the root file system of a disk.

    Returns:
        Whether it is there now: a full file system, or one that was not unmounted, does not take it.
    """
    if "needs_recovery" in debugfs(raw, start, ["feature"]):
        return False
    (directory / SCRIPT).write_text(agent.script)
    (directory / UNIT).write_text(unit_text(f"{UNITS}/{SCRIPT}"))
    commands = [f"mkdir {WANTS}", f"cd {UNITS}"]
    for name in (SCRIPT, UNIT):
        fields = (("mode", "0100644"), ("uid", "0"), ("gid", "0"))
        commands.append(f"write {name} {name}")
        commands += [f"set_inode_field {name} {field} {value}" for field, value in fields]
    commands.append(f"symlink {WANTS}/{UNIT} {UNITS}/{UNIT}")
    debugfs(raw, start, commands, write=True)
    return agent.nonce in debugfs(raw, start, [f"cat {UNITS}/{SCRIPT}"]) and UNIT in debugfs(
        raw, start, [f"ls -p {WANTS}"]
    )


def debugfs(raw: Path, start: int, commands: Sequence[str], *, write: bool = False) -> str:
    """What debugfs prints; commands that fail are passed over, since what one asks for may not be there."""
    text = "".join(f"{command}\n" for command in commands)
    where = f"{raw.name}?offset={start}"
    words = ["debugfs", *(["-w"] if write else []), "-f", "-", where]
    return run(words, stdin=text.encode(), env=SEARCH, cwd=raw.resolve().parent, check=False).text
