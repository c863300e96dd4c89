"""Disks to write in formats, and QEMU's own view of what was written."""

import random
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from goldsmith.disk.formats.table import find_format
from goldsmith.disk.formats.write import write_file
from goldsmith.effects.process import run

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
QEMU_NAMES = {"raw": "raw", "qcow2": "qcow2", "vmdk": "vmdk", "vhd": "vpc", "vhdx": "vhdx", "vdi": "vdi"}
CHECKED = {"qcow2", "vmdk", "vhdx", "vdi"}
"""Formats that ``qemu-img check`` knows."""
Part = tuple[int, bytes]
Convert = Callable[[Path, str], Path]
Same = Callable[[Path, str, Path], None]


@pytest.fixture
def room() -> Iterator[Path]:
    """A directory on tmpfs: disks are large, and the tests are not about the host's."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
        yield Path(directory)


@pytest.fixture
def disk(room: Path) -> Callable[[int, Iterable[Part]], Path]:
    """Makes a raw disk of a size with bytes at offsets, and holes elsewhere."""

    def make(size: int, parts: Iterable[Part]) -> Path:
        path = room / "disk.raw"
        with path.open("wb") as stream:
            stream.truncate(size)
            for offset, data in parts:
                stream.seek(offset)
                stream.write(data[: max(0, size - offset)])
        return path

    return make


@pytest.fixture
def mixed(disk: Callable[[int, Iterable[Part]], Path]) -> Path:
    """A disk with noise, text, a lone byte, zeros that were written, and something in its last sector."""
    noise = random.Random(5)
    size = 9 * MIB
    return disk(
        size,
        [
            (0, b"boot" * 200),
            (MIB - 3, noise.randbytes(200_000)),
            (4 * MIB, bytes(MIB)),
            (6 * MIB + 77, b"text " * 30_000),
            (size - 1, b"!"),
        ],
    )


@pytest.fixture
def convert(room: Path) -> Convert:
    """Writes a disk in a format and gives the file."""

    def write(raw: Path, name: str) -> Path:
        row = find_format(name)
        path = room / f"converted{row.suffix}"
        write_file(raw, path, row, jobs=2)
        return path

    return write


@pytest.fixture
def same(room: Path) -> Same:
    """Fails unless the format's own tools find a file whole, and its bytes those of the disk, zeros behind."""

    def compare(path: Path, name: str, raw: Path) -> None:
        if name in CHECKED:
            assert (
                "No errors were found" in run(["qemu-img", "check", "-f", QEMU_NAMES[name], str(path)]).text
            )
        if name == "gcp":
            run(["tar", "-C", str(room), "--transform=s/disk.raw/unpacked/", "-xzSf", str(path)])
            path = room / "unpacked"
        qemu = QEMU_NAMES.get(name, "raw")
        assert (
            "Images are identical"
            in run(["qemu-img", "compare", "-f", qemu, "-F", "raw", str(path), str(raw)]).text
        )

    return compare
