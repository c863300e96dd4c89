"""What is lost of an adopted image is made again from its kept disk, as long as that holds it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.adopt.disks import MIB, ROOT_UUID, ext, system, whole_disk

from goldsmith.builder.mend import mend
from goldsmith.disk.adopt.keep import adopt
from goldsmith.disk.stored import raw_disk
from goldsmith.store.check import check
from goldsmith.store.home import Home
from goldsmith.store.images import layout_of
from goldsmith.store.record import parts_of


def in_the_gap(room: Path) -> Path:
    """Before the first partition lies what a file holds, too; a search would take it for the file."""
    disk = whole_disk(room)
    with disk.open("r+b") as stream:
        stream.seek(MIB // 2)
        stream.write(b"twice" * 3000)
    return disk


def without_table(room: Path) -> Path:
    return ext(room / "root", system(""), ROOT_UUID, "-t", "ext4")


DISKS: dict[str, Callable[[Path], Path]] = {
    "three partitions": whole_disk,
    "a file's bytes in a gap": in_the_gap,
    "small blocks": lambda room: whole_disk(room, "-t", "ext4", "-b", "1024"),
    "no table": without_table,
}


@pytest.mark.parametrize("name", DISKS)
def test_map_and_literals_of_a_kept_disk_are_made_again(name: str, tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    found = adopt(DISKS[name](tmp_path), name="vendor", version="1.0.0", home=home)
    raw_disk(home, found.image)
    layout = layout_of(home)
    parts = parts_of(layout, found.image.index, "vendor")
    lost = {parts.disk_map.digest, *(literals.digest for literals in parts.literals)}
    for digest in lost:
        layout.blobs.path(digest).unlink()
    assert mend(home, check(layout, read=True)).done == lost
    assert check(layout, read=True) == []
