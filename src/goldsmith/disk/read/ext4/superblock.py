"""The superblock, and where each group keeps its inodes."""

import struct
from dataclasses import dataclass
from uuid import UUID

from goldsmith.disk.read.area import Area, malformed, refused

OFFSET = 1024
MAGIC = 0xEF53
SPARSE_SUPER2 = 0x200
META_BG, BIT64 = 0x10, 0x80
SPARSE_SUPER, BIGALLOC = 0x1, 0x200
KNOWN_INCOMPAT = 0x3E7D2
"""FILETYPE META_BG EXTENTS 64BIT MMP FLEX_BG EA_INODE CSUM_SEED LARGEDIR INLINE_DATA ENCRYPT CASEFOLD."""
REFUSED = {
    0x1: ("compressed files", "goldsmith cannot read them"),
    0x4: (
        "changes in its journal that were not yet written to their places",
        "the machine was not shut down: start and shut it down, or let e2fsck replay the journal",
    ),
    0x8: ("a journal only", "name the disk that the journal belongs to"),
    0x1000: ("data in directories", "goldsmith cannot read them"),
}
CLUSTERS = "block clusters (bigalloc)"
LARGEST_BLOCK = 65536
FEWEST_BLOCKS = 8


@dataclass(frozen=True, slots=True)
class Superblock:
    """What a file system says of itself."""

    block: int
    """Bytes of a block."""
    blocks: int
    """How many blocks it has."""
    inodes: int
    first_block: int
    """The block that the first group begins with."""
    group_blocks: int
    group_inodes: int
    inode_size: int
    slot: int
    """Bytes of a group's descriptor."""
    compat: int
    incompat: int
    ro_compat: int
    first_meta_group: int
    uuid: str
    label: str

    @property
    def groups(self) -> int:
        """How many groups it has."""
        return -(-(self.blocks - self.first_block) // self.group_blocks)


def read_superblock(area: Area) -> Superblock:
    """The superblock of a file system.

    Raises:
        InputError: it is damaged, or the file system has a feature that cannot be read.
    """
    data = area.read(OFFSET, 1024)
    inodes, blocks = struct.unpack_from("<II", data)
    first_block, log_block, log_cluster, group_blocks, _, group_inodes = struct.unpack_from("<6I", data, 0x14)
    magic, revision = struct.unpack_from("<H", data, 0x38)[0], struct.unpack_from("<I", data, 0x4C)[0]
    compat, incompat, ro_compat = struct.unpack_from("<III", data, 0x5C) if revision else (0, 0, 0)
    inode_size = struct.unpack_from("<H", data, 0x58)[0] if revision else 128
    if magic != MAGIC:
        raise malformed("it has no ext4 superblock")
    _check_features(incompat, ro_compat)
    slot = 32
    if incompat & BIT64:
        slot = struct.unpack_from("<H", data, 0xFE)[0]
        blocks |= struct.unpack_from("<I", data, 0x150)[0] << 32
    found = Superblock(
        block=1024 << log_block if log_block <= 6 else 0,  # noqa: PLR2004 - 64 KiB is the format's largest
        blocks=blocks,
        inodes=inodes,
        first_block=first_block,
        group_blocks=group_blocks,
        group_inodes=group_inodes,
        inode_size=inode_size,
        slot=slot,
        compat=compat,
        incompat=incompat,
        ro_compat=ro_compat,
        first_meta_group=struct.unpack_from("<I", data, 0x104)[0],
        uuid=str(UUID(bytes=data[0x68:0x78])),
        label=data[0x78:0x88].partition(b"\0")[0].decode(errors="replace"),
    )
    _check(found, area)
    if log_cluster != log_block and revision and ro_compat & BIGALLOC:
        raise _cannot(CLUSTERS, "goldsmith cannot read them")
    return found


def _cannot(what: str, hint: str) -> Exception:
    return refused(f"the ext4 file system has {what}", hint)


def _check_features(incompat: int, ro_compat: int) -> None:
    for flag, (what, hint) in REFUSED.items():
        if incompat & flag:
            raise _cannot(what, hint)
    if ro_compat & BIGALLOC:
        raise _cannot(CLUSTERS, "goldsmith cannot read them")
    if incompat & ~KNOWN_INCOMPAT:
        raise _cannot(
            f"features that are not known here (0x{incompat & ~KNOWN_INCOMPAT:x})", "make it without them"
        )


def _check(found: Superblock, area: Area) -> None:
    """Refuse numbers that do not fit together, before anything is computed from them."""
    sound = (
        found.block
        and 0 <= found.first_block <= 1
        and found.first_block < found.blocks
        and FEWEST_BLOCKS <= found.group_blocks <= found.block * 8
        and 0 < found.group_inodes <= found.block * 8
        and found.inode_size in {1 << n for n in range(7, 17)}
        and found.inode_size <= found.block
        and found.slot in {1 << n for n in range(5, 11)}
        and found.inodes == found.groups * found.group_inodes
    )
    if not sound:
        raise malformed("the numbers in the ext4 superblock do not fit together")
    if found.blocks * found.block > area.size:
        raise malformed(
            f"the ext4 file system has {found.blocks} blocks of {found.block} bytes,"
            f" and its partition only {area.size} bytes"
        )


def descriptor_place(found: Superblock, group: int) -> int:
    """The byte of the file system where a group's descriptor begins."""
    per_block = found.block // found.slot
    index, within = divmod(group, per_block)
    if not found.incompat & META_BG or index < found.first_meta_group:
        return (found.first_block + 1 + index) * found.block + within * found.slot
    leader = index * per_block
    start = found.first_block + leader * found.group_blocks
    return (start + has_copy(found, leader)) * found.block + within * found.slot


def has_copy(found: Superblock, group: int) -> bool:
    """Whether a group begins with a copy of the superblock."""
    if group == 0:
        return True
    if found.compat & SPARSE_SUPER2:
        return False  # its two copies lie in groups that begin no meta group but by chance
    if not found.ro_compat & SPARSE_SUPER or group == 1:
        return True
    return any(_is_power(group, base) for base in (3, 5, 7))


def _is_power(number: int, base: int) -> bool:
    while number > 1 and number % base == 0:
        number //= base
    return number == 1
