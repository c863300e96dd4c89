import struct
from pathlib import Path
from uuid import UUID

import pytest
from tests.disk.sources import source_of

from goldsmith.disk.bios import BLOCKLIST, make_core, patch_boot, patch_core
from goldsmith.disk.boot_parts import make_boot_parts
from goldsmith.disk.digest import disk_digest
from goldsmith.disk.esp import MOK_MANAGER, SHIM, SIGNED_GRUB, make_esp
from goldsmith.disk.layout import plan_layout
from goldsmith.disk.tools import Tools
from goldsmith.effects.process import run
from goldsmith.effects.sandbox import Bind
from goldsmith.errors import StepFailed
from goldsmith.model.disk import BLOCK, MIB, Layout, Partition, Role, TreeNeed
from goldsmith.model.recipe import DiskSpec

EPOCH = 1_700_000_001


def layout_of(root: str = "ext4", boot: str = "both") -> Layout:
    spec = DiskSpec(root=root, boot=boot)
    return plan_layout(spec, name="web", architecture="amd64", need=TreeNeed(10, 10, boot=70 * MIB))


def partition(start: int = MIB, size: int = MIB) -> Partition:
    return Partition(Role.BIOS, 1, UUID(int=1), UUID(int=2), start, size)


def esp_of(layout: Layout, tools: Tools, room: Path, append: str = "") -> Path:
    image = make_esp(layout, append=append, tools=tools, epoch=EPOCH, directory=room, kernels={})
    assert image is not None
    return image


def listing(tools: Tools, image: Path) -> dict[str, bytes]:
    """All files of a FAT image, by its own reader."""
    binds = (Bind(image, "/run/esp.img"),)
    names = tools.run(["mdir", "-i", "/run/esp.img", "-/", "-b", "::/"], binds=binds, epoch=0).text.split()
    files = [name.removeprefix("::") for name in names if not name.endswith("/")]
    return {
        name: tools.run(["mcopy", "-i", "/run/esp.img", f"::{name}", "-"], binds=binds, epoch=0).stdout
        for name in files
    }


def test_the_esp_starts_shim_then_grub_then_the_roots_menu(tools: Tools, room: Path) -> None:
    layout = layout_of()
    files = listing(tools, esp_of(layout, tools, room))
    config = files.pop("/EFI/debian/grub.cfg").decode()
    assert files == {
        "/EFI/BOOT/BOOTX64.EFI": tools.read(SHIM),
        "/EFI/BOOT/grubx64.efi": tools.read(SIGNED_GRUB),
        "/EFI/BOOT/mmx64.efi": tools.read(MOK_MANAGER),
    }
    assert f'--hint="$disk,gpt3" {layout.root_uuid}' in config
    assert "configfile" in config


def test_without_shim_in_the_tools_grub_starts_by_itself(
    tools: Tools, shimless_tools: Tools, room: Path
) -> None:
    files = listing(tools, esp_of(layout_of(), shimless_tools, room))
    assert set(files) == {"/EFI/BOOT/BOOTX64.EFI", "/EFI/debian/grub.cfg"}
    assert files["/EFI/BOOT/BOOTX64.EFI"] == tools.read(SIGNED_GRUB)


def test_the_esp_is_the_same_two_decades_later(tools: Tools, late_tools: Tools, room: Path) -> None:
    first = esp_of(layout_of(), tools, room)
    assert late_tools.run(["date", "+%Y"], epoch=0).text == "2039\n"
    (room / "late").mkdir()
    second = esp_of(layout_of(), late_tools, room / "late")
    assert disk_digest(first) == disk_digest(second)


def test_the_esp_is_fat16_with_its_serial_and_no_volume_is_larger(tools: Tools, room: Path) -> None:
    layout = layout_of()
    boot = esp_of(layout, tools, room).read_bytes()[:512]
    assert boot[54:62] == b"FAT16   "
    assert struct.unpack_from("<I", boot, 39)[0] == layout.esp_serial
    assert boot[13] == 8
    assert (
        run(["blkid", "-p", "-o", "value", "-s", "UUID", str(room / "esp.img")]).text.strip()
        == layout.esp_uuid
    )


@pytest.mark.parametrize("size", [16, 20, 64, 65, 98, 127, 200, 255])
def test_blocks_of_files_on_the_esp_are_blocks_of_the_disk(tools: Tools, room: Path, size: int) -> None:
    layout = plan_layout(
        DiskSpec(root="erofs"),
        name="web",
        architecture="amd64",
        need=TreeNeed(9, 9, boot=max(size - 8, 0) * MIB),
    )
    esp = layout.find(Role.ESP)
    assert esp is not None
    image = esp_of(layout, tools, room).read_bytes()
    assert len(image) == max(size, 64) * MIB
    grub = tools.read(SIGNED_GRUB)
    assert image.find(grub[: 64 * BLOCK]) % BLOCK == 0


