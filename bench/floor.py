"""What each step of a build costs at least: plain tools on the same packages, on this machine.

    .venv/bin/python bench/floor.py --lock RECIPE.lock --home GOLDSMITH_HOME

``script/bench build`` prints these figures beside goldsmith's steps.
"""

import argparse
import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from measure import run, table

TMPFS = Path("/dev/shm")
TMPFS_NEEDED = 5 << 30
LINKS = ("bin", "sbin", "lib", "lib64")
DISK_MIB = 800
"""About what goldsmith gives this tree."""
REST = "the rest"
"""What a build does outside its steps; most of it is writing the qcow2."""

ENTER = """
tree=$1 store=$2; shift 2
mount --make-rprivate /
mount -t proc proc "$tree/proc"
for name in dev run tmp; do mount -t tmpfs tmpfs "$tree/$name"; done
mknod -m 666 "$tree/dev/null" c 1 3
mknod -m 666 "$tree/dev/zero" c 1 5
mknod -m 666 "$tree/dev/random" c 1 8
mknod -m 666 "$tree/dev/urandom" c 1 9
ln -s /proc/self/fd "$tree/dev/fd"
mkdir "$tree/run/store"
mount --bind "$store" "$tree/run/store"
exec chroot "$tree" "$@"
"""
"""Runs a command in the tree, without network, in namespaces that end with it."""
ENVIRONMENT = {
    "DEBIAN_FRONTEND": "noninteractive",
    "SYSTEMD_OFFLINE": "1",
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C.UTF-8",
    # Asks the kernel's postinst for no initial RAM disk: that is a step of its own.
    "INITRD": "No",
}


@dataclass(frozen=True, slots=True)
class Floor:
    """The least time of one thing that a build does."""

    step: str
    """The name that goldsmith's step begins with; empty for what no step does in a warm build."""
    label: str
    """What was timed."""
    seconds: float


def measure_floor(lock: Path, home: Path, work: Path) -> list[Floor]:
    """Build the lock's tree and disk with plain tools, one after the other.

    Args:
        lock: a recipe's lock; all its packages are in ``home``.
        home: a ``GOLDSMITH_HOME``.
        work: where to work if there is no room on tmpfs.

    Raises:
        SystemExit: a tool failed; its last words are shown.
    """
    store = home / "packages/sha256"
    packages = json.loads(lock.read_text())["packages"]
    # The accounts file comes first: other packages' preinst scripts look names up.
    packages.sort(key=lambda package: (package["name"] != "base-passwd", package["name"]))
    names = [f"{package['sha256'][:2]}/{package['sha256']}" for package in packages]
    with fast_directory(work) as directory:
        tree = directory / "tree"
        prepare(tree)
        unpacked = extract(store, names, tree)
        tell_dpkg(tree, store, names)
        return [
            Floor("", "extract the packages, two processes (goldsmith keeps them extracted)", unpacked),
            Floor("place", "cp -al of the unpacked tree", shell(f"cp -al {tree} {directory}/linked")),
            Floor("configure", "dpkg --configure -a", configure(tree, store)),
            Floor("initramfs", "update-initramfs -c", make_initramfs(tree, store)),
            *disk_floors(tree, directory),
        ]


def disk_floors(tree: Path, directory: Path) -> Iterator[Floor]:
    """What it costs to make a disk of a tree, to digest it, and to write it compressed."""
    disk, qcow2 = directory / "disk.raw", directory / "disk.qcow2"
    each = f"find {tree} -xdev -type f -print0 | xargs -0 -P2 -n500"
    yield Floor("", "read every file of the tree", shell(f"{each} cat >/dev/null"))
    yield Floor(
        "",
        "SHA-256 of every file, two processes (goldsmith digests what a step wrote)",
        shell(f"{each} sha256sum >/dev/null"),
    )
    make = f"truncate -s {DISK_MIB}M {disk}; mke2fs -q -t ext4 -O ^has_journal -d {tree} {disk} 2>/dev/null"
    yield Floor("disk", "mke2fs -d", shell(make))
    yield Floor("disk", "SHA-256 of the disk", shell(f"sha256sum {disk} >/dev/null"))
    yield Floor(REST, "zstd -3 of the disk, two threads", shell(f"zstd -q -3 -T2 -c {disk} >/dev/null"))
    convert = f"qemu-img convert -c -O qcow2 -o compression_type=zstd -m 2 -W {disk} {qcow2}"
    yield Floor("", "qemu-img convert to qcow2 with zstd, for comparison", shell(convert))


