"""GRUB for a start by BIOS, put in place by hand: ``grub-install`` wants a block device, an image file is none.

GRUB's own layout: ``boot.img`` is the first sector's code and knows where the core begins; the core's first sector
knows where the rest of it lies. Both places are patched here (``GRUB_BOOT_MACHINE_*`` in GRUB's
``include/grub/i386/pc/boot.h``; ``struct grub_pc_bios_boot_blocklist`` in ``include/grub/offsets.h``).
"""

import struct
from pathlib import Path

from goldsmith.disk.bootloader import bios_prefix
from goldsmith.disk.gpt import CODE_SIZE
from goldsmith.disk.tools import Tools
from goldsmith.effects.sandbox import Bind
from goldsmith.errors import StepFailed
from goldsmith.model.disk import SECTOR, Layout, Partition, Role

PLATFORM = "/usr/lib/grub/i386-pc"
MODULES = (
    "all_video",
    "biosdisk",
    "cat",
    "configfile",
    "echo",
    "ext2",
    "fat",
    "gzio",
    "halt",
    "linux",
    "ls",
    "minicmd",
    "normal",
    "part_gpt",
    "reboot",
    "regexp",
    "search",
    "search_fs_file",
    "search_fs_uuid",
    "serial",
    "sleep",
    "terminal",
    "test",
    "true",
)
"""All that grub.cfg uses; the image holds no modules, so what is not in the core is not there."""

KERNEL_SECTOR = 0x5C
"""In boot.img: where the core begins, 8 bytes."""
DRIVE_CHECK = 0x66
"""In boot.img: a jump over the code that mends a wrong drive number from a bad BIOS; for a hard disk it must go."""
NO_JUMP = b"\x90\x90"
BLOCKLIST = SECTOR - 12
"""In the core's first sector: first sector of the rest (8 bytes), its length in sectors (2), segment to load it to (2)."""
LOAD_SEGMENT = 0x0820


def make_core(layout: Layout, *, tools: Tools, epoch: int, directory: Path) -> tuple[bytes, bytes] | None:
    """Make the first sector's code and the core image, both patched for their places; nothing without BIOS boot.

    Args:
        layout: says where the core goes.
        tools: has GRUB for i386-pc.
        epoch: the time that the tools believe it is.
        directory: where the tool writes.

    Raises:
        StepFailed: the tool failed, or the core is larger than its partition.
    """
    partition = layout.find(Role.BIOS)
    if partition is None:
        return None
    output = directory / "core.img"
    output.write_bytes(b"")
    tools.run(
        [
            "grub-mkimage",
            "--format=i386-pc",
            f"--directory={PLATFORM}",
            f"--prefix={bios_prefix(layout)}",
            "--output=/run/core.img",
            *MODULES,
        ],
        binds=(Bind(output, "/run/core.img", writable=True),),
        epoch=epoch,
    )
    return patch_boot(tools.read(f"{PLATFORM}/boot.img"), partition), patch_core(
        output.read_bytes(), partition
    )


def patch_boot(boot: bytes, partition: Partition) -> bytes:
    """The first sector's code, which knows where the core begins."""
    patched = bytearray(boot[:CODE_SIZE])
    struct.pack_into("<Q", patched, KERNEL_SECTOR, partition.start // SECTOR)
    patched[DRIVE_CHECK : DRIVE_CHECK + len(NO_JUMP)] = NO_JUMP
    return bytes(patched)


def patch_core(core: bytes, partition: Partition) -> bytes:
    """The core, whose first sector knows where the rest lies: right behind it."""
    if len(core) > partition.size:
        raise StepFailed(
            f"GRUB's core image has {len(core)} bytes, its partition {partition.size}",
            hint="report this as a bug of goldsmith: the core has too many modules",
        )
    padded = bytearray(core.ljust(-(-len(core) // SECTOR) * SECTOR, b"\0"))
    rest = len(padded) // SECTOR - 1
    struct.pack_into("<QHH", padded, BLOCKLIST, partition.start // SECTOR + 1, rest, LOAD_SEGMENT)
    return bytes(padded)
