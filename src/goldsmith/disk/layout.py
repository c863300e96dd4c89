"""Decide where everything lies on a disk; pure, and the same for every version of an image.

- Everything begins and ends on a MiB: flash and cloud storage like it, and every block lies on 4 KiB.
- BIOS boot partition (1 MiB), ESP, root; the root is last, so that it can grow.
- Identities come from the image's name and architecture, not its version (docs/adr/0011-disk-identities.md).
"""

from collections.abc import Callable
from uuid import UUID, uuid5

from goldsmith.errors import InputError
from goldsmith.model.disk import BLOCK, MIB, Layout, Partition, Role, TreeNeed
from goldsmith.model.recipe import DiskSpec

NAMESPACE = UUID("0f1a9f0e-5d0c-5b0e-9a54-676f6c64736d")
KINDS = {
    Role.BIOS: UUID("21686148-6449-6e6f-744e-656564454649"),
    Role.ESP: UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b"),
}
ROOT_KINDS = {"amd64": UUID("4f68bce3-e8cd-4db1-96e7-fbcaf984b709")}
"""Partition types by role; the root's says for which architecture it is (the Discoverable Partitions Specification)."""

BIOS_SIZE = MIB
ESP_SIZE = 64 * MIB
"""FAT16 with clusters of 4 KiB holds 16 to 255 MiB. 5 MiB are used; the rest is room for a living machine, and as
zeros costs nothing in any format. FAT32 would need 257 MiB (65,525 clusters)."""
ESP_LARGEST = 255 * MIB
ESP_LOADER = 8 * MIB
"""Shim, GRUB, their configuration, and FAT's own tables."""

GROUP = 128 * MIB
BLOCKS_PER_GROUP = GROUP // BLOCK
INODE_SIZE = 256
BYTES_PER_INODE = 16384
"""What mke2fs takes by default; groups that are added when the file system grows get as many each."""
JOURNAL = 64 * MIB
"""What mke2fs takes for 2 to 16 GiB, since the root will soon be that large: a journal does not grow."""
GROWS_TO = 2 << 40
"""Group descriptors are reserved up to this size; growing further works too, as ``meta_bg``."""
RESERVED_PERCENT = 1
"""Blocks for root only; 5 % of a small disk would be wasted, 1 % lets root's services still log."""
SLACK = 2 * MIB


def identity(name: str, architecture: str, what: str) -> UUID:
    """The UUID of one thing on the disks of one image."""
    return uuid5(NAMESPACE, f"{name}:{architecture}:{what}")


