"""Real parts for the disk's tests: the tools tree, and trees with everything a file system can get wrong."""

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from goldsmith.disk.tools import Tools
from goldsmith.model.disk import TreeNeed
from goldsmith.model.recipe import DiskSpec

EPOCH = 1_700_000_000
SMALL = DiskSpec(headroom=1 << 20)
NEED = TreeNeed(inodes=1000, blocks=10_000)


@pytest.fixture(scope="session")
def tools() -> Tools:
    root = Path(os.environ.get("GOLDSMITH_TEST_TOOLS", "/tmp/goldsmith-tools"))
    if not (root / "usr/sbin/mke2fs").is_file():
        pytest.skip(f"no tools tree at {root}: name one in GOLDSMITH_TEST_TOOLS")
    if os.geteuid() != 0:
        pytest.skip("needs root: a sandbox without a user namespace")
    return Tools(root)


def entries(seed: int = 1) -> list[tuple[str, Callable[[Path], None]]]:
    """A tree as a list of things to make, each independent of the others but for its directory."""
    noise = random.Random(seed)

    def file(data: bytes, mode: int = 0o644, mtime: int = EPOCH - 1000) -> Callable[[Path], None]:
        def make(path: Path) -> None:
            path.write_bytes(data)
            path.chmod(mode)
            os.utime(path, (path.stat().st_atime, mtime))

        return make

    made: list[tuple[str, Callable[[Path], None]]] = [
        ("etc/hostname", file(b"golden\n")),
        ("etc/shadow", file(b"root:*:\n", 0)),
        ("usr/bin/tool", file(noise.randbytes(70_000), 0o4755)),
        ("usr/lib/large", file(noise.randbytes(3 << 20))),
        ("usr/lib/empty", file(b"")),
        ("usr/lib/zeros", file(bytes(100_000))),
        ("usr/lib/short", lambda path: path.symlink_to("large")),
        ("usr/lib/long", lambda path: path.symlink_to("x" * 300)),
        ("usr/lib/späße ñ", file(b"utf-8")),
        ("dev/null", lambda path: os.mknod(path, 0o20666, os.makedev(1, 3))),
        ("run/pipe", os.mkfifo),
        ("etc/late", file(b"later than the epoch", mtime=EPOCH + 5_000_000)),
    ]
    made += [
        (f"usr/share/many/{number:03}-{'n' * (number % 90)}", file(noise.randbytes(number * 7)))
        for number in range(300)
    ]
    return made


def make_tree(root: Path, *, reverse: bool = False) -> Path:
    """Make the tree; ``reverse`` makes its files in the opposite order."""
    made = entries()
    for name, make in reversed(made) if reverse else made:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        make(path)
    os.link(root / "usr/bin/tool", root / "usr/bin/twin")
    # cap_net_raw+ep, as iputils-ping has it.
    capability = bytes.fromhex("0100000200200000000000000000000000000000")
    os.setxattr(root / "usr/bin/tool", "security.capability", capability)
    for directory, _, _ in os.walk(root):
        os.chmod(directory, 0o755)
        os.utime(directory, (os.stat(directory).st_atime, EPOCH - 500))
    return root


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tree(tmp_path_factory.mktemp("tree"))
