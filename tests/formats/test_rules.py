"""What each platform demands of a file, read here from the bytes by the specifications, not by goldsmith's code."""

import gzip
import io
import struct
import subprocess
import tarfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from uuid import UUID

import google_crc32c
import pytest

from goldsmith.disk.formats.vhd import geometry

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
SIZE = 70 * MIB + 512
"""No multiple of anything: every format has to round it."""
PARTS = [(0, b"boot" * 300), (MIB - 3, b"abcdef"), (33 * MIB, bytes(range(1, 251)) * 9000), (SIZE - 2, b"yz")]
Facts = Mapping[str, object]


@pytest.fixture
def file(
    disk: Callable[[int, Iterable[tuple[int, bytes]]], Path], convert: Callable[[Path, str], Path]
) -> Callable[[str], bytes]:
    """The bytes of the test's disk in a format."""
    return lambda name: convert(disk(SIZE, PARTS), name).read_bytes()


@pytest.fixture
def content(disk: Callable[[int, Iterable[tuple[int, bytes]]], Path]) -> Callable[[int], bytes]:
    """The disk's bytes, with zeros up to a size."""
    return lambda size: disk(SIZE, PARTS).read_bytes().ljust(size, b"\0")


def vhd_facts(data: bytes) -> Facts:
    footer = data[-512:]
    fields = struct.unpack(">8sIIQI4sI4sQQHBBII16sB427s", footer)
    unsummed = footer[:64] + bytes(4) + footer[68:]
    size = fields[9]
    cylinders, heads, track = fields[10:13]
    return {
        "the cookie": fields[0] == b"conectix",
        "the features' reserved bit": fields[1] == 2,
        "version 1.0": fields[2] == 0x10000,
        "no offset to anything else": fields[3] == 0xFFFF_FFFF_FFFF_FFFF,
        "no time": fields[4] == 0,
        "original and current size are one": fields[8] == fields[9],
        "a fixed disk": fields[13] == 2,
        "the checksum": fields[14] == ~sum(unsummed) & 0xFFFF_FFFF,
        "an identity": UUID(bytes=fields[15]).version == 4,
        "no saved state, nothing behind": fields[16] == 0 and not any(fields[17]),
        "Azure: a whole number of MiB": size % MIB == 0,
        "Azure: the file is the disk and its footer": len(data) == size + 512,
        "Azure: 20 MiB at least, with the footer": len(data) >= 20_972_032,
        "no more than the whole MiB that was needed": size == 71 * MIB,
        "the geometry is within the disk": size - cylinders * heads * track * 512
        in range(heads * track * 512),
    }


