"""A read-only erofs root: contents uncompressed and on whole blocks, so that each is found in the tree's files."""

from pathlib import Path

from goldsmith.disk.source import Source
from goldsmith.disk.tools import Tools
from goldsmith.effects.sandbox import Bind
from goldsmith.effects.sparse import copy_sparse
from goldsmith.errors import StepFailed
from goldsmith.model.disk import BLOCK, MIB, Layout


def make_erofs(source: Source, layout: Layout, *, tools: Tools, epoch: int, output: Path) -> None:
    """Write the tree as erofs into the root partition of ``output``, an existing file of zeros of the disk's size.

    Times of files are kept (byte-compiled Python depends on them), so those after the epoch must have been clamped
    in the tree; only ext4's tool clamps by itself.

    Raises:
        StepFailed: the tool failed, or the file system is larger than its partition.
    """
    image = output.with_name(f"{output.name}.erofs")
    image.write_bytes(b"")
    try:
        with source.mounted() as tree:
            tools.run(
                mkfs_command(layout, epoch),
                binds=(Bind(tree, "/run/tree"), Bind(image, "/run/image", writable=True)),
                epoch=epoch,
            )
        size = image.stat().st_size
        if size > layout.root.size:
            raise StepFailed(
                f"the erofs root needs {size / MIB:.1f} MiB, its partition has {layout.root.size // MIB} MiB",
                hint="report this as a bug of goldsmith: the need was counted wrongly",
            )
        with output.open("r+b") as stream:
            copy_sparse(image, stream.fileno(), layout.root.start)
    finally:
        image.unlink()


def mkfs_command(layout: Layout, epoch: int) -> list[str]:
    """The one call that makes the file system.

    Into a file of its own: with ``--offset``, mkfs.erofs 1.8.6 writes directories that neither the kernel nor
    fsck.erofs can read.
    """
    return [
        "mkfs.erofs", "--quiet",
        "-b", str(BLOCK),
        "-U", str(layout.root_uuid),
        "-T", str(epoch), "--mkfs-time", "--preserve-mtime",
        "-E", "noinline_data,force-inode-extended",
        "--workers=1",
        "/run/image",
        "/run/tree",
    ]  # fmt: skip
