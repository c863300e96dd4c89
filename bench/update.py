"""Bytes that an update moves, and what both versions take: goals, figures and peers in one run.

    script/bench update --mirror URI [--job packages|updates] [--new-kernel] [--work DIR]
    script/bench update --home HOME --old REF --new REF [--work DIR]

The first form builds the two jobs that ``update_jobs.py`` describes. Every byte counts that passes a TCP proxy in either
direction, headers too. Peers run where they are installed: casync on the raw disks, one layer of what differs, whole files.
What the goal is measured against: the files of the new image whose content the old one does not have, as one zstd stream of
level 3.
"""

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import zstandard

sys.path.insert(0, str(Path(__file__).parent))

from goldsmith.disk.stored import raw_disk
from goldsmith.store import tar
from goldsmith.store.home import Home
from goldsmith.store.images import StoredImage, find, layout_of
from goldsmith.store.record import parts_of
from goldsmith.store.tree import TreeIndex, pieces, read_index
from measure import run, table
from update_jobs import JOBS, archives, build

GOLDSMITH = str(Path(sys.executable).with_name("goldsmith"))
CONFIG = {"version": 0.1, "log": {"level": "error"}}
STORED = 175e6
"""Bytes that both versions may take."""
FEWER = 3
"""How many times fewer bytes than casync are to move, where ``mke2fs -d`` has made the disks."""
PEER = "casync, disks by mke2fs -d"


@dataclass(frozen=True, slots=True)
class Way:
    """A way to bring an update, and what it took."""

    name: str
    moved: int
    """Bytes."""
    stored: int
    """Bytes of both versions where they are kept."""
    seconds: float


