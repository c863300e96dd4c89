"""Extended attributes: in what the inode has left over, else in a block of their own."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from goldsmith.disk.ext4.checksum import crc
from goldsmith.errors import StepFailed
from goldsmith.model.disk import BLOCK

MAGIC = 0xEA02_0000
ENTRY = struct.Struct("<BBHIII")
HEADER = struct.Struct("<IIIII12x")
IN_INODE = 256 - 128 - 32 - 4
"""Bytes for entries, values and the end mark, behind the magic number."""
PREFIXES = (
    ("system.posix_acl_access", 2),
    ("system.posix_acl_default", 3),
    ("user.", 1),
    ("trusted.", 4),
    ("security.", 6),
    ("system.", 7),
)
ACL_ENTRY = struct.Struct("<HHI")
ACL_NAMED = (0x02, 0x08)
"""Entries of an access list that name a user or a group; only these keep their id on the disk."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """One extended attribute as it lies on the disk."""

    index: int
    """Stands for the beginning of the name."""
    name: bytes
    """The rest of the name."""
    value: bytes

    @property
    def name_room(self) -> int:
        """Bytes that its name takes."""
        return len(self.name) + 3 & ~3

    @property
    def value_room(self) -> int:
        """Bytes that its value takes."""
        return len(self.value) + 3 & ~3

    @property
    def room(self) -> int:
        """Bytes that it takes in all."""
        return ENTRY.size + self.name_room + self.value_room


def attributes_of(path: str, xattrs: Sequence[tuple[str, str]]) -> list[Attribute]:
    """A path's attributes in the order of the disk.

    Raises:
        StepFailed: ext4 cannot hold one of them.
    """
    found = []
    for name, value in xattrs:
        data = bytes.fromhex(value)
        for prefix, index in PREFIXES:
            if name.startswith(prefix):
                rest = name.removeprefix(prefix).encode()
                found.append(Attribute(index, rest, disk_acl(data) if index in {2, 3} else data))
                break
        else:
            raise StepFailed(
                f"{path!r} has the attribute {name!r}, which ext4 cannot hold",
                hint="remove it in a component: setfattr -x NAME FILE",
            )
    return sorted(found, key=lambda a: (a.index, len(a.name), a.name))


def disk_acl(value: bytes) -> bytes:
    """An access control list as ext4 keeps it: without the ids that say nothing."""
    parts = [(1).to_bytes(4, "little")]
    for at in range(4, len(value), ACL_ENTRY.size):
        tag, _, _ = ACL_ENTRY.unpack_from(value, at)
        parts.append(value[at : at + (8 if tag in ACL_NAMED else 4)])
    return b"".join(parts)


def fit(attributes: Sequence[Attribute]) -> bool:
    """Whether attributes fit into an inode."""
    return sum(attribute.room for attribute in attributes) + 4 <= IN_INODE


def in_inode(attributes: Sequence[Attribute]) -> bytes:
    """What stands behind the fields of an inode."""
    if not attributes:
        return b""
    return MAGIC.to_bytes(4, "little") + _packed(attributes, IN_INODE, 0, hashed=False)


def attribute_block(path: str, attributes: Sequence[Attribute], place: int, seed: int) -> bytes:
    """The block of attributes that do not fit into the inode.

    Args:
        path: for the message.
        attributes: in the order of the disk.
        place: the block's number.
        seed: from where the file system's checksums start.

    Raises:
        StepFailed: they do not fit into a block either.
    """
    if sum(attribute.room for attribute in attributes) + 4 > BLOCK - HEADER.size:
        raise StepFailed(
            f"the extended attributes of {path!r} are larger than the {BLOCK} bytes that ext4 has for them",
            hint="remove some in a component: setfattr -x NAME FILE",
        )
    total = 0
    for attribute in attributes:
        total = (total << 16 & 0xFFFF_FFFF) ^ total >> 16 ^ entry_hash(attribute)
    body = _packed(attributes, BLOCK - HEADER.size, HEADER.size, hashed=True)
    blank = HEADER.pack(MAGIC, 1, 1, total, 0)
    checksum = crc(crc(seed, place.to_bytes(8, "little")), blank + body)
    return HEADER.pack(MAGIC, 1, 1, total, checksum) + body


def _packed(attributes: Sequence[Attribute], room: int, offset: int, *, hashed: bool) -> bytes:
    """Entries from the front, values from the back; places of values count from ``offset`` before the first entry."""
    heads, values, end = [], [], room
    for attribute in attributes:
        end -= attribute.value_room
        hash_ = entry_hash(attribute) if hashed else 0
        place = offset + end if attribute.value else 0
        heads.append(
            ENTRY.pack(len(attribute.name), attribute.index, place, 0, len(attribute.value), hash_)
            + attribute.name.ljust(attribute.name_room, b"\0")
        )
        values.append(attribute.value.ljust(attribute.value_room, b"\0"))
    front, back = b"".join(heads), b"".join(reversed(values))
    return front + bytes(room - len(front) - len(back)) + back


def entry_hash(attribute: Attribute) -> int:
    """What the kernel compares blocks of attributes by."""
    result = 0
    for byte in attribute.name:
        result = (result << 5 & 0xFFFF_FFFF) ^ result >> 27 ^ byte
    padded = attribute.value.ljust(attribute.value_room, b"\0")
    for at in range(0, len(padded), 4):
        word = int.from_bytes(padded[at : at + 4], "little")
        result = (result << 16 & 0xFFFF_FFFF) ^ result >> 16 ^ word
    return result
