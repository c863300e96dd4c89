"""An ext4 root, written by mke2fs straight into the disk, equal bytes for equal trees.

What would leak from the host, and who stops it (docs/adr/0012-deterministic-file-systems.md):

- UUID and hash seed: from the layout.
- the time now, and ctimes and mtimes after the epoch: mke2fs clamps them to SOURCE_DATE_EPOCH.
- atimes before the epoch: nobody; debugfs sets them all afterwards.
- the order of directories: mke2fs sorts names.
- mke2fs.conf: features and sizes are all named here.
"""

import os
import struct
from pathlib import Path

from goldsmith.disk.layout import GROWS_TO, INODE_SIZE, JOURNAL, RESERVED_PERCENT
from goldsmith.disk.tools import Tools
from goldsmith.effects.sandbox import Bind
from goldsmith.errors import StepFailed
from goldsmith.model.disk import BLOCK, MIB, Layout

FEATURES = (
    "none",
    "64bit",
    "dir_index",
    "dir_nlink",
    "ext_attr",
    "extent",
    "extra_isize",
    "filetype",
    "flex_bg",
    "has_journal",
    "huge_file",
    "large_file",
    "metadata_csum",
    "metadata_csum_seed",
    "orphan_file",
    "resize_inode",
    "sparse_super",
)
"""What trixie's mke2fs.conf says; Linux 5.15 and e2fsprogs 1.47.0 (bookworm) know all of it."""
SUPERBLOCK = 1024
ROOT_INODE = 2
FIRST_INODE = 11


def make_ext4(tree: Path, layout: Layout, *, tools: Tools, epoch: int, output: Path) -> None:
    """Write the tree as ext4 into the root partition of ``output``, an existing file of zeros of the disk's size.

    Raises:
        StepFailed: a tool failed; most likely the partition is too small for the tree.
    """
    binds = (Bind(tree, "/run/tree"), Bind(output, "/run/disk", writable=True))
    tools.run(mke2fs_command(layout), binds=binds, epoch=epoch)
    commands = output.with_name(f"{output.name}.debugfs")
    commands.write_text(access_time_commands(used_inodes(output, layout.root.start), epoch))
    try:
        tools.run(
            ["debugfs", "-w", "-f", "/run/commands", f"/run/disk?offset={layout.root.start}"],
            binds=(Bind(commands, "/run/commands"), binds[1]),
            epoch=epoch,
        )
    finally:
        commands.unlink()


def mke2fs_command(layout: Layout) -> list[str]:
    """The one call that makes the file system; all ``-E`` words are in one option, since only the last one counts."""
    size = layout.root.size
    extended = [
        f"offset={layout.root.start}",
        f"hash_seed={layout.hash_seed}",
        # Done now, or the kernel of every new machine does it in the background after the first boot.
        "lazy_itable_init=0",
        "lazy_journal_init=0",
        "nodiscard",
        "root_owner=0:0",
        *([f"resize={GROWS_TO // BLOCK}"] if size < GROWS_TO else []),
    ]
    return [
        "mke2fs", "-q", "-F",
        "-t", "ext4",
        # Without a usage type, a file system below 512 MiB gets blocks of 1 KiB.
        "-T", "default",
        "-b", str(BLOCK),
        "-I", str(INODE_SIZE),
        "-N", str(layout.inodes),
        "-m", str(RESERVED_PERCENT),
        "-e", "remount-ro",
        "-L", "root",
        "-O", ",".join(FEATURES),
        "-J", f"size={JOURNAL // MIB}",
        "-U", str(layout.root_uuid),
        "-E", ",".join(extended),
        "-d", "/run/tree",
        "/run/disk",
        f"{size // 1024}k",
    ]  # fmt: skip


def used_inodes(disk: Path, start: int) -> int:
    """How many inodes of a fresh file system are used; they are the first ones, without gaps."""
    with disk.open("rb") as stream:
        superblock = os.pread(stream.fileno(), 32, start + SUPERBLOCK)
    (inodes,) = struct.unpack_from("<I", superblock, 0)
    (free,) = struct.unpack_from("<I", superblock, 16)
    used: int = inodes - free
    if used <= FIRST_INODE:
        raise StepFailed("mke2fs left no file system in the disk", hint="report this as a bug of goldsmith")
    return used


def access_time_commands(used: int, epoch: int) -> str:
    """Commands for debugfs that set the access time of every inode that a person can see."""
    numbers = [ROOT_INODE, *range(FIRST_INODE, used + 1)]
    return "".join(f"sif <{number}> atime @{epoch}\nsif <{number}> atime_extra 0\n" for number in numbers)
