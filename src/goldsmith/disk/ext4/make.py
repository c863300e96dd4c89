"""Make an ext4 root: an empty file system by mke2fs, then the tree."""

import os
from pathlib import Path

from goldsmith.disk.ext4.skeleton import make_skeleton
from goldsmith.disk.ext4.write import Volume, fill
from goldsmith.disk.need import solid_runs
from goldsmith.disk.source import Piece, Source
from goldsmith.disk.tools import Tools
from goldsmith.model.disk import Layout


def make_ext4(source: Source, layout: Layout, *, tools: Tools, epoch: int, output: Path) -> list[Piece]:
    """Write a tree as ext4 into the root partition of ``output``, an existing file of zeros of the disk's size.

    Returns:
        Where its files lie, in the order of the disk.

    Raises:
        IntegrityError: a file is not as long as the tree says.
        StepFailed: a tool failed, the partition is too small, or ext4 cannot hold something of the tree.
    """
    make_skeleton(layout, tools=tools, epoch=epoch, output=output)
    descriptor = os.open(output, os.O_RDWR | os.O_CLOEXEC)
    try:
        volume = Volume(descriptor, layout.root.start)
        return fill(
            volume,
            source.entries,
            source.open_file,
            lambda entry: solid_runs(entry, source.open_file),
            epoch=epoch,
        )
    finally:
        os.close(descriptor)
