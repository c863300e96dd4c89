"""What starts a disk, made apart from it: for an ext4 root it depends on layout and tools only, so it can be kept."""

from dataclasses import dataclass
from pathlib import Path

from goldsmith.disk.bios import make_core
from goldsmith.disk.bootloader import ESP_INITRD, ESP_KERNEL
from goldsmith.disk.esp import make_esp
from goldsmith.disk.tools import Tools
from goldsmith.effects.root import Root
from goldsmith.errors import StepFailed
from goldsmith.model.disk import Layout, Role

CODE, CORE, ESP_IMAGE = "boot.code", "boot.core", "esp.img"
"""Files that hold the parts in their directory."""
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


def decides_boot_parts(layout: Layout, *, append: str) -> dict[str, object]:
    """What decides the parts, beside the tools and the epoch; for a cache's key.

    For ext4 neither size nor content nor command line is in it: one result serves all versions of an image. An erofs
    disk's parts hold the kernel, so the tree's digest must be added by the caller.
    """
    return {
        "boot": layout.boot,
        "filesystem": layout.filesystem,
        "places": [(str(part.role), part.start, part.size) for part in layout.partitions[:-1]],
        "esp_serial": layout.esp_serial,
        "root_number": layout.root.number,
        "root_uuid": str(layout.root_uuid),
        "append": append if layout.filesystem == "erofs" else "",
    }


def load_boot_parts(layout: Layout, directory: Path) -> BootParts:
    """Parts that ``make_boot_parts`` made in a directory before, for a layout with equal ``decides_boot_parts``."""
    code, core = (directory / CODE).read_bytes(), (directory / CORE).read_bytes()
    return BootParts(code, core, directory / ESP_IMAGE if layout.find(Role.ESP) else None)


def make_boot_parts(
    layout: Layout, *, append: str, tools: Tools, epoch: int, directory: Path, tree: Path
) -> BootParts:
    """Make the parts in an existing ``directory``, which can be kept and loaded again.

    Args:
        layout: where the parts go.
        append: words for the kernel's command line, as the recipe has them.
        tools: the tools tree.
        epoch: SOURCE_DATE_EPOCH.
        directory: where the parts are written.
        tree: the finished tree; an erofs disk's kernel and initramfs are taken from it.

    Raises:
        StepFailed: a tool failed, or the tree of an erofs disk has no kernel.
    """
    kernels = take_kernels(tree, directory) if layout.filesystem == "erofs" else {}
    core = make_core(layout, tools=tools, epoch=epoch, directory=directory)
    esp = make_esp(layout, append=append, tools=tools, epoch=epoch, directory=directory, kernels=kernels)
    parts = BootParts(*(core or (b"", b"")), esp)
    (directory / CODE).write_bytes(parts.code)
    (directory / CORE).write_bytes(parts.core)
    return parts


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
