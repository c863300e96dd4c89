"""Real parts for the disk's tests: the tools tree, and trees with everything a file system can get wrong."""

import os
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from goldsmith.builder.toolstree import standing_tree
from goldsmith.disk.tools import Tools
from goldsmith.effects.process import run
from goldsmith.lock.file import lock_path, read_lock
from goldsmith.store.home import Home

EPOCH = 1_700_000_000


@pytest.fixture(scope="session")
def tools(request: pytest.FixtureRequest) -> Tools:
    """The tree that ``GOLDSMITH_TEST_TOOLS`` names, else the one that the example's build has used."""
    if os.geteuid() != 0:
        pytest.skip("needs root: a sandbox without a user namespace")
    named = os.environ.get("GOLDSMITH_TEST_TOOLS")
    if named:
        return Tools(Path(named))
    home: Home = request.getfixturevalue("shared_home")
    recipe: Path = request.getfixturevalue("web_recipe")
    request.getfixturevalue("web_build")
    lock = read_lock(lock_path(recipe))
    assert lock is not None
    made = standing_tree(lock.tools, home)
    assert made is not None, "the build has left no tools tree"
    return made


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
        ("usr/lib/long", lambda path: path.symlink_to("x/" * 150)),
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
        if path.is_symlink() or not path.is_file():
            os.utime(path, (EPOCH - 400, EPOCH - 400), follow_symlinks=False)
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


def copy_tools(tools: Tools, root: Path) -> None:
    """A tools tree that shares its files with the first; what is to be changed must be replaced, not written to."""
    linked = run(["cp", "-al", str(tools.root), str(root)], check=False)
    if linked.code != 0:
        shutil.rmtree(root, ignore_errors=True)
        run(["cp", "-a", str(tools.root), str(root)])


@pytest.fixture(scope="session")
def shimless_tools(tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Tools:
    root = tmp_path_factory.mktemp("shimless") / "tools"
    copy_tools(tools, root)
    (root / "usr/lib/shim/shimx64.efi.signed").unlink()
    return Tools(root)


CLOCK_READERS = ("date", "debugfs", "grub-mkimage", "mcopy", "mke2fs", "mkfs.erofs", "mkfs.fat", "mmd")


@pytest.fixture(scope="session")
def late_tools(tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Tools:
    """The same tools, whose programs all believe that it is the year 2039."""
    library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    if library is None:
        pytest.skip("libfaketime is not installed on this host")
    root = tmp_path_factory.mktemp("late") / "tools"
    copy_tools(tools, root)
    shutil.copy(library, root / "usr/lib/libfaketime.so.1")
    (root / "usr/real").mkdir()
    for name in CLOCK_READERS:
        path = next(
            root / place / name for place in ("usr/sbin", "usr/bin") if (root / place / name).exists()
        )
        shutil.copy(path, root / "usr/real" / name)
        path.unlink()
        # The library would move the times of files too, which is another thing.
        path.write_text(
            "#!/bin/sh\nexport LD_PRELOAD=/usr/lib/libfaketime.so.1 FAKETIME='@2039-01-01 00:00:00' NO_FAKE_STAT=1\n"
            f'exec /usr/real/{name} "$@"\n'
        )
        path.chmod(0o755)
    return Tools(root)


@pytest.fixture(scope="session")
def other_tree() -> Iterator[Path]:
    """The same tree, made in the opposite order, on tmpfs, with other access and change times."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
        root = make_tree(Path(directory) / "tree", reverse=True)
        for path in root.rglob("*"):
            facts = path.lstat()
            os.utime(path, (1_000_000_000, facts.st_mtime), follow_symlinks=False)
        yield root


@pytest.fixture
def room() -> Iterator[Path]:
    """A directory on tmpfs: disks are large, and the tests are not about the host's."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
        yield Path(directory)
