"""The disk as values: what a tree needs, and where everything lies on the disk made from it."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

SECTOR = 512
BLOCK = 4096
MIB = 1 << 20


class Role(StrEnum):
    """What a partition is for."""

    BIOS = "bios"
    """GRUB's core image, which has no file system; for a start by BIOS."""
    ESP = "esp"
    """The EFI system partition, FAT; with an erofs root also the kernel's home."""
    ROOT = "root"
    """The tree."""


@dataclass(frozen=True, slots=True)
class TreeNeed:
    """What a tree takes on a file system; counted from its content only, so the same tree needs the same everywhere."""

    inodes: int
    """Files, directories, links and devices; hard links count once."""
    blocks: int
    """Blocks of 4096 bytes for file contents, directories, long links and extended attributes."""
    boot: int = 0
    """Bytes of all kernels and initramfs in ``/boot``; they lie on the ESP where GRUB cannot read the root."""

    def __add__(self, other: "TreeNeed") -> "TreeNeed":
        return TreeNeed(self.inodes + other.inodes, self.blocks + other.blocks, self.boot + other.boot)


@dataclass(frozen=True, slots=True)
class Partition:
    """One entry of the partition table; offsets and sizes in bytes, multiples of 1 MiB."""

    role: Role
    """What it is for."""
    number: int
    """Its place in the table, from 1."""
    kind: UUID
    """The partition type GUID, by which firmware and systemd know it."""
    guid: UUID
    """Its own GUID."""
    start: int
    """Where it begins."""
    size: int
    """How long it is."""

    @property
    def end(self) -> int:
        """The first byte after it."""
        return self.start + self.size


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything lies on a disk, and every identity on it; nothing about it is left to chance or to the clock."""

    size: int
    """The disk's size in bytes."""
    guid: UUID
    """The disk's GUID."""
    partitions: tuple[Partition, ...]
    """In the order of their places; the root is last, so that it can grow."""
    boot: str
    """``uefi``, ``bios`` or ``both``."""
    filesystem: str
    """The root's file system, ``ext4`` or ``erofs``."""
    root_uuid: UUID
    """The root file system's UUID, which the kernel's command line and ``/etc/fstab`` name."""
    hash_seed: UUID
    """Decides the order in ext4's hashed directories."""
    esp_serial: int
    """The FAT volume's serial number, 32 bits."""
    inodes: int
    """How many inodes an ext4 root is made with."""

    def find(self, role: Role) -> Partition | None:
        """The partition for ``role``, if there is one."""
        return next((partition for partition in self.partitions if partition.role is role), None)

    @property
    def root(self) -> Partition:
        """The root partition, which every disk has."""
        return self.partitions[-1]

    @property
    def esp_uuid(self) -> str:
        """The FAT serial as Linux and GRUB write it: ``1A2B-3C4D``."""
        return f"{self.esp_serial >> 16:04X}-{self.esp_serial & 0xFFFF:04X}"
