"""The raw disk in a qcow2, vmdk, vhd, vhdx or vdi file: written by ``qemu-img``, which sees nothing but that file.

It runs without network, with bounds of memory and time, on the file read-only, so a file that names others (a backing
file, a data file, an extent) shows it nothing; and what it would write is measured before it is written.
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from goldsmith.disk.formats.recognise import recognise
from goldsmith.disk.read.area import HINT, malformed, refused
from goldsmith.effects import namespace
from goldsmith.effects.files import free_bytes
from goldsmith.effects.process import missing
from goldsmith.effects.sandbox import Bind, Sandbox
from goldsmith.errors import InputError, NoSpace, StepFailed
from goldsmith.store.home import Home

DRIVERS = {"qcow2": "qcow2", "vmdk": "vmdk", "vhd": "vpc", "vhdx": "vhdx", "vdi": "vdi"}
"""What qemu-img calls a format."""
PACKED = {"gzip": "gunzip", "zstd": "unzstd", "xz": "unxz"}
MEMORY = 2 << 30
"""Bytes of address space that qemu-img may have; most of it are its threads' stacks."""
LARGEST = 16 << 40
"""Bytes of a disk, at most."""
BEYOND = 4 << 30
"""Bytes of data that every file may unpack to ..."""
TIMES = 64
"""... and how many times its own size beyond that; disks pack to a half or a tenth of their data."""
LOOK_SECONDS = 60
BYTES_A_SECOND = 10_000_000
"""How slow a conversion may be."""
IN, OUT = "/run/goldsmith/disk", "/run/goldsmith/out"
DESCRIPTION = b"# Disk DescriptorFile"
"""How a VMDK begins whose extents are files of their own."""
WHOLE = "make one file of them where they are: qemu-img convert -O qcow2 FILE whole.qcow2"
ENVIRONMENT = {"MALLOC_ARENA_MAX": "1"}
LONGEST_MAP = 64 << 20
"""Bytes of the list of where a disk's data lies in its file."""
MAPPED = 'limit=$1 && shift && qemu-img map --output=json "$@" | head -c "$limit"'
LIMITED = 'ulimit -v "$1" && ulimit -t "$2" && shift 2 && exec "$@"'


@dataclass(frozen=True, slots=True)
class Raw:
    """A disk as plain bytes."""

    path: Path
    """The file."""
    format: str
    """What it was before."""
    own: bool
    """Whether it was made here, and may be moved."""
    snapshots: tuple[str, ...] = ()
    """Earlier states of the disk that its file keeps, which are not in the raw one."""


def raw_of(path: Path, room: Path, home: Home) -> Raw:
    """The raw disk of a file in any format that is known.

    Args:
        path: the file.
        room: a directory of this process; what is made is made there.
        home: where a tools tree may be, for a host without qemu-img.

    Raises:
        InputError: the file is damaged, needs other files, is encrypted, or unpacks to too much.
        NoSpace: the disk does not fit into ``room``.
        MissingTool: there is no qemu-img.
    """
    kind = recognise(path)
    if not kind:
        return Raw(path, "raw", own=False)
    if kind in PACKED:
        raise refused(
            f"it is packed by {kind}, and no archive of a root",
            f"unpack it first: {PACKED[kind]} {path.name}",
        )
    with path.open("rb") as stream:
        if stream.read(len(DESCRIPTION)) == DESCRIPTION:
            raise refused("it only describes a disk, which lies in other files", WHOLE)
    namespace.enter(trees=False)
    driver = DRIVERS[kind]
    sandbox = _sandbox(room, home)
    size, snapshots = _look(sandbox, path, driver)
    _need_whole(sandbox, path, driver)
    need = _measure(sandbox, path, driver)
    allowed = BEYOND + TIMES * path.stat().st_blocks * 512
    if need > allowed:
        raise refused(
            f"it unpacks to {need >> 20} MiB, more than {TIMES} times what it takes",
            "if the disk is what you want, convert it yourself: qemu-img convert -O raw",
        )
    if need > free_bytes(room):
        raise NoSpace(
            f"the disk has {need >> 20} MiB of data, and {free_bytes(room) >> 20} MiB are free in {room}",
            hint="free some space, or set GOLDSMITH_HOME to a larger file system",
        )
    output = room / "out"
    output.mkdir()
    seconds = LOOK_SECONDS + need // BYTES_A_SECOND
    command = ["qemu-img", "convert", "-f", driver, "-O", "raw", "-W", IN, f"{OUT}/disk.raw"]
    _run(sandbox, path, command, seconds=seconds, output=output)
    raw = output / "disk.raw"
    if raw.stat().st_size < size:
        raise malformed(f"qemu-img made {raw.stat().st_size} bytes of a disk of {size}")
    return Raw(raw, kind, own=True, snapshots=snapshots)


