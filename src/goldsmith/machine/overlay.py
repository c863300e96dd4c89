"""The throwaway layer over a disk: what a machine writes goes there, the disk itself is only read."""

import struct
from dataclasses import dataclass
from pathlib import Path

from goldsmith.effects.process import run
from goldsmith.errors import InputError, Place

OVERLAY = "overlay.qcow2"
HEAD = 512
BOOT_SIGNATURE = b"\x55\xaa"
VERSIONS = (2, 3)
WITH_FEATURES = 3
"""The first version of qcow2 with a field for features, where it is, and the bit for an external data file."""
FEATURES = 72
DATA_FILE = 4


@dataclass(frozen=True, slots=True)
class Kind:
    """A row: how a file of this kind begins, and what QEMU calls it."""

    magic: bytes
    """Its first bytes."""
    name: str
    """Its name, for people."""
    qemu: str = ""
    """QEMU's name for it, where a machine can boot it."""


KINDS = (
    Kind(b"QFI\xfb", "qcow2 disk", "qcow2"),
    Kind(b"KDMV", "VMDK disk"),
    Kind(b"# Disk DescriptorFile", "VMDK descriptor"),
    Kind(b"vhdxfile", "VHDX disk"),
    Kind(b"conectix", "VHD disk"),
    Kind(b"\x1f\x8b", "gzip file"),
    Kind(b"\x28\xb5\x2f\xfd", "zstd file"),
    Kind(b"\xfd7zXZ\0", "xz file"),
    Kind(b"PK\x03\x04", "zip file"),
    Kind(b"hsqs", "squashfs file system"),
)


def disk_format(disk: Path) -> str:
    """``raw`` or ``qcow2``.

    Raises:
        InputError: it is no disk, or of a kind that no machine boots.
    """
    where = Place(str(disk))
    if not disk.is_file():
        found = "a directory" if disk.is_dir() else "no ordinary file" if disk.exists() else "nothing"
        raise InputError(
            f"{str(disk)!r} is no disk image: there is {found}",
            hint="give the path of a raw or qcow2 disk",
            where=where,
        )
    with disk.open("rb") as stream:
        head = stream.read(HEAD)
    for kind in KINDS:
        if head.startswith(kind.magic):
            if kind.qemu:
                check_qcow2(head.ljust(HEAD, b"\0"), where)
                return kind.qemu
            raise InputError(
                f"a {kind.name} cannot be booted directly",
                hint="convert it to raw or qcow2 first: qemu-img convert, or the tool that made it",
                where=where,
            )
    if len(head) < HEAD or not head.endswith(BOOT_SIGNATURE):
        raise InputError(
            "this file is no disk: its first sector has no boot signature (55 aa)",
            hint="give a raw or qcow2 disk with a partition table",
            where=where,
        )
    return "raw"


def check_qcow2(head: bytes, where: Place) -> None:
    """Refuse a qcow2 file that reads another: its guest would see any file of this host that it names.

    Facts: QEMU's docs/interop/qcow2.txt.

    Raises:
        InputError: it names a backing file or a data file, or is of no version that is known.
    """
    version, backing = struct.unpack_from(">IQ", head, 4)
    if version not in VERSIONS:
        raise InputError(
            f"this qcow2 disk cannot be read: there is no version {version} of the format",
            hint="the file is damaged: get it again from where it came",
            where=where,
        )
    data = version >= WITH_FEATURES and struct.unpack_from(">Q", head, FEATURES)[0] & DATA_FILE
    if backing or data:
        raise InputError(
            f"this qcow2 disk reads another file, its {'backing' if backing else 'data'} file",
            hint="if you trust it, make one file of them: qemu-img convert -O qcow2 OLD NEW",
            where=where,
        )


def make_overlay(disk: Path, directory: Path) -> Path:
    """Make a qcow2 file in ``directory`` that reads from ``disk`` what has not been written; its path.

    Raises:
        InputError: ``disk`` is no disk.
        MissingTool: ``qemu-img`` is not installed.
    """
    kind = disk_format(disk)
    overlay = directory / OVERLAY
    run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", kind, "-b", str(disk.resolve()), str(overlay)])
    return overlay
