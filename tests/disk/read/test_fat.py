"""The FAT reader against what dosfstools and mtools write."""

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.disk.read.conftest import area_of

from goldsmith.disk.read.fat.walk import Fat
from goldsmith.disk.read.kinds import kind_of
from goldsmith.disk.read.limits import Tally
from goldsmith.effects.process import run
from goldsmith.errors import InputError

WIDTHS = {"12": ("12", "4M"), "16": ("16", "40M"), "32": ("32", "80M")}


def files() -> dict[str, bytes]:
    """Paths and contents."""
    noise = random.Random(7)
    return {
        "/README.TXT": b"short",
        "/lower.txt": b"with a case",
        "/Mixed Case and a rather long name that takes several entries.config": noise.randbytes(70_000),
        "/empty": b"",
        "/EFI/BOOT/BOOTX64.EFI": noise.randbytes(300_000),
        "/EFI/deep/er/ünïcode €.txt": b"names",
        **{f"/many/file number {number}": b"%d" % number for number in range(150)},
    }


def make_fat(path: Path, width: str, size: str) -> None:
    """A volume with the files."""
    run(["truncate", "-s", size, str(path)])
    run(["mkfs.vfat", "-F", width, "-n", "ESP", "-i", "1A2B3C4D", str(path)])
    made = set()
    for name, data in files().items():
        above = ""
        for part in name.split("/")[1:-1]:
            above = f"{above}/{part}"
            if above not in made:
                run(["mmd", "-i", str(path), f"::{above}"], env={"LC_ALL": "C.UTF-8"})
                made.add(above)
        run(["mcopy", "-i", str(path), "-", f"::{name}"], stdin=data, env={"LC_ALL": "C.UTF-8"})


@pytest.mark.parametrize("name", WIDTHS)
def test_everything_is_read_as_it_went_in(name: str, tmp_path: Path) -> None:
    path = tmp_path / "fat"
    make_fat(path, *WIDTHS[name])
    for area in area_of(path):
        assert kind_of(area) == "vfat"
        reader = Fat(area, Tally(1 << 30))
        assert (reader.volume.width, reader.volume.uuid, reader.volume.label) == (
            int(name),
            "1A2B-3C4D",
            "ESP",
        )
        nodes = {node.path: node for node in reader.walk()}
        found = {path: node.body.read(0, node.body.size) for path, node in nodes.items() if node.body}
        assert found == files()
        assert {path for path, node in nodes.items() if node.kind == "dir"} == {
            "/", "/EFI", "/EFI/BOOT", "/EFI/deep", "/EFI/deep/er", "/many",
        }  # fmt: skip
        assert abs(nodes["/README.TXT"].mtime - path_time(path)) < 86_400 * 2


def path_time(path: Path) -> float:
    """When a file was written."""
    return os.stat(path).st_mtime


def table(data: bytearray, cluster: int, value: int) -> None:
    """Change an entry of a FAT16."""
    reserved = int.from_bytes(data[14:16], "little") * int.from_bytes(data[11:13], "little")
    data[reserved + cluster * 2 : reserved + cluster * 2 + 2] = value.to_bytes(2, "little")


def chain_of(data: bytearray, first: int) -> None:
    """Let every cluster be followed by one."""
    for cluster in range(2, 2000):
        table(data, cluster, first)


HOSTILE: dict[str, tuple[Callable[[bytearray], None], str]] = {
    "chains in a circle": (lambda data: chain_of(data, 2), "circle"),
    "chains into what is free": (lambda data: chain_of(data, 0), "is not there"),
    "chains beyond the end": (lambda data: chain_of(data, 0xFFF0), "is not there"),
    "a table of no sectors": (lambda data: data.__setitem__(slice(22, 24), bytes(2)), "FAT"),
    "sectors of no bytes": (lambda data: data.__setitem__(slice(11, 13), bytes(2)), "do not fit together"),
    "more sectors than its partition": (
        lambda data: data.__setitem__(slice(32, 36), b"\xff\xff\xff\x7f"), "its partition"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_volume_is_refused(name: str, tmp_path: Path) -> None:
    change, message = HOSTILE[name]
    path = tmp_path / "fat"
    make_fat(path, "16", "40M")
    data = bytearray(path.read_bytes())
    change(data)
    path.write_bytes(data)
    with pytest.raises(InputError) as raised:
        read_all(path)
    assert message in str(raised.value)


def read_all(path: Path) -> None:
    """Read a volume and all its files."""
    for area in area_of(path):
        for node in Fat(area, Tally(1 << 30)).walk():
            if node.body:
                node.body.read(0, node.body.size)