@dataclass
class Proxy:
    """Passes connections on and counts bytes."""

    target: tuple[str, int]
    moved: int = 0
    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def host(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self.listener.getsockname()[1]}"

    def start(self) -> None:
        """Take connections until the process ends."""
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            near, _ = self.listener.accept()
            far = socket.create_connection(self.target)
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    def _pump(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(1 << 16):
                other.sendall(data)
                with self.lock:
                    self.moved += len(data)
        with suppress(OSError):
            other.shutdown(socket.SHUT_WR)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def wait_for(port: int) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit(f"nothing listens on port {port}")


@contextmanager
def server(argv: list[str], port: int, home: Path) -> Iterator[Proxy]:
    """A server behind a proxy."""
    environment = {**os.environ, "GOLDSMITH_HOME": str(home)}
    with subprocess.Popen(
        argv, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            wait_for(port)
            proxy = Proxy(("127.0.0.1", port))
            proxy.start()
            yield proxy
        finally:
            process.terminate()


def index_of(home: Home, image: StoredImage) -> TreeIndex:
    layout = layout_of(home)
    return read_index(layout, parts_of(layout, image.index, image.reference).tree_index.digest)


def changed(home: Home, old: StoredImage, new: StoredImage) -> tuple[int, int]:
    """How many files the new image has whose content the old one lacks, and their bytes after zstd."""
    known = {entry.sha256 for entry in index_of(home, old).entries.values()}
    index = index_of(home, new)
    paths = {
        index.entries[path].sha256: path for path in index.places if index.entries[path].sha256 not in known
    }
    packer, size = zstandard.ZstdCompressor(level=3).compressobj(), 0
    for piece in pieces(layout_of(home), index, list(paths.values())):
        size += len(packer.compress(bytes(piece.data)))
    return len(paths), size + len(packer.flush())


def size_of(directory: Path) -> int:
    """Bytes of all files below."""
    return sum(path.lstat().st_size for path in directory.rglob("*") if path.is_file())


def layer_of_changes(home: Home, old: StoredImage, new: StoredImage) -> Way:
    """What builders of container images move: one layer with every path that differs, as tar and zstd -3; whiteouts left out."""
    start = time.monotonic()
    before, index = index_of(home, old).entries, index_of(home, new)
    paths = [path for path, entry in index.entries.items() if before.get(path) != entry]
    packer, size = zstandard.ZstdCompressor(level=3).compressobj(), 0
    for path in paths:
        entry = index.entries[path]
        link = entry.link if entry.link not in {"", path} else ""
        size += len(packer.compress(tar.header(replace(entry, xattrs=()) if link else entry, link_to=link)))
        if path in index.places and not link:
            for piece in pieces(layout_of(home), index, [path]):
                size += len(packer.compress(bytes(piece.data)))
            size += len(packer.compress(bytes(-entry.size % tar.RECORD)))
    size += len(packer.flush())
    first = sum(layer.blob.size for layer in index_of(home, old).layers)
    return Way("one layer of changes (OCI)", size, first + size, time.monotonic() - start)


def packages_that_differ(home: Home, old: str, new: str) -> int:
    """How many packages are new, gone or of another version."""
    told = run([GOLDSMITH, "diff", old, new, "--json"], environment={"GOLDSMITH_HOME": str(home.path)})
    return len(json.loads(told.output)["packages"])


def pull(work: Path, name: str, place: str, old: str, new: str, proxy: Proxy) -> Way:
    """Pull the old image, then the new one; the second is measured."""
    home = work / f"site-{name.partition(' ')[0]}"
    run([GOLDSMITH, "pull", f"{place}/{old}"], environment={"GOLDSMITH_HOME": str(home)})
    before = proxy.moved
    done = run([GOLDSMITH, "pull", f"{place}/{new}"], environment={"GOLDSMITH_HOME": str(home)})
    return Way(f"goldsmith pull, {name}", proxy.moved - before, size_of(home / "store/blobs"), done.seconds)


def casync(work: Path, name: str, disks: list[Path]) -> list[Way]:
    """Chunks of the new disk that the old one does not have, and the index."""
    if shutil.which("casync") is None:
        return []
    store, sizes, index = work / f"casync {name}", [], work / "disk.caibx"
    for disk in disks:
        done = run(["casync", "make", f"--store={store}", str(index), str(disk)])
        sizes.append(sum(path.stat().st_size for path in store.rglob("*.cacnk")))
    listed = index.stat().st_size
    return [Way(f"casync, {name}", sizes[1] - sizes[0] + listed, sizes[1] + 2 * listed, done.seconds)]


def fresh_disks(work: Path, home: Path, references: list[str]) -> list[Path]:
    """The same trees as other builders put them on disks: by ``mke2fs -d``; needs root, for owners."""
    disks = []
    for number, reference in enumerate(references):
        archive, tree, disk = work / "tree.tar", work / f"tree{number}", work / f"fresh{number}.raw"
        tree.mkdir()
        words = [GOLDSMITH, "export", reference, "--format", "tar", "--output", str(archive)]
        run(words, environment={"GOLDSMITH_HOME": str(home)})
        run(
            [
                "tar",
                "-C",
                str(tree),
                "-xpf",
                str(archive),
                "--numeric-owner",
                "--xattrs",
                "--xattrs-include=*",
            ]
        )
        run(["mke2fs", "-q", "-t", "ext4", "-d", str(tree), str(disk), "1400M"])
        shutil.rmtree(tree)
        disks.append(disk)
    return disks


def whole(work: Path, disk: Path) -> Way:
    done = run(["zstd", "-q", "-f", "-3", "-T0", str(disk), "-o", str(work / "whole.zst")])
    size = (work / "whole.zst").stat().st_size
    return Way("the whole disk, zstd -3", size, 2 * size, done.seconds)


def ours(work: Path, home: Path, old: str, new: str) -> list[Way]:
    """From a registry, and from ``goldsmith serve``."""
    environment, ways = {"GOLDSMITH_HOME": str(home)}, list[Way]()
    port = free_port()
    config = {
        **CONFIG,
        "storage": {"filesystem": {"rootdirectory": str(work / "registry")}},
        "http": {"addr": f"127.0.0.1:{port}"},
    }
    (work / "registry.yml").write_text(json.dumps(config))
    with server(["docker-registry", "serve", str(work / "registry.yml")], port, home) as proxy:
        for reference in (old, new):
            done = run([GOLDSMITH, "push", reference, f"127.0.0.1:{port}/bench"], environment=environment)
        ways.append(pull(work, "docker-registry", f"{proxy.host}/bench", old, new, proxy))
    print(f"push of the new version: {done.seconds:.1f} s, {done.peak / 1e6:.0f} MB of memory at its peak")
    print(f"the registry has {size_of(work / 'registry') / 1e6:.1f} MB")
    port = free_port()
    with server([GOLDSMITH, "serve", "--quiet", "--port", str(port)], port, home) as proxy:
        ways.append(pull(work, "goldsmith serve", f"http://{proxy.host}", old, new, proxy))
    return ways


def measure(work: Path, home_path: Path, old: str, new: str) -> None:
    """All ways, and the table."""
    home = Home(home_path)
    images = [find(home, old), find(home, new)]
    count, size = changed(home, *images)
    goal = round(1.15 * size + 1_500_000)
    ways = ours(work, home_path, old, new)
    disks = [raw_disk(home, image) for image in images]
    ways += casync(work, "our disks", disks)
    if os.geteuid() == 0:
        ways += casync(work, PEER.removeprefix("casync, "), fresh_disks(work, home_path, [old, new]))
    ways += [layer_of_changes(home, *images), whole(work, disks[1])]
    print(f"{packages_that_differ(home, old, new)} packages differ")
    rows = [["way", "MB moved", "of the goal", "goldsmith moves", "both stored, MB", "s"]]
    told = f"goal: 1.15 x {size / 1e6:.1f} MB (zstd of {count} changed files) + 1.5"
    rows.append([told, f"{goal / 1e6:.1f}", "", "", f"{STORED / 1e6:.0f}", ""])
    for way in ways:
        times = "" if way.name.startswith("goldsmith") else f"{way.moved / ways[0].moved:.1f} times fewer"
        times += f" (goal: {FEWER})" if way.name == PEER else ""
        share, stored = f"{100 * way.moved / goal:.0f} %", f"{way.stored / 1e6:.1f}"
        rows.append([way.name, f"{way.moved / 1e6:.1f}", share, times, stored, f"{way.seconds:.1f}"])
    print(table(rows), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--work", type=Path)
    parser.add_argument("--mirror")
    parser.add_argument("--job", choices=JOBS, help="one of them; both by default")
    parser.add_argument("--new-kernel", action="store_true")
    parser.add_argument("--home", type=Path)
    parser.add_argument("--old")
    parser.add_argument("--new")
    words = parser.parse_args()
    if not words.mirror and not (words.home and words.old and words.new):
        parser.error("name a mirror, or a home and two images in it")
    jobs = [words.job] if words.job else JOBS if words.mirror else [""]
    for job in jobs:
        with tempfile.TemporaryDirectory(dir=words.work or "/var/tmp") as room:
            work, home = Path(room), words.home
            if words.mirror:
                home = build(work, words.mirror, job, new_kernel=words.new_kernel)
                differ, size = archives(work)
                print(f"job {job}: {differ} packages differ, {size / 1e6:.1f} MB of archives")
            measure(work, home, words.old or "bench:1.0.0", words.new or "bench:2.0.0")


if __name__ == "__main__":
    main()