def _sandbox(room: Path, home: Home) -> Sandbox:
    """A root with qemu-img in it: the host's, else a tools tree's."""
    if shutil.which("qemu-img") == "/usr/bin/qemu-img":
        root = room / "root"
        root.mkdir()
        binds = [Bind(Path("/usr"), "/usr")]
        for name in ("bin", "lib", "lib64", "sbin"):
            host = Path("/", name)
            if host.is_symlink():
                (root / name).symlink_to(os.readlink(host))
            elif host.is_dir():
                binds.append(Bind(host, f"/{name}"))
        return Sandbox(root=root, binds=tuple(binds))
    trees = [path for path in home.path.glob("cache/tools/*/tree") if (path / "usr/bin/qemu-img").exists()]
    if not trees:
        raise missing("qemu-img")
    return Sandbox(root=max(trees, key=lambda tree: tree.stat().st_mtime), writable=False)


def _run(
    sandbox: Sandbox, path: Path, command: Sequence[str], *, seconds: int, output: Path | None = None
) -> bytes:
    binds = [*sandbox.binds, Bind(path, IN), *([Bind(output, OUT, writable=True)] if output else [])]
    inside = Sandbox(
        root=sandbox.root, binds=tuple(binds), writable=sandbox.writable, environment=ENVIRONMENT
    )
    limited = ["/bin/sh", "-c", LIMITED, "sh", str(MEMORY >> 10), str(seconds), *command]
    try:
        return inside.run(limited, timeout=seconds * 2).stdout
    except StepFailed as error:
        said = next((line for line in reversed(error.tail.splitlines()) if "qemu-img" in line), "")
        reason = said.removeprefix("qemu-img: ").replace(IN, path.name) or "it did not end in time"
        raise InputError(f"qemu-img cannot read it: {reason:.300}", hint=HINT) from error


def _object(data: bytes) -> Mapping[str, object]:
    with suppress(ValueError):
        value = json.loads(data)
        if isinstance(value, dict):
            return value
    raise malformed("qemu-img says nothing of it that can be read")


def _look(sandbox: Sandbox, path: Path, driver: str) -> tuple[int, tuple[str, ...]]:
    """The disk's size and the names of its snapshots, once nothing speaks against reading it."""
    facts = _object(
        _run(sandbox, path, ["qemu-img", "info", "--output=json", "-f", driver, IN], seconds=LOOK_SECONDS)
    )
    specific = facts.get("format-specific")
    data = specific.get("data") if isinstance(specific, dict) else None
    more = data if isinstance(data, dict) else {}
    other = facts.get("backing-filename") or facts.get("full-backing-filename") or more.get("data-file")
    if other:
        raise refused(
            f"it is only a part of a disk: it needs {str(other)!r:.200}",
            WHOLE,
        )
    if facts.get("encrypted") or more.get("encrypt"):
        raise refused("it is encrypted", "decrypt it where its key is: qemu-img convert")
    size = facts.get("virtual-size")
    if not isinstance(size, int) or not 0 < size <= LARGEST:
        raise malformed(f"it is said to hold a disk of {size!r:.40} bytes; {LARGEST >> 40} TiB are allowed")
    return size, tuple(_snapshots(facts.get("snapshots")))


def _snapshots(listed: object) -> Iterator[str]:
    for item in listed if isinstance(listed, list) else ():
        name = str(item.get("name") or item.get("id") or "?") if isinstance(item, dict) else "?"
        yield "".join(sign if sign.isprintable() else "?" for sign in name)[:60]


def _need_whole(sandbox: Sandbox, path: Path, driver: str) -> None:
    """Refuse a file that was cut off: qemu-img reads what is behind a file's end as zeros, and says nothing."""
    mapped = ["/bin/sh", "-c", MAPPED, "sh", str(LONGEST_MAP), "-f", driver, IN]
    data = _run(sandbox, path, mapped, seconds=LOOK_SECONDS)
    try:
        rows = json.loads(data)
        end = max(
            (row["offset"] + row["length"] for row in rows if row["data"] and "offset" in row), default=0
        )
    except (ValueError, KeyError, TypeError) as error:
        raise malformed("qemu-img cannot tell where its data lies, or in too many pieces") from error
    if end > path.stat().st_size:
        raise malformed(
            f"it was cut off: it has {path.stat().st_size} bytes, and its data reaches to byte {end}"
        )


def _measure(sandbox: Sandbox, path: Path, driver: str) -> int:
    """Bytes of data that the raw disk will take: what a qcow2 would, since of a raw one all is counted."""
    command = ["qemu-img", "measure", "--output=json", "-f", driver, "-O", "qcow2", IN]
    need = _object(_run(sandbox, path, command, seconds=LOOK_SECONDS)).get("required")
    if not isinstance(need, int) or need < 0:
        raise malformed("qemu-img cannot tell how much data it holds")
    return need
