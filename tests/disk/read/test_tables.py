"""Partition tables as sfdisk writes them, as others damage them, and as nobody should believe them."""

import json
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.disk.read.conftest import area_of

from goldsmith.disk.read.area import Area
from goldsmith.disk.read.tables import ENTRY, HEADER, SIGNATURE, Part, partitions
from goldsmith.effects.process import run
from goldsmith.errors import InputError

MIB = 1 << 20
GPT = """label: gpt
start=2048, size=2048, type=21686148-6449-6E6F-744E-656564454649, name="boot"
start=4096, size=8192, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B
start=20480, size=40960, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4, name="the root"
"""
MBR = """label: dos
start=2048, size=2048, type=83
start=4096, size=40960, type=5
start=6144, size=2048, type=83
start=10240, size=2048, type=82
start=14336, size=2048, type=83
"""


def table_of(path: Path) -> tuple[str, tuple[Part, ...]]:
    """What is read of a disk."""
    for area in area_of(path):
        return partitions(area)
    raise AssertionError


@pytest.fixture
def disk(tmp_path: Path) -> Callable[[str], Path]:
    """Makes a disk with a table that sfdisk writes."""

    def make(script: str) -> Path:
        path = tmp_path / "disk"
        with path.open("wb") as stream:
            stream.truncate(40 * MIB)
        run(["/usr/sbin/sfdisk", "-q", str(path)], stdin=script.encode())
        return path

    return make


def told(path: Path) -> list[tuple[int, int]]:
    """Start and size of each partition as sfdisk tells them; extended ones left out."""
    table = json.loads(run(["/usr/sbin/sfdisk", "--json", str(path)]).stdout)["partitiontable"]
    return [
        (row["start"] * 512, row["size"] * 512)
        for row in table["partitions"]
        if row["type"] not in {"5", "f"}
    ]


@pytest.mark.parametrize(
    ("script", "kind"), [(GPT, "gpt"), (MBR, "mbr")], ids=["gpt", "mbr with logical ones"]
)
def test_a_table_is_read_as_sfdisk_reads_it(script: str, kind: str, disk: Callable[[str], Path]) -> None:
    path = disk(script)
    found = table_of(path)
    assert found[0] == kind
    assert [(part.start, part.size) for part in found[1]] == told(path)


def test_names_and_ids_are_known(disk: Callable[[str], Path]) -> None:
    _, parts = table_of(disk(GPT))
    assert [(part.number, part.name) for part in parts] == [(1, "boot"), (2, ""), (3, "the root")]
    assert parts[1].kind == "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
    assert len({part.guid for part in parts}) == 3
    _, parts = table_of(disk(MBR))
    assert [(part.number, part.kind) for part in parts] == [(1, "83"), (5, "83"), (6, "82"), (7, "83")]


def test_the_copy_counts_where_the_table_is_damaged(disk: Callable[[str], Path]) -> None:
    path = disk(GPT)
    expected = table_of(path)
    with path.open("r+b") as stream:
        stream.seek(512)
        stream.write(b"EFI PARTY AT THE WRONG PLACE")
    assert table_of(path) == expected


def test_a_disk_of_one_file_system_has_no_table(tmp_path: Path) -> None:
    path = tmp_path / "fs"
    run(["mke2fs", "-q", "-F", str(path), "8M"])
    assert table_of(path) == ("none", (Part(0, 0, 8 * MIB),))


def both_headers(path: Path, change: Callable[[bytearray], None]) -> None:
    """Change both GPT headers, with checksums that fit."""
    data = bytearray(path.read_bytes())
    for at in (512, len(data) - 512):
        head = data[at : at + 92]
        change(head)
        head[16:20] = bytes(4)
        head[16:20] = zlib.crc32(bytes(head)).to_bytes(4, "little")
        data[at : at + 92] = head
    path.write_bytes(data)


def put(at: int, size: int, value: int) -> Callable[[bytearray], None]:
    """A change of a number in a header."""

    def change(head: bytearray) -> None:
        head[at : at + size] = value.to_bytes(size, "little")

    return change