def test_the_esp_passes_its_checker(tools: Tools, room: Path) -> None:
    esp_of(layout_of(), tools, room)
    tools.run(["fsck.fat", "-n", "/run/esp.img"], binds=(Bind(room / "esp.img", "/run/esp.img"),), epoch=0)


def test_no_esp_for_bios_alone_and_no_core_for_uefi_alone(tools: Tools, room: Path) -> None:
    bios, uefi = (
        make_boot_parts(
            layout_of(boot=boot), append="", tools=tools, epoch=EPOCH, directory=room, source=source_of(room)
        )
        for boot in ("bios", "uefi")
    )
    assert bios.esp is None
    assert bios.core
    assert uefi.esp is not None
    assert (uefi.code, uefi.core) == (b"", b"")


def test_an_erofs_disks_kernel_lies_on_the_esp_with_the_whole_menu(tools: Tools, room: Path) -> None:
    tree = room / "tree"
    (tree / "boot").mkdir(parents=True)
    (tree / "boot/vmlinuz-6").write_bytes(b"kernel")
    (tree / "boot/initrd.img-6").write_bytes(b"initramfs")
    (tree / "vmlinuz").symlink_to("boot/vmlinuz-6")
    # An absolute link means the tree's own root, never the host's.
    (tree / "initrd.img").symlink_to("/boot/initrd.img-6")
    parts = make_boot_parts(
        layout_of("erofs"),
        append="panic=30",
        tools=tools,
        epoch=EPOCH,
        directory=room,
        source=source_of(tree),
    )
    assert parts.esp is not None
    files = listing(tools, parts.esp)
    assert files["/goldsmith/vmlinuz"] == b"kernel"
    assert files["/goldsmith/initrd.img"] == b"initramfs"
    assert b"'panic=30'" in files["/EFI/debian/grub.cfg"]


def test_an_erofs_tree_without_a_kernel_is_refused(tools: Tools, room: Path) -> None:
    with pytest.raises(StepFailed) as caught:
        make_boot_parts(
            layout_of("erofs"), append="", tools=tools, epoch=EPOCH, directory=room, source=source_of(room)
        )
    assert caught.value.message == "the tree has no '/vmlinuz', so there is nothing to boot"
    assert "linux-image-cloud-amd64" in caught.value.hint


def test_the_core_is_the_same_two_decades_later(tools: Tools, late_tools: Tools, room: Path) -> None:
    parts = [make_core(layout_of(), tools=each, epoch=EPOCH, directory=room) for each in (tools, late_tools)]
    assert parts[0] == parts[1] is not None


@pytest.mark.parametrize("start", [MIB, 7 * MIB, 3 << 40])
def test_the_boot_sector_knows_where_the_core_begins(start: int) -> None:
    code = patch_boot(bytes(range(256)) * 2, partition(start))
    assert len(code) == 440
    assert struct.unpack_from("<Q", code, 0x5C)[0] == start // 512
    assert code[0x66:0x68] == b"\x90\x90"
    changed = {at for at in range(440) if code[at] != at % 256}
    assert changed <= {*range(0x5C, 0x64), 0x66, 0x67}


def test_the_core_knows_where_the_rest_of_it_lies() -> None:
    core = patch_core(b"c" * 1300, partition(5 * MIB))
    assert len(core) == 1536
    assert struct.unpack_from("<QHH", core, BLOCKLIST) == (5 * MIB // 512 + 1, 2, 0x820)
    assert core[:BLOCKLIST] == b"c" * 500
    assert core[512:1300] == b"c" * 788


def test_a_core_that_outgrows_its_partition_is_refused() -> None:
    with pytest.raises(StepFailed, match="GRUB's core image has 1048577 bytes, its partition 1048576"):
        patch_core(bytes(MIB + 1), partition())


def test_one_set_of_parts_serves_all_versions_of_an_ext4_image(tools: Tools, room: Path) -> None:
    found = []
    for size, append in ((1, "quiet"), (9, "debug")):
        spec = DiskSpec(size=size << 30)
        layout = plan_layout(spec, name="web", architecture="amd64", need=TreeNeed(9, 9))
        parts = make_boot_parts(
            layout, append=append, tools=tools, epoch=EPOCH, directory=room, source=source_of(room)
        )
        assert parts.esp is not None
        found.append((parts.code, parts.core, disk_digest(parts.esp)))
    assert found[0] == found[1]
