"""The formats an image can be written in, as rows of data.

How a disk is written is in ``goldsmith.disk.formats``; how a tree and a whole image are, in ``goldsmith.store.archives``.
"""

from dataclasses import dataclass

from goldsmith.model.disk import MIB, SECTOR

GIB = 1 << 30
TIB = 1 << 40


@dataclass(frozen=True, slots=True)
class Format:
    """One format: what it is for, and what it demands of a disk."""

    name: str
    """What a recipe and the command line call it."""
    suffix: str
    """How names of its files end, with the dot."""
    summary: str
    """What it is, in a few words."""
    takers: tuple[str, ...]
    """Clouds and programs that take it."""
    unit: int = SECTOR
    """The disk's size is rounded up to a multiple of so many bytes; zeros fill it up."""
    block: int = 0
    """Blocks of so many bytes are stored as they are unless they are all zeros; 0 where everything is compressed."""
    largest: int = 0
    """The largest disk in bytes, 0 where it is far beyond any that exists."""
    has_identity: bool = False
    """Whether its files carry a UUID or another number, which is derived from the disk's digest."""


FORMATS = (
    Format(
        "raw",
        ".raw",
        "the disk's bytes, in a file with holes",
        ("EC2 (coldsnap, EBS direct)", "OpenStack", "dd"),
        unit=1,
        block=64 << 10,
    ),
    Format("qcow2", ".qcow2", "QEMU's format, version 3, zstd", ("QEMU", "libvirt", "OpenStack", "Proxmox")),
    Format(
        "vmdk",
        ".vmdk",
        "VMware's streamOptimized format, deflate",
        ("EC2 (VM import)", "vSphere (in an OVF)", "VirtualBox"),
        unit=64 << 10,
        largest=62 * TIB,
        has_identity=True,
    ),
    Format(
        "vhd",
        ".vhd",
        "the fixed VHD: the disk's bytes and a footer",
        ("Azure", "EC2 (VM import)", "Hyper-V"),
        unit=MIB,
        block=64 << 10,
        largest=32767 * GIB,
        has_identity=True,
    ),
    Format(
        "vhdx",
        ".vhdx",
        "Hyper-V's dynamic format",
        ("Hyper-V", "Azure Local"),
        unit=MIB,
        block=MIB,
        largest=64 * TIB,
        has_identity=True,
    ),
    Format(
        "vdi",
        ".vdi",
        "VirtualBox's dynamic format",
        ("VirtualBox",),
        unit=MIB,
        block=MIB,
        largest=0x3FFFFFFF * MIB,
        has_identity=True,
    ),
    Format(
        "gcp",
        ".tar.gz",
        "a compressed tar (oldgnu, sparse) of disk.raw, whole GiB",
        ("Google Compute Engine",),
        unit=GIB,
    ),
)
"""Every format of a disk."""
ARCHIVES = (
    Format(
        "tar",
        ".tar",
        "the tree, as a tar archive",
        ("tar", "containers (podman import)", "systemd-nspawn"),
    ),
    Format(
        "oci-archive",
        ".oci.tar",
        "all of the image, as an OCI archive",
        ("skopeo", "podman", "goldsmith import"),
    ),
)
"""Every format that holds something else than a disk alone; an image of the store is needed for it."""
NAMES = tuple(row.name for row in FORMATS)
"""The names of formats of a disk."""
OUTPUTS = tuple(row.name for row in (*FORMATS, *ARCHIVES))
"""All names, for recipes."""