HOSTILE_GPT = {
    "entries beyond the end": (put(72, 8, 1 << 60), "beyond the disk's end"),
    "endless entries": (put(80, 4, 0xFFFF_FFFF), "4294967295 entries"),
    "entries of 4 GiB": (put(84, 4, 0xFFFF_FFF8), "entries of 4294967288 bytes"),
    "entries of no bytes": (put(84, 4, 0), "entries of 0 bytes"),
    "other entries than its checksum says": (put(88, 4, 7), "wrong checksum"),
    "a header of 4 GiB": (put(12, 4, 0xFFFF_FFFF), "its header has 4294967295 bytes"),
}


@pytest.mark.parametrize("name", HOSTILE_GPT)
def test_a_hostile_gpt_is_refused(name: str, disk: Callable[[str], Path]) -> None:
    change, message = HOSTILE_GPT[name]
    path = disk(GPT)
    both_headers(path, change)
    with pytest.raises(InputError) as raised:
        table_of(path)
    assert message in str(raised.value)


def entry(number: int, start: int, size: int, kind: int = 0x83) -> tuple[int, bytes]:
    """Where an entry of an MBR stands, and its bytes."""
    raw = bytes([0, 0, 0, 0, kind, 0, 0, 0]) + start.to_bytes(4, "little") + size.to_bytes(4, "little")
    return 446 + 16 * (number - 1), raw


HOSTILE_MBR = {
    "a partition beyond the end": ([entry(1, 2048, 0xFFFF_FFFF)], "the disk ends at"),
    "two that overlap": ([entry(1, 2048, 4096), entry(2, 4096, 4096)], "overlaps"),
    "logical ones that go on in what is none": ([entry(1, 2048, 60000, 5)], "breaks off"),
    "logical ones in a circle": (
        [entry(1, 2048, 60000, 5), (2048 * 512 + 462, entry(1, 0, 1, 5)[1]), (2048 * 512 + 510, b"\x55\xaa")],
        "in a circle",
    ),
    "logical ones beyond the end": ([entry(1, 0x7FFF_FFFF, 60000, 5)], "beyond the end"),
}


@pytest.mark.parametrize("name", HOSTILE_MBR)
def test_a_hostile_mbr_is_refused(name: str, tmp_path: Path) -> None:
    changes, message = HOSTILE_MBR[name]
    data = bytearray(40 * MIB)
    data[510:512] = b"\x55\xaa"
    for at, raw in changes:
        data[at : at + len(raw)] = raw
    (tmp_path / "disk").write_bytes(data)
    with pytest.raises(InputError) as raised:
        table_of(tmp_path / "disk")
    assert message in str(raised.value)


def test_an_empty_disk_has_no_table(tmp_path: Path) -> None:
    (tmp_path / "disk").write_bytes(b"")
    assert table_of(tmp_path / "disk") == ("none", (Part(0, 0, 0),))


def test_sectors_of_4096_bytes_are_read(tmp_path: Path) -> None:
    data = bytearray(40 * MIB)
    entries = bytearray(128 * 128)
    ENTRY.pack_into(entries, 0, b"k" * 16, b"g" * 16, 256, 256 + 1023, 0, b"")
    head = HEADER.pack(
        SIGNATURE,
        0x10000,
        92,
        0,
        0,
        1,
        len(data) // 4096 - 1,
        6,
        10_000,
        bytes(16),
        2,
        128,
        128,
        zlib.crc32(entries),
    )
    data[8192 : 8192 + len(entries)] = entries
    data[4096 : 4096 + 92] = head[:16] + zlib.crc32(head).to_bytes(4, "little") + head[20:]
    (tmp_path / "disk").write_bytes(data)
    kind, parts = table_of(tmp_path / "disk")
    assert (kind, parts[0].start, parts[0].size) == ("gpt", 256 * 4096, 1024 * 4096)


def test_the_area_of_a_partition_ends_with_it(tmp_path: Path) -> None:
    (tmp_path / "disk").write_bytes(bytes(4096))
    for area in area_of(tmp_path / "disk"):
        part = area.part(1024, 1024)
        assert part == Area(area.descriptor, 1024, 1024)
        with pytest.raises(InputError, match="beyond the end"):
            area.part(1024, 4096)
