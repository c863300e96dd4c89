"""Firmware, GRUB and grub.cfg for real, with a kernel of a few bytes that prints what it was started with."""

import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.disk.sources import need_of, source_of

from goldsmith.disk.boot_parts import make_boot_parts
from goldsmith.disk.bootloader import boot_files
from goldsmith.disk.layout import plan_layout
from goldsmith.disk.make import make_disk
from goldsmith.disk.tools import Tools
from goldsmith.effects.process import run
from goldsmith.model.disk import MIB
from goldsmith.model.recipe import DiskSpec

EPOCH = 1_700_000_000
OVMF = Path("/usr/share/OVMF/OVMF_CODE_4M.fd")
LOADED_AT = 0x10_0000
COMMAND_LINE = 0x228
RAMDISK_SIZE = 0x21C


def kernel(name: str) -> bytes:
    """A Linux kernel by its boot protocol: prints its name, whether it has an initramfs, its command line; stops QEMU.

    The setup header is as in Linux' Documentation/arch/x86/boot.rst, version 2.06; code runs in 32-bit mode with the
    boot parameters at ESI.
    """
    code = bytearray()
    code += b"\x89\xf3"  # mov ebx, esi
    code += b"\xba\xf8\x03\x00\x00"  # mov edx, COM1
    code += b"\xbe\0\0\0\0"  # mov esi, name
    name_at = len(code) - 4
    code += b"\xac\x84\xc0\x74\x03\xee\xeb\xf8"  # print: lodsb; test al, al; jz next; out dx, al; jmp print
    code += b"\x83\xbb" + struct.pack("<I", RAMDISK_SIZE) + b"\0"  # cmp dword [ebx + ramdisk_size], 0
    code += b"\x74\x03\xb0+\xee"  # jz past; mov al, '+'; out dx, al
    code += b"\xb0 \xee"  # mov al, ' '; out dx, al
    code += b"\x8b\xb3" + struct.pack("<I", COMMAND_LINE)  # mov esi, [ebx + cmd_line_ptr]
    code += b"\xac\x84\xc0\x74\x03\xee\xeb\xf8"  # print
    code += b"\xb0\n\xee"  # newline
    code += b"\x66\xba\xf4\x00\xb0\x00\xee\xf4"  # mov dx, 0xf4 (isa-debug-exit); out dx, al; hlt
    struct.pack_into("<I", code, name_at, LOADED_AT + len(code))
    code += f"kernel {name}".encode() + b"\0"
    setup = bytearray(1024)
    setup[0x1F1] = 1
    struct.pack_into("<I", setup, 0x1F4, -(-len(code) // 16))
    setup[0x1FE:0x200] = b"\x55\xaa"
    setup[0x200:0x202] = b"\xeb\x66"
    setup[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", setup, 0x206, 0x0206)
    setup[0x211] = 1
    struct.pack_into("<I", setup, 0x214, LOADED_AT)
    struct.pack_into("<I", setup, 0x22C, 0x7FFF_FFFF)
    struct.pack_into("<I", setup, 0x238, 2047)
    return bytes(setup) + bytes(code).ljust(4096, b"\0")


def install(root: Path, name: str, *, initramfs: bool = True) -> None:
    (root / f"boot/vmlinuz-{name}").write_bytes(kernel(name))
    if initramfs:
        (root / f"boot/initrd.img-{name}").write_bytes(b"initramfs of " + name.encode())


def link(root: Path, name: str, suffix: str = "", where: str = "", to: str = "boot/") -> None:
    """What linux-update-symlinks does."""
    for kind in ("vmlinuz", "initrd.img"):
        (root / where / f"{kind}{suffix}").symlink_to(f"{to}{kind}-{name}")


def debian(root: Path) -> None:
    install(root, "6.1.0-9")
    install(root, "6.1.0-10")
    link(root, "6.1.0-10")
    link(root, "6.1.0-9", ".old")


def ubuntu(root: Path) -> None:
    install(root, "6.8.0-31")
    link(root, "6.8.0-31", where="boot", to="")


def no_links(root: Path) -> None:
    install(root, "6.1.0-9")


def no_initramfs(root: Path) -> None:
    install(root, "6.1.0-9", initramfs=False)
    link(root, "6.1.0-9")


def dangling_old(root: Path) -> None:
    install(root, "6.1.0-10")
    link(root, "6.1.0-10")
    link(root, "6.1.0-9", ".old")


def removed_newest(root: Path) -> None:
    install(root, "6.1.0-9")
    link(root, "6.1.0-10")


def broken_newest(root: Path) -> None:
    debian(root)
    (root / "boot/vmlinuz-6.1.0-10").write_bytes(b"half a download")


def disk_of(tools: Tools, room: Path, make: Callable[[Path], None], spec: DiskSpec, append: str) -> Path:
    tree = room / "tree"
    (tree / "boot/grub").mkdir(parents=True)
    make(tree)
    layout = plan_layout(spec, name="web", architecture="amd64", need=need_of(tree))
    for path, data in boot_files(layout, append=append).items():
        (tree / path.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        (tree / path.lstrip("/")).write_bytes(data)
    parts = make_boot_parts(
        layout, append=append, tools=tools, epoch=EPOCH, directory=room, source=source_of(tree)
    )
    disk = room / "disk.raw"
    make_disk(source_of(tree), layout, tools=tools, epoch=EPOCH, output=disk, parts=parts)
    return disk


def boot(disk: Path, *firmware: str) -> str:
    """What a machine prints on its serial port until the kernel stops it."""
    if shutil.which("qemu-system-x86_64") is None:
        pytest.skip("qemu-system-x86 is not installed on this host")
    done = run(
        [
            "qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-smp", "1", "-m", "256", "-nodefaults",
            "-display", "none", "-serial", "stdio", "-no-reboot",
            "-device", "isa-debug-exit,iobase=0xf4,iosize=1",
            *firmware,
            "-drive", f"if=virtio,format=raw,snapshot=on,file={disk}",
        ],
        timeout=60,
        check=False,
    )  # fmt: skip
    assert done.code == 1, done.stderr
    return done.text


def started(text: str) -> str:
    """The line that the kernel printed."""
    return text[text.index("kernel 6") :].splitlines()[0]


ROOT = "root=UUID=8a462b97-2eb2-59ef-933f-a1838d09dd26 ro console=tty0 console=ttyS0,115200"


@pytest.mark.parametrize(
    ("make", "append", "line"),
    [
        pytest.param(debian, "quiet", "kernel 6.1.0-10+ BOOT_IMAGE=/vmlinuz {} quiet", id="Debian's links lead to it"),
        pytest.param(ubuntu, "", "kernel 6.8.0-31+ BOOT_IMAGE=/boot/vmlinuz {}", id="so do Ubuntu's", marks=pytest.mark.slow),
        pytest.param(no_links, "", "kernel 6.1.0-9+ BOOT_IMAGE=/boot/vmlinuz-6.1.0-9 {}", id="without links it is found"),
        pytest.param(dangling_old, "", "kernel 6.1.0-10+ BOOT_IMAGE=/vmlinuz {}", id="a link to an old kernel that is gone is no harm", marks=pytest.mark.slow),
        pytest.param(removed_newest, "", "kernel 6.1.0-9+ BOOT_IMAGE=/boot/vmlinuz-6.1.0-9 {}", id="if the newest is gone the rest is looked through", marks=pytest.mark.slow),
        pytest.param(no_initramfs, "", "kernel 6.1.0-9 BOOT_IMAGE=/vmlinuz {}", id="an initramfs may be missing", marks=pytest.mark.slow),
        pytest.param(
            broken_newest, "", "kernel 6.1.0-9+ BOOT_IMAGE=/vmlinuz.old {}",
            id="the one before is the fallback", marks=pytest.mark.slow,
        ),
        pytest.param(
            debian, 'dyndbg="file a.c +p" x', 'kernel 6.1.0-10+ BOOT_IMAGE=/vmlinuz {} "dyndbg=file a.c +p" x',
            id="words with blanks arrive as one",
        ),
    ],
)  # fmt: skip
def test_a_bios_starts_the_newest_kernel_with_its_command_line(
    tools: Tools, room: Path, make: Callable[[Path], None], append: str, line: str
) -> None:
    disk = disk_of(tools, room, make, DiskSpec(headroom=MIB, boot="bios"), append)
    assert started(boot(disk)) == line.format(ROOT)


def test_a_bios_starts_an_erofs_disk_from_its_fat_partition(tools: Tools, room: Path) -> None:
    disk = disk_of(tools, room, debian, DiskSpec(root="erofs", boot="bios"), "quiet")
    assert started(boot(disk)) == f"kernel 6.1.0-10+ BOOT_IMAGE=/goldsmith/vmlinuz {ROOT} quiet"


def test_uefi_goes_through_shim_and_grub_to_the_roots_menu(tools: Tools, room: Path) -> None:
    if not OVMF.is_file():
        pytest.skip(f"no {OVMF}: ovmf is not installed on this host")
    disk = disk_of(tools, room, debian, DiskSpec(headroom=MIB, boot="uefi"), "quiet")
    text = boot(disk, "-drive", f"if=pflash,format=raw,readonly=on,file={OVMF}")
    assert started(text) == f"kernel 6.1.0-10+ BOOT_IMAGE=/vmlinuz {ROOT} quiet"
