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