@contextmanager
def fast_directory(work: Path) -> Iterator[Path]:
    """A directory on tmpfs where that has room, else in ``work``; gone afterwards."""
    roomy = TMPFS.is_dir() and shutil.disk_usage(TMPFS).free > TMPFS_NEEDED
    directory = Path(tempfile.mkdtemp(prefix="goldsmith-floor-", dir=TMPFS if roomy else work))
    try:
        yield directory
    finally:
        shutil.rmtree(directory)


def shell(script: str) -> float:
    """Seconds of a shell script."""
    return run(["sh", "-c", script]).seconds


def inside(tree: Path, store: Path, *argv: str) -> float:
    """Seconds of a command in the tree; it sees the package store at ``/run/store``."""
    start = "unshare --mount --net --pid --ipc --uts --fork sh -eu -c".split()  # noqa: SIM905 - reads as typed
    return run([*start, ENTER, "enter", str(tree), str(store), *argv], environment=ENVIRONMENT).seconds


def prepare(tree: Path) -> None:
    """An empty tree with a merged /usr."""
    for name in LINKS:
        (tree / "usr" / name).mkdir(parents=True)
        (tree / name).symlink_to(f"usr/{name}")


def extract(store: Path, names: Sequence[str], tree: Path) -> float:
    """Extract all packages into one tree; seconds."""
    listed = tree.with_name("names")
    listed.write_text("\n".join(names))
    return shell(f"cd {store} && xargs -a {listed} -P2 -I@ dpkg-deb -x @ {tree}")


def tell_dpkg(tree: Path, store: Path, names: Sequence[str]) -> None:
    """Have the tree's own dpkg unpack everything once more, so that its database is as before ``--configure``."""
    for name in ("status", "available"):
        (tree / "var/lib/dpkg" / name).touch()
    for name in ("info", "updates", "triggers"):
        (tree / "var/lib/dpkg" / name).mkdir(exist_ok=True)
    paths = [f"/run/store/{name}" for name in names]
    inside(tree, store, "dpkg", "--force-depends", "--force-unsafe-io", "--unpack", *paths)


def configure(tree: Path, store: Path) -> float:
    """Seconds of all maintainer scripts, run by dpkg; every package must be installed afterwards."""
    seconds = inside(tree, store, "dpkg", "--configure", "-a")
    states = [
        line
        for line in (tree / "var/lib/dpkg/status").read_text().splitlines()
        if line.startswith("Status: ")
    ]
    if set(states) != {"Status: install ok installed"}:
        raise SystemExit(f"the floor's tree has packages in other states: {sorted(set(states))}")
    return seconds


def make_initramfs(tree: Path, store: Path) -> float:
    """Seconds to make one initial RAM disk, anew."""
    for made in (tree / "boot").glob("initrd.img-*"):
        made.unlink()
    return inside(tree, store, "update-initramfs", "-c", "-k", "all")


def compare(floors: Sequence[Floor], steps: Sequence[tuple[str, float]]) -> str:
    """Each floor, and what goldsmith's steps of that name took together, as a table.

    Where several floors are of one step, that step's time stands on the first; its factor is of their sum.
    """
    rows = [["plain tool", "floor s", "goldsmith's step", "goldsmith s", "times the floor"]]
    told: set[str] = set()
    for floor in floors:
        taken = sum(seconds for name, seconds in steps if floor.step and name.startswith(floor.step))
        if not taken or floor.step in told:
            rows.append([floor.label, f"{floor.seconds:.2f}", "", "", ""])
            continue
        told.add(floor.step)
        least = sum(other.seconds for other in floors if other.step == floor.step)
        rows.append([floor.label, f"{floor.seconds:.2f}", floor.step, f"{taken:.2f}", f"{taken / least:.2f}"])
    return table(rows)


def main() -> None:
    """Measure and print the floors alone."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lock", type=Path, required=True)
    parser.add_argument("--home", type=Path, required=True)
    options = parser.parse_args()
    print(compare(measure_floor(options.lock, options.home, Path("/var/tmp")), []))


if __name__ == "__main__":
    main()
