"""What a tree needs of a file system, counted by walking it once."""

import errno
import os
import stat
from pathlib import Path

from goldsmith.model.disk import BLOCK, TreeNeed

SPARSE_FROM = 64 << 20
"""Files from this size are read to see how much of them is not zero; all others count whole."""
FAST_LINK = 59
"""Symbolic links up to this length live in their inode."""
ENTRY_HEAD = 8
LARGEST_ENTRY = 264
CHECKSUM_ENTRY = 12
ZERO = bytes(BLOCK)


def blocks_of(size: int) -> int:
    """Blocks for ``size`` bytes."""
    return -(-size // BLOCK)


def directory_blocks(names: list[str]) -> int:
    """Blocks that entries of these names fill at most: entries do not cross blocks, so each may waste one entry's length."""
    used = sum(ENTRY_HEAD + (len(os.fsencode(name)) + 3 & ~3) for name in [*names, ".", ".."])
    return max(1, -(-used // (BLOCK - CHECKSUM_ENTRY - LARGEST_ENTRY)))


def solid_blocks(path: str) -> int:
    """Blocks of a file that are not all zeros, by reading it: what is a hole differs between file systems."""
    count = 0
    with open(path, "rb", buffering=0) as stream:
        end = stream.seek(0, os.SEEK_END)
        position = 0
        while position < end:
            try:
                data = os.lseek(stream.fileno(), position, os.SEEK_DATA) & -BLOCK
            except OSError:
                break
            position = max(position, data)
            chunk = os.pread(stream.fileno(), 256 * BLOCK, position)
            count += sum(
                chunk[at : at + BLOCK] != ZERO[: len(chunk) - at] for at in range(0, len(chunk), BLOCK)
            )
            position += len(chunk)
    return count


def attribute_blocks(path: str) -> int:
    """One block if a file has extended attributes: most fit into the inode, but not surely."""
    try:
        return 1 if os.listxattr(path, follow_symlinks=False) else 0
    except OSError as error:
        if error.errno == errno.ENOTSUP:
            return 0
        raise


def measure(tree: Path) -> TreeNeed:
    """Walk the tree and count; about 0.1 s for 12,500 files.

    Errors are ``OSError`` with the path.
    """
    seen: set[tuple[int, int]] = set()
    inodes, blocks = 1, 0
    pending = [str(tree)]
    while pending:
        directory = pending.pop()
        with os.scandir(directory) as entries:
            children = list(entries)
        blocks += directory_blocks([child.name for child in children])
        for child in children:
            facts = child.stat(follow_symlinks=False)
            if facts.st_nlink > 1 and not stat.S_ISDIR(facts.st_mode):
                identity = (facts.st_dev, facts.st_ino)
                if identity in seen:
                    continue
                seen.add(identity)
            inodes += 1
            if stat.S_ISDIR(facts.st_mode):
                pending.append(child.path)
            elif stat.S_ISREG(facts.st_mode):
                large = facts.st_size >= SPARSE_FROM
                blocks += solid_blocks(child.path) if large else blocks_of(facts.st_size)
            elif stat.S_ISLNK(facts.st_mode) and facts.st_size > FAST_LINK:
                blocks += 1
            blocks += attribute_blocks(child.path)
    return TreeNeed(inodes, blocks, boot_bytes(tree))


def boot_bytes(tree: Path) -> int:
    """Bytes of all kernels and initramfs in ``/boot``."""
    directory = tree / "boot"
    if not directory.is_dir():
        return 0
    kinds = ("vmlinuz", "initrd.img")
    with os.scandir(directory) as entries:
        return sum(
            entry.stat(follow_symlinks=False).st_size for entry in entries if entry.name.startswith(kinds)
        )
