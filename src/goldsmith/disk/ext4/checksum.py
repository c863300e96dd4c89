"""CRC-32C as ext4 uses it: chained without the inversions at either end ("Checksums" in the kernel's ext4 pages)."""

from google_crc32c import extend

ONES = 0xFFFF_FFFF


def crc(seed: int, data: bytes) -> int:
    """The checksum of ``data`` that goes on from ``seed``."""
    value: int = extend(seed ^ ONES, data)
    return value ^ ONES


def inode_seed(seed: int, inode: int) -> int:
    """From where checksums of one inode and its blocks start; the generation of every inode is 0."""
    return crc(seed, inode.to_bytes(4, "little") + bytes(4))
