"""Trees with everything that a file system keeps, and file systems made of them by e2fsprogs and dosfstools."""

import os
import random
import re
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from goldsmith.disk.read.area import Area
from goldsmith.effects.process import run

CAPABILITY = struct.pack("<IIIII", 0x0200_0001, 1 << 10, 0, 0, 0)
"""cap_net_bind_service=ep."""
ACL = struct.pack("<I", 2) + b"".join(
    struct.pack("<HHI", tag, rights, who)
    for tag, rights, who in (
        (1, 6, 0xFFFF_FFFF), (2, 4, 1234), (4, 4, 0xFFFF_FFFF), (8, 6, 70_000), (16, 6, 0xFFFF_FFFF), (32, 0, 0xFFFF_FFFF),
    )
)  # fmt: skip
SIZES = (
    0,
    1,
    59,
    60,
    61,
    100,
    155,
    160,
    1023,
    1024,
    1025,
    4095,
    4096,
    4097,
    12 * 1024 + 1,
    300_000,
    5_000_000,
)


def populate(top: Path) -> None:
    """Everything that a tree can have."""
    noise = random.Random(3)
    for size in SIZES:
        (top / f"file-{size}").write_bytes(noise.randbytes(size))
    holes = top / "sparse"
    with holes.open("wb") as stream:
        stream.truncate(80 << 20)
        for at in (0, 300_000, 20 << 20, 75 << 20):
            stream.seek(at)
            stream.write(noise.randbytes(9_000))
    (top / "zeros").write_bytes(bytes(200_000))
    for length in (1, 59, 60, 61, 155, 500, 1000):
        (top / f"link-{length}").symlink_to(("x/" * length)[:length])
    os.link(top / "file-4097", top / "hard-1")
    room = top / "a" / "b"
    room.mkdir(parents=True, mode=0o2750)
    os.link(top / "file-4097", room / "hard-2")
    many = top / "many"
    many.mkdir()
    for number in range(400):
        (many / f"{'n' * 40}{number}").write_bytes(b"%d" % number)
    (top / ("l" * 255)).write_bytes(b"long")
    Path(os.fsdecode(os.fsencode(top) + b"/not-utf8-\xff\xfe")).write_bytes(b"odd")
    os.mkfifo(top / "fifo")
    with socket.socket(socket.AF_UNIX) as listening:
        before = Path.cwd()
        os.chdir(top)
        listening.bind("socket")
        os.chdir(before)
    os.mknod(top / "char", 0o20600, os.makedev(1, 3))
    os.mknod(top / "block", 0o60640, os.makedev(300, 70_000))
    (top / "dir").mkdir(mode=0o1777)
    for name, value in (
        ("user.small", b"v"),
        ("user.large", noise.randbytes(700)),
        ("security.capability", CAPABILITY),
    ):
        os.setxattr(top / "file-100", name, value)
    os.setxattr(top / "dir", "system.posix_acl_default", ACL)
    os.setxattr(top / "file-1024", "system.posix_acl_access", ACL)
    os.chown(top / "file-1025", 70_000, 80_000)
    os.chmod(top / "file-1", 0o4755)
    for name, seconds in (("file-60", 4_000_000_000), ("file-61", 1), ("dir", 1_700_000_000)):
        os.utime(top / name, (seconds, seconds))


@pytest.fixture(scope="session")
def full_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree with everything; only root can make it."""
    if os.geteuid() != 0:
        pytest.skip("device nodes and owners are root's to make")
    top = tmp_path_factory.mktemp("full")
    top.chmod(0o755)
    populate(top)
    return top


def e2fsprogs() -> tuple[int, ...]:
    """The version of this host's e2fsprogs, as numbers."""
    told = run(["mke2fs", "-V"]).stderr.decode()
    found = re.search(r"mke2fs (\d+)\.(\d+)\.(\d+)", told)
    assert found, told
    return tuple(map(int, found.groups()))


def make_ext(tree: Path, output: Path, *options: str, size: str = "200M") -> Path:
    """A file system with a tree in it."""
    run(["mke2fs", "-q", "-F", *options, "-d", str(tree), str(output), size])
    return output


def area_of(path: Path) -> Iterator[Area]:
    """A file as an area."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield Area(descriptor, 0, os.fstat(descriptor).st_size)
    finally:
        os.close(descriptor)
