"""Blocks of a directory: entries in the order of their names, each block with its checksum."""

import struct
from collections.abc import Sequence

from goldsmith.disk.ext4.checksum import crc
from goldsmith.model.disk import BLOCK

HEAD = struct.Struct("<IHBB")
TAIL = 12
ROOM = BLOCK - TAIL
KINDS = {"file": 1, "dir": 2, "char": 3, "block": 4, "fifo": 5, "socket": 6, "symlink": 7}
CHECKSUM_KIND = 0xDE

Entry = tuple[bytes, int, int]
"""Name, inode, kind."""


def length_of(name: bytes) -> int:
    """Bytes that an entry takes at least."""
    return HEAD.size + (len(name) + 3 & ~3)


def split(names: Sequence[bytes]) -> list[int]:
    """How many of the names go into each block; ``.`` and ``..`` are the first two."""
    counts, used = [0], 0
    for name in names:
        length = length_of(name)
        if used + length > ROOM:
            counts.append(0)
            used = 0
        counts[-1] += 1
        used += length
    return counts


def directory_blocks(entries: Sequence[Entry], seed: int) -> list[bytes]:
    """The blocks of a directory.

    Args:
        entries: in their order, ``.`` and ``..`` first.
        seed: from where this directory's checksums start.
    """
    blocks, at = [], 0
    for count in split([name for name, _, _ in entries]):
        part = entries[at : at + count]
        at += count
        rows = []
        left = ROOM
        for index, (name, inode, kind) in enumerate(part):
            length = left if index == count - 1 else length_of(name)
            rows.append(HEAD.pack(inode, length, len(name), kind) + name.ljust(length - HEAD.size, b"\0"))
            left -= length
        body = b"".join(rows)
        tail = HEAD.pack(0, TAIL, 0, CHECKSUM_KIND) + crc(seed, body).to_bytes(4, "little")
        blocks.append(body + tail)
    return blocks
