"""A disk's two digests: of its content, however sparse the file is, and of its plain bytes.

``disk_digest`` is the disk's identity. It is the SHA-256 of this text of bytes, integers little-endian in 8 bytes:

- ``goldsmith disk 1`` and a line feed, the disk's size in bytes;
- for each segment of 1 MiB that is not all zeros, in order: the segment's number from 0, and the SHA-256 of
  its map (one bit for each of its 256 blocks of 4096 bytes, least significant first, set if the block is not all
  zeros: 32 bytes) followed by its blocks that are not all zeros. A disk's last block is filled up with zeros.

So zeros cost nothing, segments can be hashed on all cores, and a hole and written zeros are the same.

``sha256_sparse`` is the SHA-256 of all bytes as ``sha256sum`` prints it.
"""

import hashlib
import os
from pathlib import Path

from goldsmith.effects.parallel import in_order
from goldsmith.effects.sparse import chunks, extents
from goldsmith.model.disk import BLOCK

SEGMENT = 1 << 20
SHA256_UP_TO = 16 << 30
"""Disks up to this size are given the SHA-256 of their plain bytes; above, hashing the zeros would take minutes."""
MAGIC = b"goldsmith disk 1\n"
ZERO = bytes(BLOCK)
ZEROS = bytes(SEGMENT)


def number(value: int) -> bytes:
    """An integer as it is hashed."""
    return value.to_bytes(8, "little")


def segment_digest(data: bytes) -> bytes | None:
    """The SHA-256 of a segment's map and blocks; None for zeros only."""
    if len(data) % BLOCK:
        data = data.ljust(-(-len(data) // BLOCK) * BLOCK, b"\0")
    present = 0
    blocks = [data[at : at + BLOCK] for at in range(0, len(data), BLOCK)]
    for index, block in enumerate(blocks):
        if block != ZERO:
            present |= 1 << index
    if not present:
        return None
    state = hashlib.sha256(present.to_bytes(SEGMENT // BLOCK // 8, "little"))
    full = (1 << len(blocks)) - 1
    kept = data if present == full else b"".join(block for block in blocks if block != ZERO)
    state.update(kept)
    return state.digest()


def disk_digest(raw: Path, *, jobs: int = 2) -> str:
    """``sha256:`` and the identity of a raw disk; the same for every ``jobs`` and however sparse the file is."""
    with raw.open("rb") as stream:
        descriptor = stream.fileno()
        state = hashlib.sha256(MAGIC + number(os.fstat(descriptor).st_size))

        def work(chunk: tuple[int, int]) -> tuple[int, bytes | None]:
            start, end = chunk
            return start // SEGMENT, segment_digest(os.pread(descriptor, end - start, start))

        for index, digest in in_order(work, chunks(descriptor, unit=SEGMENT), jobs=jobs):
            if digest is not None:
                state.update(number(index) + digest)
    return f"sha256:{state.hexdigest()}"


def sha256_sparse(raw: Path) -> str:
    """The SHA-256 of a file's bytes in hexadecimal; holes are hashed without being read."""
    state = hashlib.sha256()
    with raw.open("rb") as stream:
        descriptor = stream.fileno()
        position = 0
        room = memoryview(bytearray(SEGMENT))
        for start, end in extents(descriptor, unit=BLOCK):
            add_zeros(state, start - position)
            for at in range(start, end, SEGMENT):
                state.update(room[: os.preadv(descriptor, [room[: end - at]], at)])
            position = end
        add_zeros(state, os.fstat(descriptor).st_size - position)
    return state.hexdigest()


def add_zeros(state: "hashlib._Hash", count: int) -> None:
    """Hash a run of zeros."""
    for _ in range(count // SEGMENT):
        state.update(ZEROS)
    state.update(ZEROS[: count % SEGMENT])
