"""Make a disk from a tree: partition table, boot loader, file system; no loop device, no chance."""

import os
from collections.abc import Callable
from pathlib import Path

from goldsmith.disk.boot_parts import BootParts
from goldsmith.disk.erofs import make_erofs
from goldsmith.disk.ext4.make import make_ext4
from goldsmith.disk.gpt import tables
from goldsmith.disk.source import Piece, Source
from goldsmith.disk.tools import Tools
from goldsmith.effects.files import write_all
from goldsmith.effects.sparse import copy_sparse
from goldsmith.model.disk import Layout, Role

FILESYSTEMS: dict[str, Callable[..., list[Piece] | None]] = {"ext4": make_ext4, "erofs": make_erofs}
"""Who writes a root, by its file system."""


def make_disk(
    source: Source, layout: Layout, *, tools: Tools, epoch: int, output: Path, parts: BootParts
) -> list[Piece] | None:
    """Write a bootable raw disk; equal arguments and equal trees give equal bytes.

    Args:
        source: the finished tree with its boot files; ``namespace.enter()`` has been called.
        layout: where everything goes; from ``plan_layout``.
        tools: the tools tree.
        epoch: SOURCE_DATE_EPOCH; no time on the disk is later.
        output: the file to write, sparse; an existing one is replaced. It is not durable yet when this returns.
        parts: what starts the disk; from ``make_boot_parts``.

    Returns:
        Where the tree's files lie, in the order of the disk; None if the file system's tool does not say.

    Raises:
        IntegrityError: a file is not as long as the tree says.
        StepFailed: a tool failed.
    """
    make_empty(output, layout.size)
    pieces = FILESYSTEMS[layout.filesystem](source, layout, tools=tools, epoch=epoch, output=output)
    write_boot_parts(output, layout, parts)
    write_tables(output, layout, parts.code)
    return pieces


def make_empty(output: Path, size: int) -> None:
    """A file of zeros that takes no space."""
    output.unlink(missing_ok=True)
    with output.open("wb") as stream:
        stream.truncate(size)


def write_boot_parts(output: Path, layout: Layout, parts: BootParts) -> None:
    """Put ESP and BIOS core into their partitions."""
    with output.open("r+b") as stream:
        bios, esp = layout.find(Role.BIOS), layout.find(Role.ESP)
        if bios:
            write_at(stream.fileno(), bios.start, parts.core)
        if esp and parts.esp:
            copy_sparse(parts.esp, stream.fileno(), esp.start)


def write_tables(output: Path, layout: Layout, code: bytes) -> None:
    """Put the partition table in front and its copy behind."""
    first, last = tables(layout, code)
    with output.open("r+b") as stream:
        write_at(stream.fileno(), 0, first)
        write_at(stream.fileno(), layout.size - len(last), last)


def write_at(descriptor: int, offset: int, data: bytes) -> None:
    """Write at a place."""
    os.lseek(descriptor, offset, os.SEEK_SET)
    write_all(descriptor, data)
