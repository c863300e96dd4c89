"""Free blocks and the journal are those that e2fsprogs tells."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from goldsmith.assay.leaks.blocks import ext4_ranges, ground
from goldsmith.disk.read.area import Area
from goldsmith.model.leak import Where

pytestmark = pytest.mark.skipif(shutil.which("dumpe2fs") is None, reason="needs e2fsprogs")
SHAPES = {
    "ext4 as it is made today": ("-t", "ext4", "-b", "4096"),
    "blocks of 1 KiB": ("-t", "ext4", "-b", "1024"),
    "blocks of 2 KiB": ("-t", "ext4", "-b", "2048"),
    "without 64 bits": ("-t", "ext4", "-b", "1024", "-O", "^64bit"),
    "without flexible groups": ("-t", "ext4", "-b", "1024", "-O", "^flex_bg"),
    "without checksums, so all maps are written": (
        "-t",
        "ext4",
        "-b",
        "1024",
        "-O",
        "^metadata_csum,^uninit_bg",
    ),
    "meta groups": ("-t", "ext4", "-b", "1024", "-O", "meta_bg,^resize_inode"),
    "two copies of the superblock": ("-t", "ext4", "-b", "1024", "-O", "sparse_super2"),
    "no place to grow": ("-t", "ext4", "-b", "1024", "-O", "^resize_inode"),
    "no journal": ("-t", "ext4", "-b", "1024", "-O", "^has_journal"),
    "ext3": ("-t", "ext3", "-b", "1024"),
    "ext2": ("-t", "ext2", "-b", "1024"),
}
START = 1 << 20


@pytest.mark.parametrize("options", SHAPES.values(), ids=SHAPES)
def test_free_blocks_and_journal(options: tuple[str, ...], tmp_path: Path) -> None:
    image, tree = tmp_path / "disk", tmp_path / "tree"
    for number in range(40):
        (tree / f"d{number}").mkdir(parents=True)
        (tree / f"d{number}/file").write_bytes(bytes([number]) * 5000 * number)
    command: list[str | Path] = ["mke2fs", "-q", *options, "-E", f"offset={START}", "-d", tree, image, "100M"]
    subprocess.run(command, check=True, capture_output=True)
    told = dumped(image)
    with image.open("rb") as stream:
        found = ext4_ranges(Area(stream.fileno(), START, image.stat().st_size - START))
    size = int(options[options.index("-b") + 1])
    free = {
        block
        for at, length, kind in found
        if kind is Where.FREE_BLOCK
        for block in range((at - START) // size, (at - START + length) // size)
    }
    assert free == told
    journal = sum(length for _, length, kind in found if kind is Where.JOURNAL)
    assert (journal > 0) == ("^has_journal" not in options and "ext2" not in options)


def dumped(image: Path) -> set[int]:
    """The free blocks, as dumpe2fs lists them for each group."""
    part = image.with_suffix(".part")
    part.write_bytes(image.read_bytes()[START:])
    text = subprocess.run(["dumpe2fs", part], check=True, capture_output=True, text=True).stdout
    found: set[int] = set()
    for line in re.findall(r"^  Free blocks: (.*)$", text, re.MULTILINE):
        for first, last in re.findall(r"(\d+)(?:-(\d+))?", line):
            found |= set(range(int(first), int(last or first) + 1))
    assert found
    return found


def test_a_range_is_cut_into_what_lies_there() -> None:
    places = ground([(100, 50, Where.FREE_BLOCK), (150, 10, Where.JOURNAL), (300, 10, Where.FREE_BLOCK)])
    cuts = {
        "before all": ((0, 10), [(Where.PARTITION, 0, 10)]),
        "across a beginning": ((90, 20), [(Where.PARTITION, 90, 10), (Where.FREE_BLOCK, 100, 10)]),
        "within": ((110, 5), [(Where.FREE_BLOCK, 110, 5)]),
        "across three": (
            (140, 30),
            [(Where.FREE_BLOCK, 140, 10), (Where.JOURNAL, 150, 10), (Where.PARTITION, 160, 10)],
        ),
        "between": ((200, 10), [(Where.PARTITION, 200, 10)]),
        "over the last": (
            (290, 50),
            [(Where.PARTITION, 290, 10), (Where.FREE_BLOCK, 300, 10), (Where.PARTITION, 310, 30)],
        ),
        "behind all": ((400, 10), [(Where.PARTITION, 400, 10)]),
    }
    for (start, length), expected in cuts.values():
        assert list(places.cut(start, length)) == expected
    assert list(ground([]).cut(5, 5)) == [(Where.PARTITION, 5, 5)]
