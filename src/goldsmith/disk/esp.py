"""The EFI system partition as a FAT image: shim, GRUB, and where to go on from there.

Shim is signed by Microsoft and GRUB by Debian, so a machine with Secure Boot starts it. Clusters are 4 KiB and lie on
4 KiB, so that every block of a file on it is a block of the disk.
"""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from goldsmith.disk.bootloader import ESP_CONFIG, esp_grub_cfg
from goldsmith.disk.tools import Tools
from goldsmith.effects.sandbox import Bind
from goldsmith.errors import StepFailed
from goldsmith.model.disk import BLOCK, SECTOR, Layout, Role

SHIM = "/usr/lib/shim/shimx64.efi.signed"
MOK_MANAGER = "/usr/lib/shim/mmx64.efi.signed"
SIGNED_GRUB = "/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed"
FALLBACK = "/EFI/BOOT/BOOTX64.EFI"
"""What firmware starts when it has no boot entry yet: always, on a machine made from an image."""


def loader_files(tools: Tools) -> dict[str, str]:
    """Files of the ESP, each with its source in the tools tree; without shim, GRUB starts by itself."""
    if not tools.has(SHIM):
        return {FALLBACK: SIGNED_GRUB}
    return {
        FALLBACK: SHIM,
        "/EFI/BOOT/grubx64.efi": SIGNED_GRUB,
        "/EFI/BOOT/mmx64.efi": MOK_MANAGER,
    }


def make_esp(
    layout: Layout,
    *,
    append: str,
    tools: Tools,
    epoch: int,
    directory: Path,
    kernels: Mapping[str, Path],
) -> Path | None:
    """Make the ESP's image, ``esp.img`` in ``directory``; nothing if the layout has no ESP.

    Args:
        layout: gives size, serial number, and the root that GRUB goes to.
        append: words for the kernel's command line, for the menu of an erofs root.
        tools: has mkfs.fat, mtools, shim and GRUB.
        epoch: the time of all files in it.
        directory: where the image and what it is made of are written.
        kernels: an erofs root's kernel and initramfs, by their path on the ESP; none for ext4.

    Raises:
        StepFailed: a tool failed, or clusters would not lie on 4 KiB.
    """
    partition = layout.find(Role.ESP)
    if partition is None:
        return None
    image = directory / "esp.img"
    image.unlink(missing_ok=True)
    with image.open("wb") as stream:
        stream.truncate(partition.size)
    config = directory / "grub.cfg"
    config.write_bytes(esp_grub_cfg(layout, append))
    binds = [Bind(image, "/run/esp.img", writable=True), Bind(config, "/run/grub.cfg")]
    sources = {**(loader_files(tools) if layout.boot != "bios" else {}), ESP_CONFIG: "/run/grub.cfg"}
    for number, (target, source) in enumerate(sorted(kernels.items())):
        binds.append(Bind(source, f"/run/file{number}"))
        sources[target] = f"/run/file{number}"
    tools.run(*commands(layout, sources), binds=tuple(binds), epoch=epoch)
    check_alignment(image)
    return image


def commands(layout: Layout, sources: Mapping[str, str]) -> list[list[str]]:
    """Format, then make directories and copy files one by one: mcopy's own recursion follows the host's order."""
    parents = {str(parent) for target in sources for parent in PurePosixPath(target).parents} - {"/"}
    return [
        [
            "mkfs.fat",
            "-F", "16",
            "-s", str(BLOCK // SECTOR),
            # 8 reserved sectors, two tables of 8 sectors' multiple each and 512 root entries end on 4 KiB.
            "-R", "8",
            "-r", "512",
            "-i", f"{layout.esp_serial:08x}",
            "-n", "ESP",
            "/run/esp.img",
        ],
        *(["mmd", "-i", "/run/esp.img", f"::{parent}"] for parent in sorted(parents)),
        *(["mcopy", "-i", "/run/esp.img", source, f"::{target}"] for target, source in sorted(sources.items())),
    ]  # fmt: skip


def check_alignment(image: Path) -> None:
    """Refuse an image whose clusters lie across blocks: nothing would break, but every update would move it whole."""
    with image.open("rb") as stream:
        boot = stream.read(SECTOR)
    reserved, tables = int.from_bytes(boot[14:16], "little"), boot[16]
    entries, table = int.from_bytes(boot[17:19], "little"), int.from_bytes(boot[22:24], "little")
    first = (reserved + tables * table) * SECTOR + entries * 32
    if first % BLOCK:
        raise StepFailed(
            f"the ESP's first cluster lies at byte {first}, which is no multiple of {BLOCK}",
            hint="report this as a bug of goldsmith",
        )
