"""What the store costs: goal, figure and peer in one run.

    script/bench store [--work DIR] [--times N] [--home DIR --before REF --after REF]

Two versions of an image are built (or taken from a data directory), recorded into an empty store, made again, exported and
compared. casync and ostree do the same beside it where they are installed. What is measured: ``README.md``.
"""

import argparse
import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from build import ADDED, GOLDSMITH, PACKAGES, RECIPE
from goldsmith.model import oci
from goldsmith.model.oci import Descriptor
from goldsmith.store import notes
from goldsmith.store.home import Home
from goldsmith.store.images import layout_of
from measure import Run, median, run, table

WORKER = str(Path(__file__).with_name("store_worker.py"))
MB = 1e6
MANY = 10_000
SPARSE = 100 << 30
DATA = 1 << 30


@dataclass(frozen=True, slots=True)
class Version:
    """One of two versions, unpacked."""

    reference: str
    tree: Path
    raw: Path
    epoch: int
    """The time that its build gave to what it touched."""


def main() -> None:
    """Measure, and print tables."""
    parser = argparse.ArgumentParser(description="What the store costs.")
    parser.add_argument("--work", type=Path, help="where to work; a temporary directory by default")
    parser.add_argument("--times", type=int, default=3, help="runs of each measurement")
    parser.add_argument("--home", type=Path, help="a data directory that has both versions")
    parser.add_argument("--before", default="bench:1.0.0")
    parser.add_argument("--after", default="bench:1.1.0")
    words = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="goldsmith-bench-", dir=words.work) as room:
        work = Path(room)
        home = words.home or built(work)
        one, two = unpacked(home, words.before, work / "one"), unpacked(home, words.after, work / "two")
        rows = [("what", "goal", "goldsmith", "peer")]
        rows += recording(work, one, two, times=words.times)
        rows += peers(work, one, two)
        rows += rebuilding(work, one, times=words.times)
        rows += listing(work, times=words.times)
        rows += memory(work)
        print(table(rows))


def goldsmith(home: Path, *words: str | Path) -> Run:
    """Run the real command."""
    return run([GOLDSMITH, *map(str, words)], environment={"GOLDSMITH_HOME": str(home)})


def built(work: Path) -> Path:
    """A data directory with two versions: the second has some packages more and another file."""
    home = work / "home"
    for version, packages, motd in (("1.0.0", PACKAGES, "one"), ("1.1.0", [*PACKAGES, *ADDED], "two")):
        recipe = work / "recipe.yaml"
        text = RECIPE.format(packages=", ".join(packages), motd=motd)
        recipe.write_text(text.replace("version: 1.0.0", f"version: {version}"))
        goldsmith(home, "build", recipe, "--update-lock")
    return home


def unpacked(home: Path, reference: str, room: Path) -> Version:
    """An image as a directory and a raw disk."""
    (room / "tree").mkdir(parents=True)
    goldsmith(home, "export", reference, "--format", "tar", "--output", room / "tar")
    goldsmith(home, "export", reference, "--format", "raw", "--output", room / "raw")
    run(["tar", "-C", str(room / "tree"), "--xattrs", "--xattrs-include=*", "-xpf", str(room / "tar")])
    (room / "tar").unlink()
    created = json.loads(goldsmith(home, "show", reference, "--json").output)["created"]
    return Version(reference, room / "tree", room / "raw", int(datetime.fromisoformat(created).timestamp()))


def worker(*words: str | Path | int) -> Run:
    """Run an act in a process of its own."""
    return run([sys.executable, WORKER, *map(str, words)])


def seconds(done: Run) -> str:
    """What a worker printed of its time."""
    wall, processor = map(float, done.output.split())
    return f"{wall:.2f} s (processor {processor:.2f})"


