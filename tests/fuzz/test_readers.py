"""Every parser of what others have made, on damaged files: it reads them or says no, soon and without much memory."""

import bz2
import gzip
import hashlib
import io
import lzma
import os
import random
import resource
import tarfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard
from tests.adopt import in_child
from tests.adopt.archives import OS_RELEASE, ROOT, STATUS, oci_archive, tar
from tests.adopt.disks import ROOT_UUID, ext, system
from tests.disk.read.conftest import make_ext
from tests.fuzz.mutate import mutate, weak_spots
from tests.store.trees import linked, newc, opener, tree_of

from goldsmith.disk.adopt.archive import read_archive
from goldsmith.disk.adopt.recognise import installed, parse_os_release
from goldsmith.disk.adopt.unpack import unpack
from goldsmith.disk.read.area import Area
from goldsmith.disk.read.ext4.walk import Ext4
from goldsmith.disk.read.fat.walk import Fat
from goldsmith.disk.read.kinds import kind_of
from goldsmith.disk.read.limits import Tally
from goldsmith.disk.read.system import read_system
from goldsmith.disk.read.tables import partitions
from goldsmith.disk.read.tar import members
from goldsmith.effects.process import run
from goldsmith.errors import InputError, NoSpace
from goldsmith.model.oci import Descriptor, digest_of
from goldsmith.model.tree import TreeEntry
from goldsmith.store.home import Home
from goldsmith.store.layers import content_of
from goldsmith.store.layout import Layout
from goldsmith.store.listing import read_layer
from goldsmith.store.pack import frames, press_now
from goldsmith.store.remote import patches
from goldsmith.store.remote.delta import pack_stream, streams
from goldsmith.store.remote.patch_sender import in_memory
from goldsmith.store.remote.patches import Patch, Stream
from goldsmith.store.tar import END

FEW, MANY = 120, 20_000
SECONDS = 10.0
"""What one file may take."""
PEAK_MIB = 400
"""What the whole process of the tests may have taken at its peak more than before."""
HELD = 16 << 20
DATA = 400
"""Bytes of the patches that a list is of."""
Reader = Callable[[Path], object]


def area(path: Path, use: Callable[[Area], object]) -> None:
    """Open a file for a reader of areas."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        use(Area(descriptor, 0, os.fstat(descriptor).st_size))
    finally:
        os.close(descriptor)


def read_ext(path: Path) -> None:
    """All of an ext file system."""

    def use(found: Area) -> None:
        for node in Ext4(found, Tally(HELD)).walk():
            if node.body is not None and node.body.size <= HELD:
                node.body.read(0, node.body.size)

    area(path, use)


def read_fat(path: Path) -> None:
    """All of a FAT volume."""
    area(
        path, lambda found: [node.body.read(0, HELD) for node in Fat(found, Tally(HELD)).walk() if node.body]
    )


def read_tables(path: Path) -> None:
    """A partition table, and what lies in the partitions."""
    area(path, lambda found: [kind_of(found.part(x.start, x.size)) for x in partitions(found)[1]])


def read_disk(path: Path) -> None:
    """A whole disk."""
    area(path, lambda found: read_system(found, held=HELD))


def read_tar(path: Path) -> None:
    """The members of an archive."""
    area(path, lambda found: list(members(found)))


def read_whole_archive(path: Path) -> None:
    """An archive as a tree."""
    from contextlib import ExitStack  # noqa: PLC0415

    with ExitStack() as stack:
        read_archive(path, path.parent, stack, jobs=1)


def read_packed(path: Path) -> None:
    """What is packed in a file."""
    with path.open("rb") as stream:
        unpack(stream, path.stat().st_size, path.with_suffix(".out"), beyond=HELD)


def read_texts(path: Path) -> None:
    """os-release and dpkg's status."""
    text = path.read_bytes().decode(errors="replace")
    parse_os_release(text)
    installed(text)


def read_own_layer(path: Path) -> None:
    """A layer of the store; what it is said to hold must be what another program finds in it."""
    data = path.read_bytes() + END
    compress = zstandard.ZstdCompressor().compress
    packed = compress(data[: -len(END)]) + compress(END)
    layout = Layout(path.with_suffix(".store"))
    blob = Descriptor("layer", digest_of(packed), len(packed))
    layout.blobs.directory.mkdir(parents=True, exist_ok=True)
    layout.blobs.path(blob.digest).write_bytes(packed)
    try:
        content = read_layer(layout, blob).content
    except ValueError:
        return
    finally:
        layout.blobs.path(blob.digest).unlink()
    with tarfile.open(fileobj=io.BytesIO(data)) as reader:
        named = sorted(f"/{member.name}" for member in reader)
    assert named == sorted([*content.entries, *(entry.path for entry in content.above)])


