"""Extended attributes: in the inode, in a block of their own, and large values in inodes of their own."""

import struct
from collections.abc import Callable, Iterator

from goldsmith.disk.read.area import malformed
from goldsmith.disk.read.ext4.inodes import Inode

MAGIC = 0xEA02_0000
ENTRY = struct.Struct("<BBHIII")
BLOCK_HEAD = 32
PREFIXES = {
    1: "user.",
    2: "system.posix_acl_access",
    3: "system.posix_acl_default",
    4: "trusted.",
    6: "security.",
    7: "system.",
}
KEPT = ("user.", "security.", "system.posix_acl_")
"""The attributes that belong to a tree; ``trusted.`` ones are notes of the host that wrote them."""
LARGEST = 64 << 10
UNDEFINED = 0xFFFF_FFFF
USER, GROUP = 2, 8

Large = Callable[[int, int], bytes]
"""The first bytes of an inode, by its number and their count."""


def inline_rest(inode: Inode) -> bytes:
    """What of an inode's own bytes does not fit among its fields."""
    for name, value in _in_inode(inode, _no_large):
        if name == "system.data":
            return value
    return b""


def attributes(inode: Inode, block: Callable[[int], bytes], large: Large) -> tuple[tuple[str, str], ...]:
    """The extended attributes of an inode that belong to its tree, by name, values in hexadecimal.

    Raises:
        InputError: they are damaged.
    """
    found = dict(_in_inode(inode, large))
    if inode.acl:
        data = block(inode.acl)
        if int.from_bytes(data[:4], "little") != MAGIC:
            raise malformed(f"the attributes of inode {inode.number} are damaged")
        found.update(_entries(inode.number, data, BLOCK_HEAD, 0, large))
    kept = {name: value for name, value in found.items() if name.startswith(KEPT)}
    return tuple(
        (name, (_acl(value) if name.startswith("system.posix_acl_") else value).hex())
        for name, value in sorted(kept.items())
    )


def _no_large(_number: int, _size: int) -> bytes:
    raise malformed("the rest of an inode's own bytes does not lie in it")


def _in_inode(inode: Inode, large: Large) -> Iterator[tuple[str, bytes]]:
    if int.from_bytes(inode.extra[:4], "little") == MAGIC:
        yield from _entries(inode.number, inode.extra, 4, 4, large)


def _entries(number: int, data: bytes, at: int, base: int, large: Large) -> Iterator[tuple[str, bytes]]:
    """Names and values of a list that begins at ``at``; values lie ``base`` and their offset into ``data``."""
    while at + 4 <= len(data) and data[at : at + 4] != bytes(4):
        if at + ENTRY.size > len(data):
            raise malformed(f"the attributes of inode {number} are cut off")
        length, index, offset, value_inode, size, _ = ENTRY.unpack_from(data, at)
        name = data[at + ENTRY.size : at + ENTRY.size + length]
        if size > LARGEST or len(name) < length:
            raise malformed(f"an attribute of inode {number} has {size} bytes")
        here = data[base + offset : base + offset + size]
        value = large(value_inode, size) if value_inode else here
        if len(value) != size:
            raise malformed(f"an attribute of inode {number} is cut off")
        if b"\0" in name:
            raise malformed(f"an attribute of inode {number} has no name")
        yield PREFIXES.get(index, f"unknown.{index}.") + name.decode(errors="surrogateescape"), value
        at += ENTRY.size + (length + 3) // 4 * 4


def _acl(value: bytes) -> bytes:
    """An access list as system calls have it, from the shorter form on the disk (kernel: fs/ext4/acl.c)."""
    result = struct.pack("<I", 2)
    at = 4
    while at < len(value):
        if at + 4 > len(value):
            raise malformed("an access list is cut off")
        tag, rights = struct.unpack_from("<HH", value, at)
        at += 4
        who = UNDEFINED
        if tag in {USER, GROUP}:
            if at + 4 > len(value):
                raise malformed("an access list is cut off")
            who = struct.unpack_from("<I", value, at)[0]
            at += 4
        result += struct.pack("<HHI", tag, rights, who)
    return result
