"""A read-only erofs root: contents uncompressed and on whole blocks, so that each is found in the tree's files."""

import os
from pathlib import Path

from goldsmith.disk.tools import Tools
from goldsmith.effects.sandbox import Bind
from goldsmith.errors import StepFailed
from goldsmith.model.disk import MIB, Layout


def make_erofs(tree: Path, layout: Layout, *, tools: Tools, epoch: int, output: Path) -> None:
    """Write the tree as erofs into the root partition of ``output``, an existing file of zeros of the disk's size.

    Times of files are kept (byte-compiled Python depends on them), so those after the epoch must have been clamped
    in the tree; only ext4's tool clamps by itself.

    Raises:
        StepFailed: the tool failed, or the file system is larger than its partition.
    """
    tools.run(
        [
            "mkfs.erofs", "--quiet",
            "-b", "4096",
            "-U", str(layout.root_uuid),
            "-T", str(epoch), "--mkfs-time", "--preserve-mtime",
            "-E", "noinline_data,force-inode-extended",
            "--workers=1",
            f"--offset={layout.root.start}",
            "/run/disk",
            "/run/tree",
        ],
        binds=(Bind(tree, "/run/tree"), Bind(output, "/run/disk", writable=True)),
        epoch=epoch,
    )  # fmt: skip
    size = os.stat(output).st_size
    if size > layout.size:
        raise StepFailed(
            f"the erofs root needs {(size - layout.root.start) / MIB:.0f} MiB, "
            f"its partition has {layout.root.size / MIB:.0f} MiB",
            hint="report this as a bug of goldsmith: the need was counted wrongly",
        )
    # mkfs.erofs cuts a file off behind its last block.
    os.truncate(output, layout.size)