def read_patches(path: Path) -> None:
    """A list of patches, which an image's list of files is the judge of."""
    data = path.read_bytes()
    with suppress(ValueError):
        found = patches.decode(zstandard.ZstdCompressor(level=1).compress(data), DATA)
        assert all(patch.start + patch.size <= DATA for patch in found.values())


def read_stream(path: Path) -> None:
    """An initial RAM disk that is patched unpacked; if that is possible at all, it is packed again as it was."""
    content = in_memory(data := path.read_bytes())
    if found := streams(content, content):
        stream, unpacked, _ = found
        assert b"".join(pack_stream(in_memory(unpacked).read, stream)) == data


def sample_patches(_room: Path) -> bytes:
    """The text of a list of patches."""
    told = [
        Patch("0" * 16, "1" * 16, (100, 200)),
        Patch("2" * 16, "", (DATA - 300,), Stream(5, 70, 3, 60, 9, plain=False)),
    ]
    return zstandard.ZstdDecompressor().decompress(patches.encode(told))


def sample_stream(_room: Path) -> bytes:
    """An archive, and one that is packed."""
    packer = zstandard.ZstdCompressor(level=9, write_checksum=True, threads=1).compressobj()
    return (
        newc({"kernel": b"k" * 700}) + packer.compress(newc({"init": bytes(range(256)) * 9})) + packer.flush()
    )


def sample_layer(_room: Path) -> bytes:
    """A layer's archive without its end: small and large files, links of both kinds, attributes, long names."""
    large, long = bytes(range(256)) * 600, "/" + "d" * 90 + "/" + "möhre" * 20
    files = {"/usr/bin/a": b"a" * 700, "/usr/large": large, long: b"long", "/usr/empty": b""}
    link = TreeEntry("/usr/link", "symlink", 0o777, 0, 0, 5, target="x" * 120)
    entries, contents = linked(tree_of(files, [link]), "/usr/bin/a", "/usr/bin/b", "group")
    entries[long] = replace(entries[long], xattrs=(("user.note", "ff00"),), uid=1 << 22)
    inside = [entry for entry in entries.values() if entry.kind != "dir"]
    content = content_of(inside, entries, {})
    made = frames(
        list(content.entries.values()), content.above, {}, opener(contents), jobs=1, press=press_now
    )
    return b"".join(frame.raw for frame in made).removesuffix(END)


def sample_ext(room: Path, *options: str) -> bytes:
    """A small ext file system with a bit of everything."""
    top = room / "tree"
    (top / "a/b").mkdir(parents=True)
    (top / "file").write_bytes(b"x" * 40_000)
    (top / "small").write_bytes(b"small")
    (top / "a/link").symlink_to("b")
    (top / "a/long").symlink_to("b" * 100)
    os.link(top / "file", top / "a/hard")
    os.setxattr(top / "file", "user.large", b"v" * 600)
    os.setxattr(top / "small", "user.small", b"v")
    return make_ext(
        top, room / "fs", "-N", "32", "-O", "^has_journal,^resize_inode", *options, size="1M"
    ).read_bytes()


def sample_fat(room: Path) -> bytes:
    """A small FAT."""
    path = room / "fat"
    run(["truncate", "-s", "256K", str(path)])
    run(["mkfs.vfat", "-n", "ESP", str(path)])
    run(["mmd", "-i", str(path), "::EFI"])
    run(["mcopy", "-i", str(path), "-", "::EFI/a long name.efi"], stdin=b"x" * 9000)
    return path.read_bytes()


def sample_gpt(room: Path) -> bytes:
    """A disk with a GPT."""
    path = room / "disk"
    run(["truncate", "-s", "256K", str(path)])
    script = b"label: gpt\nfirst-lba: 34\nstart=64, size=64, name=one\nstart=128, size=128\n"
    run(["/usr/sbin/sfdisk", "-q", str(path)], stdin=script)
    return path.read_bytes()


def sample_mbr(room: Path) -> bytes:
    """A disk with an MBR and logical partitions."""
    path = room / "disk"
    run(["truncate", "-s", "512K", str(path)])
    script = (
        b"label: dos\nstart=64, size=64, type=83\nstart=128, size=600, type=5\nstart=192, size=64, type=83\n"
    )
    run(["/usr/sbin/sfdisk", "-q", str(path)], stdin=script)
    return path.read_bytes()