def vhdx_facts(data: bytes) -> Facts:
    def sound(at: int, size: int) -> bool:
        part = data[at : at + size]
        return struct.unpack_from("<I", part, 4) == (google_crc32c.value(part[:4] + bytes(4) + part[8:]),)

    headers = [struct.unpack_from("<4sIQ16s16s16sHHIQ", data, at) for at in (64 * KIB, 128 * KIB)]
    table = data[192 * KIB : 256 * KIB]
    regions = {
        str(UUID(bytes_le=row[0])): row[1:]
        for row in struct.iter_unpack("<16sQII", table[16 : 16 + 32 * struct.unpack_from("<I", table, 8)[0]])
    }
    bat_at, bat_size, bat_required = regions["2dc27766-f623-4200-9d64-115e9bfd4a08"]
    about_at, about_size, about_required = regions["8b7ca206-4790-4b9a-b8fe-575f050f886e"]
    count = struct.unpack_from("<H", data, about_at + 10)[0]
    items = {}
    for row in range(count):
        item, at, length, flags, _ = struct.unpack_from("<16sIIIII", data, about_at + 32 + 32 * row)[:5]
        items[str(UUID(bytes_le=item))[:8]] = (data[about_at + at : about_at + at + length], flags, at)
    block, parameters = struct.unpack("<II", items["caa16737"][0])
    entries = struct.unpack_from("<71Q", data, bat_at)
    places = [entry >> 20 for entry in entries if entry & 7 == 6]
    return {
        "the signature": data[:8] == b"vhdxfile",
        "two headers of version 1 with different numbers": [h[0] for h in headers] == [b"head"] * 2
        and [h[7] for h in headers] == [1, 1]
        and headers[0][2] != headers[1][2],
        "both headers' checksums": sound(64 * KIB, 4096) and sound(128 * KIB, 4096),
        "an empty log": all(h[5] == bytes(16) and h[6] == 0 for h in headers),
        "room for a log in whole MiB": all(h[8] == MIB and h[9] % MIB == 0 and h[9] >= MIB for h in headers),
        "the log's room is zeros": not any(data[headers[0][9] : headers[0][9] + MIB]),
        "both region tables are one and sound": sound(192 * KIB, 64 * KIB)
        and table == data[256 * KIB : 320 * KIB]
        and table[:4] == b"regi",
        "regions are required, in whole MiB": bat_required == about_required == 1
        and not (bat_at | bat_size | about_at | about_size) % MIB,
        "the metadata's signature and five items": data[about_at : about_at + 8] == b"metadata"
        and count == 5,
        "items lie behind the table": all(at >= 64 * KIB for _, _, at in items.values()),
        "items are required, all but the first about the disk": [flags for _, flags, _ in items.values()]
        == [4, 6, 6, 6, 6],
        "blocks of whole MiB, no parent, not fixed": block == MIB and parameters == 0,
        "the size": struct.unpack("<Q", items["2fa54224"][0])[0] == 71 * MIB,
        "an identity": UUID(bytes_le=items["beca12ab"][0]).version == 4,
        "sectors of 512 on 4096 bytes": struct.unpack("<I", items["8141bf1d"][0])[0] == 512
        and struct.unpack("<I", items["cda348c7"][0])[0] == 4096,
        "only blocks with data are there": [n for n, entry in enumerate(entries) if entry]
        == [0, 1, 33, 34, 35, 70],
        "blocks lie behind each other, and end with the file": places
        == list(range(places[0], len(data) // MIB)),
        "nothing overlaps": sorted((headers[0][9], about_at, bat_at, places[0] * MIB))
        == [MIB, 2 * MIB, 3 * MIB, 4 * MIB],
    }


def vdi_facts(data: bytes) -> Facts:
    fields = struct.unpack_from("<64sIIIII256sII4IIQIIII16s16s16s16s4I", data)
    map_at, data_at, blocks, allocated = fields[7], fields[8], fields[17], fields[18]
    entries = struct.unpack_from(f"<{blocks}I", data, map_at)
    return {
        "the title": fields[0].startswith(b"<<< Oracle VM VirtualBox Disk Image >>>\n"),
        "the signature": fields[1] == 0xBEDA107F,
        "version 1.1": fields[2] == 0x10001,
        "the header's size": fields[3] == 400,
        "a dynamic disk": fields[4] == 1,
        "map and data on whole MiB": not (map_at | data_at) % MIB,
        "sectors of 512": fields[12] == 512,
        "the size": fields[14] == 71 * MIB,
        "blocks of 1 MiB, as many as the disk has": fields[15] == MIB and blocks == 71,
        "as many blocks are there as are counted": allocated == sum(e != 0xFFFFFFFF for e in entries) == 6,
        "blocks lie in order": [e for e in entries if e != 0xFFFFFFFF] == list(range(6)),
        "the file ends with the last block": len(data) == data_at + allocated * MIB,
        "two identities, no parent": UUID(bytes_le=fields[19]).version
        == UUID(bytes_le=fields[20]).version
        == 4
        and fields[19] != fields[20]
        and fields[21] == fields[22] == bytes(16),
    }


VMDK_HEADER = "<4sIIQQQQIQQQBccccH433s"


def vmdk_facts(data: bytes) -> Facts:
    head = struct.unpack_from(VMDK_HEADER, data)
    foot = struct.unpack_from(VMDK_HEADER, data, len(data) - 1024)
    text = data[512 : 512 + head[6] * 512].rstrip(b"\0").decode("ascii")
    pairs = [line.partition("=") for line in text.splitlines() if "=" in line]
    lines = {key.strip(): value.strip() for key, _, value in pairs}
    cid = lines["CID"]
    return {
        "whole sectors": len(data) % 512 == 0,
        "the magic": head[0] == b"KDMV",
        "version 3, as vSphere asks for compressed grains": head[1] == 3,
        "newline test, compression, markers": head[2] == 0x30001,
        "the size is a multiple of the grain's": head[3] % head[4] == 0 and head[3] * 512 >= SIZE,
        "no more than was needed": head[3] * 512 - SIZE < 64 * KIB,
        "grains of 64 KiB": head[4] == 128,
        "512 entries a table": head[7] == 512,
        "no redundant directory": head[8] == 0,
        "the directory is told at the end": head[9] == 0xFFFF_FFFF_FFFF_FFFF,
        "the first grain lies on a grain, behind the descriptor": head[10] == 128 > head[5] + head[6],
        "a clean shutdown": head[11] == 0,
        "the newline test": head[12:16] == (b"\n", b" ", b"\r", b"\n"),
        "deflate": head[16] == 1,
        "the footer is the header, but for the directory": foot[:9] == head[:9] and foot[10:] == head[10:],
        "the footer's marker": data[-1536:-1024] == struct.pack("<QII", 1, 0, 3).ljust(512, b"\0"),
        "the end of stream": data[-512:] == bytes(512),
        "the kind": lines["createType"] == '"streamOptimized"',
        "no parent": lines["parentCID"] == "ffffffff",
        "a content id that is none of the reserved": len(cid) == 8 and cid not in {"ffffffff", "fffffffe"},
        "the long content id ends in the short one": lines["ddb.longContentID"].endswith(f'{cid}"'),
        "one extent of the whole disk": f'RDONLY {head[3]} SPARSE "' in text,
        "a SCSI adapter that Linux and AWS know": lines["ddb.adapterType"] == '"lsilogic"',
    }


def gcp_facts(data: bytes) -> Facts:
    plain = gzip.decompress(data)
    unpacker = zlib.decompressobj(wbits=31)
    unpacker.decompress(data)
    with tarfile.open(fileobj=io.BytesIO(plain)) as archive:
        members = archive.getmembers()
    member = members[0]
    head = plain[:512]
    return {
        "one gzip member, nothing behind": unpacker.eof and not unpacker.unused_data,
        "no time and no name in gzip's header": data[:10] == b"\x1f\x8b\x08\0\0\0\0\0\0\xff",
        "exactly one file": len(members) == 1,
        "named disk.raw": member.name == "disk.raw",
        "the old GNU format": head[257:265] == b"ustar  \0",
        "a sparse file": member.issparse() and head[156:157] == b"S",
        "a whole number of GiB": member.size == GIB,
        "root's, readable, without a time": (member.uid, member.gid, member.mode, member.mtime)
        == (0, 0, 0o644, 0),
        "whole records": len(plain) % 10240 == 0,
        "only what is not zeros": len(plain) < 8 * MIB,
    }


RULES: Mapping[str, Callable[[bytes], Facts]] = {
    "vhd": vhd_facts,
    "vhdx": vhdx_facts,
    "vdi": vdi_facts,
    "vmdk": vmdk_facts,
    "gcp": gcp_facts,
}


@pytest.mark.parametrize("name", RULES)
def test_the_file_keeps_the_platforms_rules(file: Callable[[str], bytes], name: str) -> None:
    facts = RULES[name](file(name))
    assert len(facts) >= 10
    assert [rule for rule, kept in facts.items() if kept is not True] == []


def grains_of(data: bytes) -> tuple[dict[int, int], list[int], bytes]:
    """Read a stream as an importer does that cannot seek: sectors of grains, tables' places, the disk."""
    head = struct.unpack_from(VMDK_HEADER, data)
    disk = bytearray(head[3] * 512)
    at = head[10]
    found: dict[int, int] = {}
    tables: list[int] = []
    while True:
        value, size, kind = struct.unpack_from("<QII", data, at * 512)
        if size:
            packed = data[at * 512 + 12 : at * 512 + 12 + size]
            grain = zlib.decompress(packed)
            assert len(grain) == 65536
            disk[value * 512 : value * 512 + 65536] = grain
            found[value // 128] = at
            at += -(-(12 + size) // 512)
            continue
        if kind == 0:
            return found, tables, bytes(disk)
        if kind == 1:
            tables.append(at + 1)
        at += 1 + value


def test_a_vmdk_is_read_as_a_stream_and_its_tables_say_the_same(
    file: Callable[[str], bytes], content: Callable[[int], bytes]
) -> None:
    data = file("vmdk")
    found, tables, disk = grains_of(data)
    assert disk == content(len(disk))
    directory_at = struct.unpack_from(VMDK_HEADER, data, len(data) - 1024)[9]
    directory = struct.unpack_from("<3I", data, directory_at * 512)
    assert [at for at in directory if at] == tables
    named = {
        table * 512 + index: at
        for table, place in enumerate(directory)
        if place
        for index, at in enumerate(struct.unpack_from("<512I", data, place * 512))
        if at
    }
    assert named == found


def test_a_fixed_vhd_begins_with_the_disk(
    file: Callable[[str], bytes], content: Callable[[int], bytes]
) -> None:
    assert file("vhd")[:-512] == content(71 * MIB)


def test_gzip_and_tar_take_the_archive(
    room: Path, file: Callable[[str], bytes], content: Callable[[int], bytes]
) -> None:
    wanted = content(SIZE)
    (room / "web.tar.gz").write_bytes(file("gcp"))
    (room / "disk.raw").unlink()
    subprocess.run(["gzip", "-t", "web.tar.gz"], cwd=room, check=True)
    listed = subprocess.run(
        ["tar", "--utc", "-tvf", "web.tar.gz"], cwd=room, check=True, capture_output=True, text=True
    )
    assert (listed.stdout, listed.stderr) == (
        "-rw-r--r-- root/root 1073741824 1970-01-01 00:00 disk.raw\n",
        "",
    )
    subprocess.run(["tar", "-xzSf", "web.tar.gz"], cwd=room, check=True)
    with (room / "disk.raw").open("rb") as stream:
        assert stream.read(SIZE) == wanted
        assert (room / "disk.raw").stat().st_size == GIB
        assert (room / "disk.raw").stat().st_blocks * 512 < 8 * MIB


@pytest.mark.parametrize(
    ("sectors", "wanted"),
    [
        pytest.param(40 * 2048, (963, 5, 17), id="40 MiB: 17 sectors a track"),
        pytest.param(5 * 2048, (150, 4, 17), id="5 MiB: four heads at least"),
        pytest.param(200 * 2048, (825, 16, 31), id="200 MiB: 31 sectors a track"),
        pytest.param(504 * 2048, (1024, 16, 63), id="504 MiB: 63 sectors a track"),
        pytest.param(GIB // 512, (2080, 16, 63), id="1 GiB"),
        pytest.param(127 * GIB // 512, (65278, 16, 255), id="127 GiB: 255 sectors a track"),
        pytest.param(4096 * GIB // 512, (65535, 16, 255), id="4 TiB: as much as a geometry can say"),
    ],
)
def test_a_vhds_geometry(sectors: int, wanted: tuple[int, int, int]) -> None:
    assert geometry(sectors) == wanted


@pytest.mark.parametrize(("name", "size"), [("vdi", 2 * MIB), ("vhdx", 4 * MIB)])
def test_the_file_of_an_empty_disk_ends_where_data_would_begin(
    disk: Callable[[int, Iterable[tuple[int, bytes]]], Path],
    convert: Callable[[Path, str], Path],
    name: str,
    size: int,
) -> None:
    assert convert(disk(5 * MIB, []), name).stat().st_size == size
