import json
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from goldsmith.disk.gpt import tables
from goldsmith.disk.layout import plan_layout
from goldsmith.effects.process import Finished, run
from goldsmith.model.disk import MIB, SECTOR, Layout, TreeNeed
from goldsmith.model.recipe import DiskSpec


def layout_of(size: int, boot: str = "both", name: str = "web") -> Layout:
    return plan_layout(DiskSpec(size=size, boot=boot), name=name, architecture="amd64", need=TreeNeed(10, 10))


def written(path: Path, layout: Layout, code: bytes = b"") -> Path:
    first, last = tables(layout, code)
    with path.open("wb") as stream:
        stream.truncate(layout.size)
        stream.write(first)
        stream.seek(layout.size - len(last))
        stream.write(last)
    return path


def sfdisk(path: Path) -> Finished:
    return run(["sfdisk", "-J", str(path)])


@given(
    size=st.integers(300 * MIB, 1 << 43),
    boot=st.sampled_from(["uefi", "bios", "both"]),
    name=st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_sfdisk_reads_back_what_was_laid_out(tmp_path: Path, size: int, boot: str, name: str) -> None:
    layout = layout_of(size, boot, name)
    path = written(tmp_path / "disk", layout)
    done = sfdisk(path)
    assert done.stderr == b""
    table = json.loads(done.stdout)["partitiontable"]
    assert table["label"] == "gpt"
    assert table["id"].lower() == str(layout.guid)
    assert table["firstlba"] == 34
    assert table["lastlba"] == layout.size // SECTOR - 34
    assert [
        (
            item["start"] * SECTOR,
            item["size"] * SECTOR,
            item["type"].lower(),
            item["uuid"].lower(),
            item["name"],
        )
        for item in table["partitions"]
    ] == [
        (part.start, part.size, str(part.kind), str(part.guid), str(part.role)) for part in layout.partitions
    ]


def test_sgdisk_finds_no_problem(tmp_path: Path) -> None:
    done = run(["sgdisk", "-v", str(written(tmp_path / "disk", layout_of(400 * MIB)))])
    assert "No problems found" in done.text


@pytest.mark.parametrize(
    ("where", "complaint"),
    [
        pytest.param(SECTOR + 60, b"primary GPT table is corrupt", id="the header's guid"),
        pytest.param(2 * SECTOR + 40, b"primary GPT table is corrupt", id="an entry of the first table"),
        pytest.param(-SECTOR + 60, b"backup GPT table is corrupt", id="the backup header's guid"),
    ],
)
def test_a_flipped_bit_is_noticed_by_sfdisk(tmp_path: Path, where: int, complaint: bytes) -> None:
    path = written(tmp_path / "disk", layout_of(400 * MIB))
    with path.open("r+b") as stream:
        stream.seek(where, 2 if where < 0 else 0)
        byte = stream.read(1)
        stream.seek(-1, 1)
        stream.write(bytes([byte[0] ^ 1]))
    assert complaint in sfdisk(path).stderr


def test_the_first_sector_has_the_code_and_one_protective_entry() -> None:
    layout = layout_of(400 * MIB)
    first, last = tables(layout, b"\xeb" * 440)
    assert first[:440] == b"\xeb" * 440
    assert first[446:462] == struct.pack(
        "<B3sB3sII", 0, b"\0\2\0", 0xEE, b"\xff" * 3, 1, layout.size // SECTOR - 1
    )
    assert first[462:510] == bytes(48)
    assert first[510:512] == b"\x55\xaa"
    assert len(first) == 34 * SECTOR
    assert len(last) == 33 * SECTOR


def test_a_disk_above_two_tebibytes_has_the_largest_number_in_its_protective_entry() -> None:
    first, _ = tables(layout_of(3 << 40))
    assert first[458:462] == b"\xff\xff\xff\xff"


def test_the_headers_checksums_are_those_of_the_specification() -> None:
    first, last = tables(layout_of(400 * MIB))
    for header, table in ((first[512:604], first[1024:]), (last[-512:-420], last[:-512])):
        assert struct.unpack_from("<I", header, 88)[0] == zlib.crc32(table)
        blank = header[:16] + bytes(4) + header[20:]
        assert struct.unpack_from("<I", header, 16)[0] == zlib.crc32(blank)


def test_a_disk_without_a_bios_boot_loader_sends_the_bios_on() -> None:
    first, _ = tables(layout_of(400 * MIB))
    assert first[:5] == b"\xcd\x18\xf4\xeb\xfd", "int 0x18; hlt; jmp to the hlt"
    assert first[5:446] == bytes(441)
