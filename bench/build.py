"""How long builds take: goal, figure and peer in one run.

    script/bench build [--work DIR] [--times N] [--mkosi PATH]

The job is the one of all peers: the package set below, Debian 13, GPT, ESP and ext4 root, qcow2 written, packages
downloaded before. ``--mkosi`` names what starts a mkosi (its ``bin/mkosi``, or what ``mkosi_tree.py`` makes), which then
runs the same job on the same machine. What is measured, and against which floors: ``README.md``.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from floor import REST, compare, measure_floor
from measure import Run, median, run, table
from mkosi_peer import measure_mkosi

PACKAGES = [
    "linux-image-cloud-amd64",
    "systemd",
    "systemd-sysv",
    "dbus",
    "udev",
    "kmod",
    "initramfs-tools",
    "zstd",
    "openssh-server",
    "cloud-init",
    "sudo",
    "curl",
    "ca-certificates",
    "iproute2",
    "netbase",
    "e2fsprogs",
    "python3",
]
ADDED = ("less", "tree", "bc", "nano", "jq")
"""A small package a run, each with a dependency or two at most."""
RECORDED = ("store", "builds", "cache/disks", "cache/written")
"""Where images are, and what was made from them."""
GOLDSMITH = str(Path(sys.executable).with_name("goldsmith"))
MIB = 1 << 20

RECIPE = """name: bench
version: 1.0.0
from: debian:trixie
packages: [{packages}]
customizations:
  files:
    - path: /etc/motd
      data: "{motd}"
"""


def write_recipe(directory: Path, *, packages: list[str], motd: str) -> None:
    """The recipe with these packages and this one file."""
    (directory / "recipe.yaml").write_text(RECIPE.format(packages=", ".join(packages), motd=motd))


def build(work: Path, *options: str) -> Run:
    """One build with its artifacts."""
    recipe, output = work / "recipe.yaml", work / "out"
    environment = {"GOLDSMITH_HOME": str(work / "home")}
    argv = [GOLDSMITH, "build", str(recipe), "--output", str(output), "--json", *options]
    return run(argv, environment=environment)


def full(work: Path, times: int) -> Run:
    """Every step again, and the image recorded in an empty store; downloads and unpacked packages are there."""
    write_recipe(work, packages=PACKAGES, motd="hello")
    build(work)

    def once(_: int) -> Run:
        for name in RECORDED:
            shutil.rmtree(work / "home" / name, ignore_errors=True)
        return build(work, "--no-cache")

    return median(once, times)


def package_added(work: Path, times: int) -> Run:
    """One small package more, its .deb downloaded before; each run adds another one to the same ground."""
    lock = work / "recipe.lock"
    ground = lock.read_bytes()
    environment = {"GOLDSMITH_HOME": str(work / "home")}

    def once(number: int) -> Run:
        name = ADDED[number]
        write_recipe(work, packages=[*PACKAGES, name], motd="hello")
        run([GOLDSMITH, "build", str(work / "recipe.yaml"), "--update-lock"], environment=environment)
        forget_added(work)
        lock.write_bytes(ground)
        return build(work, "--update-lock")

    found = median(once, min(times, len(ADDED)))
    write_recipe(work, packages=PACKAGES, motd="hello")
    lock.write_bytes(ground)
    return found


def forget_added(work: Path) -> None:
    """Drop what the last minute's build has left of images and layers, but not the common ground."""
    for name in RECORDED:
        shutil.rmtree(work / "home" / name, ignore_errors=True)
        if (work / "ground" / name).exists():
            link_tree(work / "ground" / name, work / "home" / name)
    keep = set(json.loads((work / "ground.json").read_text()))
    for layer in (work / "home/cache/layers").iterdir():
        if layer.name not in keep:
            shutil.rmtree(layer)


def link_tree(source: Path, target: Path) -> None:
    """A second tree of the same files, none of which is ever changed in place."""
    shutil.copytree(source, target, copy_function=os.link)


def note_ground(work: Path) -> None:
    """Remember what is there before packages are added."""
    shutil.rmtree(work / "ground", ignore_errors=True)
    for name in RECORDED:
        if (work / "home" / name).exists():
            link_tree(work / "home" / name, work / "ground" / name)
    names = [path.name for path in (work / "home/cache/layers").iterdir()]
    (work / "ground.json").write_text(json.dumps(names))


