"""What a machine's disk is made from: an image of the store, or a disk that lies anywhere."""

import errno
import json
import os
from dataclasses import replace
from pathlib import Path

from goldsmith.disk.digest import disk_digest
from goldsmith.disk.stored import raw_disk
from goldsmith.effects.machine_run import boot_id
from goldsmith.effects.process import run
from goldsmith.errors import IntegrityError, UsageError
from goldsmith.machine.local.layers import BASE
from goldsmith.machine.overlay import disk_format
from goldsmith.model.vm import LocalMachine, Origin
from goldsmith.store.home import Home
from goldsmith.store.images import find


def find_origin(home: Home, ref: str) -> tuple[Origin, Path]:
    """What REF means, and its disk: a path where it has a slash or exists, else an image's name.

    Raises:
        UsageError: there is no such image, or the file is no disk.
        IntegrityError: what the store has of it is damaged.
    """
    path = Path(ref)
    if "/" in ref or path.is_file():
        path = path.absolute()
        kind = disk_format(path)
        facts = path.stat()
        return Origin(
            str(path), format=kind, path=str(path), size=facts.st_size, modified=facts.st_mtime_ns
        ), path
    image = find(home, ref)
    disk = raw_disk(home, image)
    facts = disk.stat()
    origin = Origin(
        image.reference,
        image.digest,
        str(image.facts["disk_digest"]),
        size=facts.st_size,
        modified=facts.st_mtime_ns,
        checked=boot_id(),
        built=bool(image.facts.get("recipe_digest")),
    )
    return origin, disk


def virtual_size(disk: Path, origin: Origin) -> int:
    """Bytes of the disk as a guest sees it."""
    if origin.format == "raw":
        return -(-origin.size // 512) * 512
    told = json.loads(run(["qemu-img", "info", "-U", "--output=json", str(disk)]).text)
    return int(told["virtual-size"])


def attach(directory: Path, origin: Origin, disk: Path) -> Origin:
    """Give a machine its own link to an image's disk; where none can be made, it reads the disk where it lies."""
    if origin.path:
        return origin
    try:
        os.link(disk, directory / BASE)
    except OSError as error:
        if error.errno not in {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP}:
            raise
        return replace(origin, path=str(disk))
    return origin


def need_origin(directory: Path, machine: LocalMachine) -> Path:
    """The disk that a machine was made from.

    Raises:
        IntegrityError: it is gone.
    """
    disk = Path(machine.origin.path) if machine.origin.path else directory / BASE
    if not disk.exists():
        raise _changed(machine, "is gone")
    return disk


def check_origin(home: Home, directory: Path, machine: LocalMachine) -> LocalMachine:
    """Refuse to start over a disk that is not what the machine was made from.

    Disks of images are not synced when they are written: after each start of the host their bytes are compared once.

    Raises:
        IntegrityError: it has changed, or is gone.
    """
    origin = machine.origin
    disk = need_origin(directory, machine)
    facts = disk.stat()
    if (facts.st_size, facts.st_mtime_ns) != (origin.size, origin.modified):
        raise _changed(machine, "was written to")
    if not origin.disk_digest or origin.checked == boot_id():
        return machine
    if disk_digest(disk) != origin.disk_digest:
        disk.unlink()
        try:
            os.link(raw_disk(home, find(home, origin.reference)), disk)
        except UsageError as error:
            raise _changed(machine, "is damaged, and its image is not in the store any more") from error
        if disk_digest(disk) != origin.disk_digest:
            raise _changed(machine, "is damaged")
    facts = disk.stat()
    checked = replace(origin, checked=boot_id(), size=facts.st_size, modified=facts.st_mtime_ns)
    return replace(machine, origin=checked)


def _changed(machine: LocalMachine, what: str) -> IntegrityError:
    return IntegrityError(
        f"the disk that {machine.name!r} was made from {what}: {machine.origin.reference}",
        hint="bring it back as it was, or make the machine anew: what it wrote makes no sense over another disk",
    )
