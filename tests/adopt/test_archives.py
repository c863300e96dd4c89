"""Archives of roots and OCI archives, honest and hostile, taken into a store."""

import bz2
import gzip
import hashlib
import io
import lzma
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from tests.adopt.archives import ROOT, Member, oci_archive, tar

from goldsmith.disk.adopt.keep import Adopted, adopt
from goldsmith.disk.adopt.unpack import unpack
from goldsmith.disk.stored import raw_disk
from goldsmith.errors import GoldsmithError, InputError, UsageError
from goldsmith.store.home import Home
from goldsmith.store.images import layout_of
from goldsmith.store.record import parts_of
from goldsmith.store.tree import TreeIndex, open_path, read_index

PACKED: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda data: data,
    "gzip": lambda data: gzip.compress(data, 1),
    "two gzip streams": lambda data: gzip.compress(data[:3000]) + gzip.compress(data[3000:]),
    "xz": lzma.compress,
    "bzip2": bz2.compress,
    "zstd": lambda data: zstandard.ZstdCompressor().compress(data),
    "two zstd frames": lambda data: b"".join(
        zstandard.ZstdCompressor().compress(x) for x in (data[:99], data[99:])
    ),
}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An empty data directory."""
    return Home(tmp_path / "home")


def adopted(path: Path, home: Home) -> Adopted:
    """The image in a file."""
    return adopt(path, name="vendor", version="1.0.0", home=home)


def tree_of(home: Home, found: Adopted) -> TreeIndex:
    """Its tree, as the store has it."""
    layout = layout_of(home)
    return read_index(layout, parts_of(layout, found.image.index, "vendor").tree_index.digest)


def written(path: Path, data: bytes) -> Path:
    """A file with bytes."""
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("name", PACKED)
def test_the_archive_of_a_root_is_taken_in(name: str, home: Home, tmp_path: Path) -> None:
    found = adopted(written(tmp_path / "root", PACKED[name](tar(ROOT))), home)
    index = tree_of(home, found)
    assert list(index.entries) == [
        "/bin", "/etc", "/etc/os-release", "/usr", "/usr/bin", "/usr/bin/same", "/usr/bin/tool", "/var", "/var/lib",
        "/var/lib/dpkg", "/var/lib/dpkg/status",
    ]  # fmt: skip
    tool = index.entries["/usr/bin/tool"]
    assert (tool.mode, tool.uid, tool.gid, tool.mtime) == (0o4755, 3, 4, 1_700_000_000)
    assert index.entries["/usr/bin/same"].link == tool.link != ""
    assert index.entries["/bin"].target == "usr/bin"
    with open_path(layout_of(home), index, "/usr/bin/same") as stream:
        assert stream.read() == b"#!/bin/sh\n"
    assert (found.recognised.distribution, found.recognised.suite) == ("debian", "trixie")
    assert [(x.name, x.version) for x in found.recognised.packages] == [("dpkg", "1.22")]
    assert found.recognised.architecture == "amd64"
    assert found.image.facts["disk_size"] == 0


def test_an_image_without_a_disk_gives_none(home: Home, tmp_path: Path) -> None:
    found = adopted(written(tmp_path / "root", tar(ROOT)), home)
    with pytest.raises(UsageError, match="has no disk"):
        raw_disk(home, found.image)


LONG = "./etc/" + "d" * 120 + "/" + "f" * 150
FORMS = {"gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}


@pytest.mark.parametrize("form", FORMS)
def test_long_names_large_numbers_and_attributes_are_read(form: str, home: Home, tmp_path: Path) -> None:
    more: list[Member] = [
        (LONG, b"long", {"uid": 3_000_000}),
        ("./etc/link", "t" * 150, {}),
        ("./etc/größe", b"", {}),
        (
            "./etc/cap",
            b"x",
            {"pax_headers": {"SCHILY.xattr.user.a": "value", "SCHILY.xattr.trusted.b": "no"}},
        ),
    ]
    index = tree_of(home, adopted(written(tmp_path / "root", tar([*ROOT, *more], form=FORMS[form])), home))
    assert index.entries[LONG[1:]].uid == 3_000_000
    assert index.entries["/etc/link"].target == "t" * 150
    assert "/etc/größe" in index.entries
    if form == "pax":
        assert index.entries["/etc/cap"].xattrs == (("user.a", b"value".hex()),)


def test_devices_below_dev_are_left_out_and_told(home: Home, tmp_path: Path) -> None:
    device: Member = ("./dev/null", b"", {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 3})
    found = adopted(written(tmp_path / "root", tar([*ROOT, device])), home)
    assert "/dev/null" not in tree_of(home, found).entries
    assert any("/dev/null" in warning for warning in found.warnings)


@pytest.mark.parametrize(("kind", "pack"), [("tar+gzip", gzip.compress), ("tar", bytes)])
def test_layers_hide_and_replace_what_lies_below(
    home: Home, tmp_path: Path, kind: str, pack: Callable[[bytes], bytes]
) -> None:
    layers: list[list[Member]] = [
        [*ROOT, ("opt/old/a", b"a", {}), ("opt/old/b", b"b", {}), ("opt/gone", b"x", {}), ("opt/kind", b"file", {})],
        [("opt/old/.wh..wh..opq", b"", {}), ("opt/old/c", b"c", {}), ("opt/.wh.gone", b"", {}), ("bin/new", b"n", {}),
         ("opt/kind", None, {}), ("opt/kind/inside", b"", {})],
    ]  # fmt: skip
    packed = [pack(tar(layer)) for layer in layers]
    found = adopted(oci_archive(tmp_path / "oci.tar", packed, kind=kind), home)
    entries = tree_of(home, found).entries
    assert entries["/opt/old/c"].sha256 == hashlib.sha256(b"c").hexdigest()
    assert entries["/usr/bin/new"].sha256 == hashlib.sha256(b"n").hexdigest()
    paths = {path for path in entries if path.startswith(("/opt", "/usr/bin", "/bin"))}
    assert paths == {
        "/bin", "/opt", "/opt/kind", "/opt/kind/inside", "/opt/old", "/opt/old/c", "/usr/bin", "/usr/bin/new",
        "/usr/bin/same", "/usr/bin/tool",
    }  # fmt: skip
    assert found.format == "oci-archive"


HOSTILE: dict[str, tuple[list[Member], str]] = {
    "a name that leads out": ([("../../etc/passwd", b"", {})], "leads out of it"),
    "a name that leads out on the way": ([("etc/../../x", b"", {})], "leads out of it"),
    "an absolute name": ([("/etc/passwd", b"", {})], "absolute name"),
    "a file below a link to the host": ([("etc/out", "/etc", {}), ("etc/out/passwd", b"", {})], "below the symbolic link"),
    "a file below a link that leads up": ([("up", "../..", {}), ("up/x", b"", {})], "below the symbolic link"),
    "a directory below a link": ([("out", "/tmp", {}), ("out/d", None, {})], "below the symbolic link"),
    "a file below a file": ([("etc/os-release/x", b"", {})], "no directory"),
    "a link through a link": (
        [("out", "/etc", {}), ("x", "out/passwd", {"type": tarfile.LNKTYPE})], "below the symbolic link"
    ),
    "a hard link out of it": ([("x", "../../etc/passwd", {"type": tarfile.LNKTYPE})], "leads out of it"),
    "a hard link to the host": ([("x", "/etc/shadow", {"type": tarfile.LNKTYPE})], "absolute name"),
    "a hard link to nothing": ([("x", "etc/none", {"type": tarfile.LNKTYPE})], "no file before it"),
    "a hard link to a directory": ([("x", "usr/bin", {"type": tarfile.LNKTYPE})], "no file before it"),
    "a link that is named as merged and leads elsewhere": (
        [("lib", "/etc", {}), ("lib/passwd", b"", {})], "below the symbolic link"
    ),
    "a device node": (
        [("etc/disk", b"", {"type": tarfile.BLKTYPE, "devmajor": 8, "devminor": 0})], "device node"
    ),
    "a mark of an overlay": ([("etc/x", b"", {"type": tarfile.CHRTYPE})], "device node"),
    "an unknown kind": ([("x", b"", {"type": b"Q"})], "unknown kind"),
    "a path of 5000 bytes": ([("d/" * 2500 + "x", b"", {})], "a name of"),
    "a link to nowhere": ([("x", "", {})], "points to 0 bytes"),
}  # fmt: skip


@pytest.mark.parametrize("layered", [False, True], ids=["root", "layer"])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_is_refused(name: str, layered: bool, home: Home, tmp_path: Path) -> None:
    members, message = HOSTILE[name]
    data = tar([*ROOT, *members])
    path = oci_archive(tmp_path / "x", [data]) if layered else written(tmp_path / "x", data)
    with pytest.raises(InputError) as raised:
        adopted(path, home)
    assert message in str(raised.value)
    assert str(path) in str(raised.value)
    assert list(layout_of(home).refs()) == []


def header(size: bytes = b"%011o\0" % 0, kind: bytes = b"0", name: bytes = b"x") -> bytes:
    """A tar header with a checksum that fits."""
    head = bytearray(
        name.ljust(100, b"\0") + b"0000644\0" * 3 + size.ljust(12) + b"00000000000\0" + b" " * 8 + kind
    )
    head = head.ljust(257, b"\0") + b"ustar\x0000"
    head = head.ljust(512, b"\0")
    head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head)


DAMAGED = {
    "cut off within a file": (tar(ROOT)[:2600], "cut off"),
    "without an end": (tar(ROOT)[:2560], "cut off"),
    "with a wrong checksum": (tar(ROOT)[:600] + b"!" + tar(ROOT)[601:], "wrong checksum"),
    "with a file of 8 EiB": (header(b"\x80" + bytes(3) + b"\x7f" + b"\xff" * 7) + bytes(1024), "cut off"),
    "with a negative size": (header(b"\xff" * 12) + bytes(1024), "-1 bytes"),
    "with a name of 4 GiB": (header(b"%011o\0" % 0xFFFF_FFFF, b"L") + bytes(1024), "a header of the archive"),
    "with pax records of no length": (
        header(b"%011o\0" % 9, b"x") + b"0 a=b\n".ljust(512, b"\0") + tar(ROOT), "pax header"
    ),
    "with a number that is none": (header(b"99999999999\0") + bytes(1024), "a number in the archive"),
    "with no members": (header(kind=b"x") + bytes(1024), "holds no files"),
    "gzip, cut off": (gzip.compress(tar(ROOT))[:-40], "cannot be unpacked"),
    "gzip, damaged": (gzip.compress(tar(ROOT))[:60] + b"!!!!" + gzip.compress(tar(ROOT))[64:], "cannot be unpacked"),
    "xz, cut off": (lzma.compress(tar(ROOT))[:-40], "cannot be unpacked"),
    "zstd, damaged": (zstandard.ZstdCompressor().compress(tar(ROOT))[:60] + bytes(60), "cannot be unpacked"),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_archive_is_refused(name: str, home: Home, tmp_path: Path) -> None:
    data, message = DAMAGED[name]
    with pytest.raises(InputError) as raised:
        adopted(written(tmp_path / "x", data), home)
    assert message in str(raised.value)


BOMBS: dict[str, Callable[[bytes], bytes]] = {name: PACKED[name] for name in ("gzip", "xz", "bzip2", "zstd")}


@pytest.mark.parametrize("name", BOMBS)
def test_what_unpacks_to_too_much_is_refused(name: str, tmp_path: Path) -> None:
    data = BOMBS[name](bytes(40 << 20))
    with pytest.raises(InputError, match="unpacks to more than 64 times"):
        unpack(io.BytesIO(data), len(data), tmp_path / "out", beyond=1 << 20)
    assert (tmp_path / "out").stat().st_size <= (1 << 20) + 64 * len(data)


@pytest.mark.slow
def test_a_bomb_of_zeros_is_refused(home: Home, tmp_path: Path) -> None:
    path = tmp_path / "bomb.gz"
    packer = zlib.compressobj(1, wbits=31)
    with path.open("wb") as stream:
        for _ in range(4096):
            stream.write(packer.compress(bytes(1 << 20)))
        stream.write(packer.flush())
    with pytest.raises(InputError, match="unpacks to more than 64 times"):
        adopted(path, home)
    assert list((home / "work").glob("*/unpacked")) == []


def test_an_object_that_is_not_what_it_says_is_refused(home: Home, tmp_path: Path) -> None:
    path = oci_archive(tmp_path / "x", [tar(ROOT)], lie="00")
    with pytest.raises(InputError, match="not what its name says"):
        adopted(path, home)


NAMES = {
    "capitals": ("Vendor", "1.0.0"),
    "two numbers": ("vendor", "1.0"),
    "a path": ("../vendor", "1.0.0"),
    "nothing": ("", "1.0.0"),
}


@pytest.mark.parametrize("name", NAMES)
def test_what_cannot_name_an_image_is_refused_first(name: str, home: Home, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot name an image"):
        adopt(tmp_path / "not there", name=NAMES[name][0], version=NAMES[name][1], home=home)


def test_the_same_file_is_the_same_image(home: Home, tmp_path: Path) -> None:
    path = written(tmp_path / "root", tar(ROOT))
    first, second = adopted(path, home), adopted(path, home)
    assert first.image.own == second.image.own
    path.write_bytes(tar([*ROOT, ("etc/more", b"", {})]))
    assert adopted(path, home).image.own == "vendor:1.0.0-b2"


def test_files_that_are_none_are_refused(home: Home, tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none", Path("/dev/zero")):
        with pytest.raises(GoldsmithError):
            adopted(path, home)


def test_archives_of_other_kinds_are_refused_by_name(home: Home, tmp_path: Path) -> None:
    docker: list[Member] = [("manifest.json", b"[]", {}), ("abc.json", b"{}", {})]
    with pytest.raises(InputError, match="docker format"):
        adopted(written(tmp_path / "docker.tar", tar(docker)), home)
    with pytest.raises(InputError, match="an archive of a disk"):
        adopted(written(tmp_path / "gcp.tar", tar([("disk.raw", bytes(100), {})])), home)
