"""Real parts for the machine's tests: a data directory, and disks whose boot sector says what a test wants."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from goldsmith.store.home import Home

CONSOLE_PORT = 0x3F8
REPORT_PORT = 0x2F8
DISK_SIZE = 1 << 20
HALT = "f4 eb fd"
RESET = "b0 fe e6 64 f4 eb fd"
"""The keyboard controller's reset line, as a kernel's reboot pulls it."""

DiskThatSays = Callable[..., Path]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def qemu() -> None:
    """Skips where there is no QEMU."""
    if shutil.which("qemu-system-x86_64") is None:
        pytest.skip("qemu-system-x86_64 is not installed on this host")


@pytest.fixture
def disk_that_says(tmp_path: Path) -> DiskThatSays:
    """Makes a disk whose boot sector writes a text on a serial port, and then does something, in hexadecimal.

    xor ax, ax; mov ds, ax; mov si, text; mov dx, port; cld; l: lodsb; test al, al; jz +3; out dx, al; jmp l
    """

    def make(text: str, *, port: int = CONSOLE_PORT, then: str = HALT) -> Path:
        code = bytes.fromhex(f"31c0 8ed8 be{(0x7C00 + 0x40).to_bytes(2, 'little').hex()}")
        code += bytes.fromhex(f"ba{port.to_bytes(2, 'little').hex()} fc ac 84c0 7403 ee ebf8 {then}")
        sector = code.ljust(0x40, b"\xf4") + text.encode() + b"\0"
        assert len(sector) <= 510
        disk = tmp_path / "disk.raw"
        disk.write_bytes((sector.ljust(510, b"\0") + b"\x55\xaa").ljust(DISK_SIZE, b"\0"))
        return disk

    return make


WANTS_MORE = (
    "[    0.450127] Run /sbin/init as init process\r\n"
    "/lib64/libc.so.6: CPU ISA level is lower than required\r\n"
    "[    0.451931] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00007f00\r\n"
)
"""What a guest built for x86-64-v2 says on a processor without cx16; kvmtool's pull request 5 has it from a real one."""
HAS_ENOUGH = "Kernel panic - not syncing: VFS: Unable to mount root fs\r\n"


@pytest.fixture
def disk_for_x86_64_v2(tmp_path: Path) -> Path:
    """A disk whose boot sector asks the processor for cx16, and says ``WANTS_MORE`` or ``HAS_ENOUGH``.

    xor ax, ax; mov ds, ax; mov eax, 1; cpuid; mov si, first; bt ecx, 13; jnc +3; mov si, second; mov dx, port; cld;
    l: lodsb; test al, al; jz +3; out dx, al; jmp l
    """
    first = 0x7C00 + 0x60
    second = first + len(WANTS_MORE) + 1
    at_first, at_second, port = (
        number.to_bytes(2, "little").hex() for number in (first, second, CONSOLE_PORT)
    )
    code = f"31c0 8ed8 66b801000000 0fa2 be{at_first} 660fbae10d 7303 be{at_second} ba{port} fc ac84c0 7403 ee ebf8"
    sector = bytes.fromhex(f"{code} {HALT}").ljust(0x60, b"\xf4")
    sector += WANTS_MORE.encode() + b"\0" + HAS_ENOUGH.encode() + b"\0"
    assert len(sector) <= 510
    disk = tmp_path / "x86-64-v2.raw"
    disk.write_bytes((sector.ljust(510, b"\0") + b"\x55\xaa").ljust(DISK_SIZE, b"\0"))
    return disk
