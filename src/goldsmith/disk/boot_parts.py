"""What starts a disk, made apart from it: for an ext4 root it depends on layout and tools only, so it can be kept."""

from dataclasses import dataclass
from pathlib import Path

from goldsmith.disk.bios import make_core
from goldsmith.disk.bootloader import ESP_INITRD, ESP_KERNEL
from goldsmith.disk.esp import make_esp
from goldsmith.disk.source import Source
from goldsmith.disk.tools import Tools
from goldsmith.effects.root import Root
from goldsmith.errors import StepFailed
from goldsmith.model.disk import Layout

LINKS = {
    ESP_KERNEL: ("/vmlinuz", "/boot/vmlinuz"),
    ESP_INITRD: ("/initrd.img", "/boot/initrd.img"),
}
"""Files of an erofs disk's ESP, and the links in a tree that lead to them: Debian's, then Ubuntu's."""


@dataclass(frozen=True, slots=True)
class BootParts:
    """The parts that start a disk."""

    code: bytes
    """What a BIOS runs from the first sector, at most 440 bytes; empty without BIOS boot."""
    core: bytes
    """GRUB's core image for the BIOS boot partition; empty without one."""
    esp: Path | None
    """The ESP's image, a sparse file; None without an ESP."""


def make_boot_parts(
    layout: Layout, *, append: str, tools: Tools, epoch: int, directory: Path, source: Source
) -> BootParts:
    """Make the parts in an existing ``directory``.

    For ext4 they depend on ``tools``, ``epoch`` and the layout's places and identities only, neither on the root's size
    nor on ``append`` or ``source``, so one set serves all versions of an image.

    Args:
        layout: where the parts go.
        append: words for the kernel's command line, as the recipe has them.
        tools: the tools tree.
        epoch: SOURCE_DATE_EPOCH.
        directory: where the parts are written.
        source: the finished tree; an erofs disk's kernel and initramfs are taken from it.

    Raises:
        StepFailed: a tool failed, or the tree of an erofs disk has no kernel.
    """
    kernels = {}
    if layout.filesystem == "erofs":
        with source.mounted() as tree:
            kernels = take_kernels(tree, directory)
    core = make_core(layout, tools=tools, epoch=epoch, directory=directory)
    esp = make_esp(layout, append=append, tools=tools, epoch=epoch, directory=directory, kernels=kernels)
    return BootParts(*(core or (b"", b"")), esp)


def take_kernels(tree: Path, directory: Path) -> dict[str, Path]:
    """Copy the newest kernel and its initramfs out of a tree, following links as the tree itself sees them."""
    taken = {}
    with Root(tree) as root:
        for target, links in LINKS.items():
            link = next((link for link in links if root.is_file(link)), None)
            if link is None:
                raise StepFailed(
                    f"the tree has no {links[0]!r}, so there is nothing to boot",
                    hint="add a kernel and initramfs-tools to `packages`, as linux-image-cloud-amd64",
                )
            taken[target] = directory / Path(target).name
            taken[target].write_bytes(root.read(link))
    return taken