def file_changed(work: Path, times: int) -> Run:
    """One configuration file with other content."""

    def once(number: int) -> Run:
        write_recipe(work, packages=PACKAGES, motd=f"hello {number}")
        return build(work)

    return median(once, times)


def nothing_changed(work: Path, times: int) -> Run:
    """The same again."""
    build(work)
    return median(lambda _: build(work), times)


def help_above_python(times: int) -> float:
    """Seconds of ``goldsmith --help`` above a Python that does nothing."""
    bare = median(lambda _: run([sys.executable, "-c", "pass"]), times)
    shown = median(lambda _: run([GOLDSMITH, "--help"]), times)
    return shown.seconds - bare.seconds


def all_steps(full: Run, file: Run) -> list[tuple[str, float]]:
    """The steps of a full build with their seconds, and what a build does besides.

    The latter is told from the build with one file changed: its steps run one after the other.
    """
    steps = [(step["name"], step["seconds"]) for step in json.loads(full.output)["steps"]]
    told = json.loads(file.output)
    rest = told["seconds"] - sum(step["seconds"] for step in told["steps"])
    return [*steps, (REST, max(rest, 0.0))]


def steps_of(one: Run) -> list[list[str]]:
    """The steps of a build, longest first."""
    steps = sorted(json.loads(one.output)["steps"], key=lambda step: -step["seconds"])
    return [[step["name"], f"{step['seconds']:.2f}"] for step in steps[:8]]


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("job", nargs="?", choices=["build"], default="build")
    parser.add_argument("--work", type=Path, default=None)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--mkosi", default="")
    options = parser.parse_args()
    work = options.work or Path(tempfile.mkdtemp(prefix="goldsmith-bench-", dir="/var/tmp"))
    work.mkdir(parents=True, exist_ok=True)
    try:
        measured = measure(work, options.times)
        peers = {}
        if options.mkosi:
            peers = measure_mkosi(options.mkosi, PACKAGES, work / "mkosi")
        report(measured, peers)
        floors = measure_floor(work / "recipe.lock", work / "home", work)
        print("\nfloors: plain tools on the same packages, beside the steps of the full build")
        print(compare(floors, all_steps(measured["full"], measured["file"])))
    finally:
        if options.work is None:
            shutil.rmtree(work, ignore_errors=True)


def measure(work: Path, times: int) -> dict[str, Run]:
    """All jobs of goldsmith."""
    found = {"full": full(work, times)}
    note_ground(work)
    found["package"] = package_added(work, times)
    found["file"] = file_changed(work, times)
    found["nothing"] = nothing_changed(work, 5)
    return found


def report(measured: dict[str, Run], peers: dict[str, float]) -> None:
    """Print goals, figures, peers, and the longest steps of each job."""
    labels = {
        "full": ("full build, --no-cache", 20.0, 54.3),
        "package": ("one small package added", 6.0, 48.5),
        "file": ("one configuration file changed", 4.5, 12.5),
        "nothing": ("nothing changed", 0.5, 0.36),
    }
    rows = [
        ["job", "goal s", "goldsmith s", "mkosi in this run s", "mkosi takes times", "mkosi in peers.md s"]
    ]
    for key, (label, goal, known) in labels.items():
        own = measured[key].seconds
        peer, times = (f"{peers[key]:.2f}", f"{peers[key] / own:.1f}") if key in peers else ("-", "-")
        rows.append([label, f"{goal:g}", f"{own:.2f}", peer, times, f"{known:g}"])
    rows.append(["--help above bare Python", "0.15", f"{help_above_python(9):.2f}", "-", "-", "-"])
    peak = max(one.peak for one in measured.values())
    rows.append(["peak memory of goldsmith, MiB", "150", f"{peak / MIB:.0f}", "-", "-", "322"])
    print(table(rows))
    if peers:
        print("\nmkosi's raw image is written as qcow2 by qemu-img, whose seconds are in the figures above:")
        print(table([["mkosi, more figures", "s"], *[[key, f"{peers[key]:.2f}"] for key in sorted(peers)]]))
    for key in ("full", "package", "file"):
        print(f"\nlongest steps, {labels[key][0]}")
        print(table([["step", "s"], *steps_of(measured[key])]))


if __name__ == "__main__":
    main()