def sample_disk(room: Path) -> bytes:
    """A disk with a system, without a table."""
    files = {path: data[:5000] for path, data in system("").items()}
    return ext(
        room / "root", files, ROOT_UUID, "-N", "64", "-O", "^has_journal,^resize_inode", size=1
    ).read_bytes()


TARGETS: dict[str, tuple[Callable[[Path], bytes], Reader]] = {
    "ext4": (lambda room: sample_ext(room, "-t", "ext4", "-b", "1024"), read_ext),
    "ext4 with bytes in inodes": (lambda room: sample_ext(room, "-t", "ext4", "-O", "inline_data"), read_ext),
    "ext2": (lambda room: sample_ext(room, "-t", "ext2", "-b", "1024"), read_ext),
    "FAT": (sample_fat, read_fat),
    "GPT": (sample_gpt, read_tables),
    "MBR": (sample_mbr, read_tables),
    "disk": (sample_disk, read_disk),
    "tar": (lambda _: tar(ROOT), read_tar),
    "root": (lambda _: tar(ROOT), read_whole_archive),
    "OCI archive": (
        lambda room: oci_archive(room / "oci", [gzip.compress(tar(ROOT))], kind="tar+gzip").read_bytes(),
        read_whole_archive,
    ),
    "gzip": (lambda _: gzip.compress(tar(ROOT)), read_packed),
    "xz": (lambda _: lzma.compress(tar(ROOT)), read_packed),
    "bzip2": (lambda _: bz2.compress(tar(ROOT)), read_packed),
    "zstd": (lambda _: zstandard.ZstdCompressor().compress(tar(ROOT)), read_packed),
    "a layer of the store": (sample_layer, read_own_layer),
    "a list of patches": (sample_patches, read_patches),
    "an initial RAM disk": (sample_stream, read_stream),
    "os-release and status": (lambda _: OS_RELEASE + STATUS, read_texts),
}


def complaint(read: Reader, path: Path) -> str:
    """What is wrong with how a reader took a file; empty if it read it, or refused it with a hint."""
    try:
        read(path)
    except (InputError, NoSpace) as error:
        return "" if error.hint else f"no hint: {error.message}"
    except Exception as error:  # noqa: BLE001 - just what is looked for
        return repr(error)
    return ""


def fuzz(name: str, room: Path, rounds: int) -> None:
    """Damage a sound file in ``rounds`` ways; the seed is the target's name, so a failure comes again."""
    make, read = TARGETS[name]
    sound = make(room)
    path = room / "damaged"
    path.write_bytes(sound)
    read(path)
    spots = weak_spots(sound)
    chance = random.Random(name)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    for number in range(rounds):
        data = mutate(sound, chance, spots)
        path.write_bytes(data)
        start = time.process_time()
        told = complaint(read, path)
        if told:
            kept = Path(f"/var/tmp/goldsmith-fuzz-{hashlib.sha256(data).hexdigest()[:12]}")
            kept.write_bytes(data)
            pytest.fail(f"round {number}: {told}; the file is kept at {kept}")
        assert time.process_time() - start < SECONDS, f"round {number} took too long"
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10) - before < PEAK_MIB


@pytest.mark.parametrize("name", TARGETS)
def test_damaged_files_are_read_or_refused(name: str, tmp_path: Path) -> None:
    fuzz(name, tmp_path, FEW)


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_many_damaged_files_are_read_or_refused(name: str, tmp_path: Path) -> None:
    fuzz(name, tmp_path, MANY)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["qcow2", "vmdk", "vpc", "vhdx", "vdi"])
def test_damaged_containers_are_read_or_refused(kind: str, tmp_path: Path) -> None:
    (tmp_path / "disk.raw").write_bytes(sample_disk(tmp_path))
    packed = tmp_path / "packed"
    run(["qemu-img", "convert", "-f", "raw", "-O", kind, str(tmp_path / "disk.raw"), str(packed)])
    sound = packed.read_bytes()
    spots = weak_spots(sound[: 1 << 18])
    chance = random.Random(kind)
    for _ in range(60):
        packed.write_bytes(mutate(sound, chance, spots))
        facts = in_child.adopt(packed, Home(tmp_path / "home"), check=False)
        assert facts.get("error", "InputError") in {"InputError", "NoSpace"}, facts
        assert facts["peak_mib"] < PEAK_MIB