def round_up(size: int, unit: int = MIB) -> int:
    """The next multiple of ``unit``."""
    return -(-size // unit) * unit


def ext4_inodes(size: int, need: TreeNeed) -> int:
    """Inodes of an ext4 root: the usual ratio, or more where a tree of many small files would leave too few free."""
    return max(size // BYTES_PER_INODE, need.inodes + need.inodes // 4 + 1024)


def descriptor_copies(groups: int) -> int:
    """Groups with a copy of superblock and descriptors (``sparse_super``): 0, 1, and powers of 3, 5 and 7."""
    powers = {base**exponent for base in (3, 5, 7) for exponent in range(1, 32)}
    return sum(group in {0, 1} or group in powers for group in range(groups))


def ext4_overhead(size: int, need: TreeNeed) -> int:
    """Bytes of an ext4 file system of ``size`` bytes that hold no file: its tables, its journal, root's reserve.

    An upper bound: inode tables are rounded up by group, descriptors counted with all that are reserved for growth.
    """
    groups = -(-size // GROUP)
    descriptors = max(GROWS_TO, size) // GROUP * 64 // BLOCK + 1
    per_group = round_up(-(-ext4_inodes(size, need) // groups) + 16, 16) * INODE_SIZE
    tables = (
        groups * (2 * BLOCK + round_up(per_group, BLOCK))
        + descriptor_copies(groups) * (1 + descriptors) * BLOCK
    )
    resize_inode = (2 + descriptors) * BLOCK
    orphans = min(max(32, size // BLOCK // 4096), 512) * BLOCK
    return tables + resize_inode + orphans + JOURNAL + size * RESERVED_PERCENT // 100


def ext4_size(need: TreeNeed, headroom: int) -> int:
    """The smallest whole MiB of ext4 that surely holds a tree and leaves ``headroom`` bytes to ordinary users."""
    content = need.blocks * BLOCK
    # Extent blocks: one per file that is split over groups, far below 1 % of the content.
    content += content // 100 + SLACK + headroom
    # mke2fs refuses a journal of more than half of what the tables leave.
    content = max(content, JOURNAL + SLACK)
    size = round_up(content)
    while size < content + ext4_overhead(size, need):
        size = round_up(content + ext4_overhead(size, need))
    return size


def erofs_size(need: TreeNeed, headroom: int) -> int:  # noqa: ARG001 - one signature for all; erofs has no free space
    """Whole MiB that surely hold a tree as uncompressed erofs: contents, and inodes of 64 bytes with their attributes."""
    content = need.blocks * BLOCK + need.inodes * 128
    return round_up(content + content // 100 + SLACK)


ROOT_SIZES: dict[str, Callable[[TreeNeed, int], int]] = {"ext4": ext4_size, "erofs": erofs_size}
"""How large a root must be, by file system."""


def esp_size(spec: DiskSpec, need: TreeNeed) -> int:
    """The ESP's size; kernels lie on it where GRUB cannot read the root.

    Raises:
        InputError: the kernels do not fit into a FAT16 partition.
    """
    if spec.root == "ext4":
        return ESP_SIZE
    size = max(ESP_SIZE, round_up(need.boot + ESP_LOADER))
    if size > ESP_LARGEST:
        raise InputError(
            f"kernels and initramfs of an erofs image lie on the ESP, and {need.boot / MIB:.0f} MiB of them do not fit",
            hint="install one kernel only, or a smaller one (linux-image-cloud-amd64), or use `root: ext4`",
            where=spec.where,
        )
    return size


def plan_layout(spec: DiskSpec, *, name: str, architecture: str, need: TreeNeed) -> Layout:
    """Decide the layout of an image's disk.

    Args:
        spec: what the recipe says.
        name: the image's name.
        architecture: its architecture, ``amd64``.
        need: what the tree needs; give a little more for files that are still to be written.

    Raises:
        InputError: the size asked for is too small; the message says how much is needed.
    """
    sizes: dict[Role, int] = {}
    if spec.boot in {"bios", "both"}:
        sizes[Role.BIOS] = BIOS_SIZE
    if spec.boot in {"uefi", "both"} or spec.root == "erofs":
        sizes[Role.ESP] = esp_size(spec, need)
    # 1 MiB before the first partition for the table, 1 MiB after the last for its copy.
    around = 2 * MIB + sum(sizes.values())
    least = around + ROOT_SIZES[spec.root](need, 0)
    if spec.size is None:
        total = around + ROOT_SIZES[spec.root](need, spec.headroom)
    else:
        total = round_up(spec.size)
        if total < least:
            raise InputError(
                f"the disk is {spec.size / MIB:.0f} MiB, but its content needs at least {least / MIB:.0f} MiB",
                hint=f"set `size: {least // MIB} MiB` or more, or leave `size` out for a minimal disk",
                where=spec.where,
            )
    sizes[Role.ROOT] = total - around
    return Layout(
        size=total,
        guid=identity(name, architecture, "disk"),
        partitions=place(sizes, name, architecture),
        boot=spec.boot,
        filesystem=spec.root,
        root_uuid=identity(name, architecture, "root file system"),
        hash_seed=identity(name, architecture, "hash seed"),
        esp_serial=identity(name, architecture, "esp file system").int >> 96,
        inodes=ext4_inodes(sizes[Role.ROOT], need),
    )


def place(sizes: dict[Role, int], name: str, architecture: str) -> tuple[Partition, ...]:
    """Lay partitions one behind the other from the first MiB."""
    placed: list[Partition] = []
    start = MIB
    for number, (role, size) in enumerate(sizes.items(), start=1):
        kind = ROOT_KINDS[architecture] if role is Role.ROOT else KINDS[role]
        guid = identity(name, architecture, f"{role} partition")
        placed.append(Partition(role, number, kind, guid, start, size))
        start += size
    return tuple(placed)