def inner(runs: Sequence[Run]) -> Run:
    """The run whose own time is the median."""
    return sorted(runs, key=lambda one: float(one.output.split()[0]))[(len(runs) - 1) // 2]


def size_of(directory: Path) -> int:
    """Bytes of all files below."""
    return sum(path.lstat().st_size for path in directory.rglob("*") if path.is_file())


def recording(work: Path, one: Version, two: Version, *, times: int) -> list[tuple[str, str, str, str]]:
    """Record both versions; how long it takes, and what it takes."""
    first, second = [], []
    for _ in range(times):
        shutil.rmtree(work / "store", ignore_errors=True)
        first.append(worker("record", work / "store", one.tree, one.raw, "1.0.0", one.epoch))
        second.append(worker("record", work / "store", two.tree, two.raw, "1.1.0", two.epoch))
    stored = size_of(work / "store/store/blobs")
    peak = max(run.peak for run in [*first, *second]) / MB
    return [
        ("record, first time", "≤ 4 s", seconds(inner(first)), ""),
        ("record, the next version", "≤ 1.5 s", seconds(inner(second)), ""),
        ("  peak memory of it", "≤ 262 MB", f"{peak:.0f} MB", ""),
        ("both versions stored", "≤ 175 MB", f"{stored / MB:.1f} MB", ""),
    ]


def peers(work: Path, one: Version, two: Version) -> list[tuple[str, str, str, str]]:
    """The same by casync and ostree."""
    rows = []
    if shutil.which("casync"):
        chunks = work / "chunks"
        for version in (one, two):
            before = size_of(chunks)
            done = run(
                [
                    "casync",
                    "make",
                    f"--store={chunks}",
                    str(work / f"{version.raw.parent.name}.caibx"),
                    str(version.raw),
                ]
            )
            grown = (size_of(chunks) - before) / MB
            rows.append(
                (
                    f"casync make of disk {version.raw.parent.name}",
                    "",
                    "",
                    f"{done.seconds:.2f} s, {grown:.1f} MB",
                )
            )
        done = run(
            ["casync", "extract", f"--store={chunks}", str(work / "one.caibx"), str(work / "casync.raw")]
        )
        (work / "casync.raw").unlink()
        rows.append(("casync extract of disk one", "", "", f"{done.seconds:.2f} s"))
    if shutil.which("ostree"):
        repository = str(work / "ostree")
        run(["ostree", f"--repo={repository}", "init", "--mode=archive"])
        for version in (one, two):
            before = size_of(Path(repository))
            commit = ["commit", "--branch=bench", f"--tree=dir={version.tree}"]
            done = run(["ostree", f"--repo={repository}", *commit])
            grown = (size_of(Path(repository)) - before) / MB
            rows.append(
                (
                    f"ostree commit of tree {version.raw.parent.name}",
                    "",
                    "",
                    f"{done.seconds:.2f} s, {grown:.1f} MB",
                )
            )
    return rows


def rebuilding(work: Path, one: Version, *, times: int) -> list[tuple[str, str, str, str]]:
    """Make the disk again; write a format."""
    rebuilt = inner([worker("rebuild", work / "store", "bench:1.0.0") for _ in range(times)])
    output = work / "qcow2"
    words = ("export", "bench:1.0.0", "--format", "qcow2", "--output", output)
    mine = median(lambda _: goldsmith(work / "store", *words), times)
    row = ("rebuild the raw disk, verified", "≤ 1.6 s", seconds(rebuilt), "")
    if not shutil.which("qemu-img"):
        return [row, ("export qcow2 (zstd)", "", f"{mine.seconds:.2f} s", "")]
    convert = [
        "qemu-img",
        "convert",
        "-m",
        str(os.cpu_count()),
        "-W",
        "-c",
        "-O",
        "qcow2",
        "-o",
        "compression_type=zstd",
    ]
    peer = median(lambda _: run([*convert, str(one.raw), str(work / "peer")]), times)
    sizes = f"{output.stat().st_size / MB:.0f} MB", f"{(work / 'peer').stat().st_size / MB:.0f} MB"
    return [
        row,
        (
            "export qcow2 (zstd)",
            "no slower",
            f"{mine.seconds:.2f} s, {sizes[0]}",
            f"qemu-img {peer.seconds:.2f} s, {sizes[1]}",
        ),
    ]


def listing(work: Path, *, times: int) -> list[tuple[str, str, str, str]]:
    """List ten thousand images, and show one."""
    home = Home(work / "store")

    def change(refs: dict[str, Descriptor]) -> None:
        for number in range(MANY):
            digest = f"sha256:{hashlib.sha256(b'%d' % number).hexdigest()}"
            told = dict.fromkeys(notes.LISTED, digest) | {
                notes.BUILD: json.dumps({"key": digest, "reproducible": True})
            }
            name = f"many{number % 200}:1.{number // 200}.0"
            refs[f"{name}-b1"] = Descriptor(oci.INDEX, digest, 1234, tuple(sorted(told.items())))
            refs[name] = Descriptor(oci.INDEX, digest, 1234)

    layout_of(home).change(change)
    rows = []
    for words in (("list",), ("show", "bench")):
        done = median(lambda _, words=words: goldsmith(home.path, *words), times)  # type: ignore[misc]
        rows.append((f"{' '.join(words)}, of {MANY} images", "≤ 0.3 s", f"{done.seconds:.2f} s", ""))
    return rows


def memory(work: Path) -> list[tuple[str, str, str, str]]:
    """A disk of 100 GiB with 1 GiB in it."""
    tree, raw = work / "sparse", work / "sparse.raw"
    tree.mkdir()
    with (tree / "data").open("wb") as stream, raw.open("wb") as disk:
        disk.truncate(SPARSE)
        for number in range(DATA >> 20):
            piece = hashlib.sha256(b"%d" % number).digest() * (1 << 15)
            stream.write(piece)
            disk.seek((SPARSE >> 1) + (number << 20))
            disk.write(piece)
    recorded = worker("record", work / "large", tree, raw, "1.0.0", 1)
    rebuilt = worker("rebuild", work / "large", "bench:1.0.0")
    return [
        (
            "record 1 GiB in a disk of 100 GiB",
            "≤ 262 MB",
            f"{seconds(recorded)}, {recorded.peak / MB:.0f} MB",
            "",
        ),
        ("rebuild it", "≤ 262 MB", f"{seconds(rebuilt)}, {rebuilt.peak / MB:.0f} MB", ""),
    ]


if __name__ == "__main__":
    main()
