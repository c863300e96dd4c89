"""The empty file system that a tree is put into, made by mke2fs: tables, journal, reserves, and their copies.

Nothing of the host is in it: UUID and hash seed come from the layout, all times from SOURCE_DATE_EPOCH, and features and
sizes are named here, not in mke2fs.conf (docs/adr/0012-deterministic-file-systems.md).
"""

from pathlib import Path

from goldsmith.disk.layout import GROWS_TO, INODE_SIZE, JOURNAL, RESERVED_PERCENT
from goldsmith.disk.tools import Tools
from goldsmith.effects.sandbox import Bind
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
    "resize_inode",
    "sparse_super",
)
"""What trixie's mke2fs.conf says but for ``orphan_file``, which the e2fsck of Ubuntu 22.04 and of RHEL 9 does not know: there
the machine itself, or the host where somebody looks at its disk, would refuse the root."""


def make_skeleton(layout: Layout, *, tools: Tools, epoch: int, output: Path) -> None:
    """Make the empty file system in the root partition of ``output``, an existing file of zeros of the disk's size.

    Raises:
        StepFailed: mke2fs failed.
    """
    tools.run(mke2fs_command(layout), binds=(Bind(output, "/run/disk", writable=True),), epoch=epoch)


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
        "/run/disk",
        f"{size // 1024}k",
    ]  # fmt: skip
