"""mkosi does the job of ``build.py``: the same packages, GPT, ESP and ext4 root, qcow2 with zstd.

What is given to mkosi, so that it is at its best:

- packages and indices are there before (``CacheOnly=always``), and ``Incremental`` keeps its cached tree;
- work, cache and output lie on tmpfs where memory allows;
- the initial RAM disk is made once by the package set's own initramfs-tools, before the tree is cached. By default
  mkosi installs a second tree of packages for it; that full build is measured too, as ``full, own initrd``.

mkosi writes raw images only: the time of ``qemu-img convert`` to qcow2 is added to each job but ``nothing``.
"""

import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from measure import run
from mkosi_tree import SUITE, debian_mirror, source_lines

TIMES = 3
ADDED = ("less", "tree", "bc")
"""A small package a run, as in ``build.py``."""
TMPFS = Path("/dev/shm")
TMPFS_NEEDED = 6 << 30
BOOT_LOADER = "systemd-boot-efi"
"""mkosi takes its boot loader from the image's packages."""

ESP = """[Partition]
Type=esp
Format=vfat
CopyFiles=/boot:/
CopyFiles=/efi:/
SizeMinBytes=512M
SizeMaxBytes=512M
"""
ROOT = """[Partition]
Type=root
Format=ext4
CopyFiles=/
Minimize=guess
"""
CONFIGURATION = """[Distribution]
Distribution=debian
Release={suite}
Architecture=x86-64

[Output]
Format=disk
Output=image
OutputDirectory=out

[Build]
Incremental=yes
PackageCacheDirectory=packages
CacheDirectory=cache
WorkspaceDirectory=workspace
History=no
BuildSources=

[Content]
Bootable=yes
Bootloader=systemd-boot
WithRecommends=no
KernelCommandLine=root=PARTUUID rw console=ttyS0
Packages={packages}
VolatilePackages={volatile}
"""
OWN_INITRAMFS = """Initrds=
KernelModulesInitrd=no
"""
PREPARE = """#!/bin/sh
[ "$1" = final ] || exit 0
mkosi-chroot update-initramfs -c -k all
"""
POSTINST = """#!/bin/sh
set -e
mkdir -p "$ARTIFACTDIR/io.mkosi.initrd"
mv "$BUILDROOT"/boot/initrd.img-* "$ARTIFACTDIR/io.mkosi.initrd/"
"""


def measure_mkosi(mkosi: str, packages: list[str], work: Path) -> dict[str, float]:
    """Run all jobs.

    Args:
        mkosi: what starts mkosi: its ``bin/mkosi``, or the program that ``mkosi_tree.py`` makes.
        packages: the package set.
        work: a directory of its own; made if it is not there.

    Returns:
        Seconds, the medians of three runs (``full, own initrd`` of one): ``full``; ``package`` (``Packages=``
        changed) and ``package, volatile``; ``file``; ``nothing`` (mkosi does not look) and ``nothing, forced``;
        ``convert``, the part of ``qemu-img`` in each.

    Raises:
        SystemExit: mkosi failed; its last words are shown.
    """
    work.mkdir(parents=True, exist_ok=True)
    found: dict[str, float] = {}
    jobs: dict[str, Callable[[Path, int], float]] = {
        "convert": lambda project, _: convert(project),
        "full": lambda project, _: full(mkosi, project),
        "file": lambda project, number: file_changed(mkosi, project, f"hello {number}"),
        "nothing, forced": lambda project, _: build(mkosi, project, "--force"),
        "nothing": lambda project, _: build(mkosi, project, converted=False),
        "package, volatile": lambda project, number: volatile(mkosi, project, packages, number),
        "package": lambda project, number: package_added(mkosi, project, packages, number),
    }
    with fast_directory(work) as project:
        write_project(project, packages)
        build(mkosi, project, fetch=True)
        for name, job in jobs.items():
            found[name] = told(name, statistics.median(job(project, number) for number in range(TIMES)))
        write_project(project, packages, own_initramfs=False)
        build(mkosi, project, "-ff", fetch=True)
        found["full, own initrd"] = told("full, own initrd", full(mkosi, project))
    return found


def told(name: str, seconds: float) -> float:
    """Say a figure as soon as it is known: a later job may fail."""
    print(f"mkosi: {name}: {seconds:.2f} s", file=sys.stderr, flush=True)
    return seconds


@contextmanager
def fast_directory(work: Path) -> Iterator[Path]:
    """A directory on tmpfs where that has room, else in ``work``; gone afterwards."""
    roomy = TMPFS.is_dir() and shutil.disk_usage(TMPFS).free > TMPFS_NEEDED
    project = Path(tempfile.mkdtemp(prefix="goldsmith-mkosi-", dir=TMPFS if roomy else work))
    try:
        yield project
    finally:
        shutil.rmtree(project)


def write_project(
    project: Path, packages: list[str], *, volatile: str = "", own_initramfs: bool = True
) -> None:
    """Write mkosi's configuration; its caches stay."""
    for name in ("out", "packages", "cache", "workspace", "mkosi.repart", "mkosi.extra/etc"):
        (project / name).mkdir(parents=True, exist_ok=True)
    sources = project / "mkosi.sandbox/etc/apt/sources.list.d"
    sources.mkdir(parents=True, exist_ok=True)
    lines = source_lines(debian_mirror())
    (sources / "bench.list").write_text("".join(f"{line}\n" for line in lines))
    # Where this file is there, mkosi adds no sources of its own.
    (sources / "mkosi.sources").write_text("")
    (project / "mkosi.repart/00-esp.conf").write_text(ESP)
    (project / "mkosi.repart/10-root.conf").write_text(ROOT)
    (project / "mkosi.extra/etc/motd").write_text("hello\n")
    text = CONFIGURATION.format(suite=SUITE, packages=",".join([*packages, BOOT_LOADER]), volatile=volatile)
    (project / "mkosi.conf").write_text(text + (OWN_INITRAMFS if own_initramfs else ""))
    for name, script in (("mkosi.prepare", PREPARE), ("mkosi.postinst", POSTINST)):
        path = project / name
        path.unlink(missing_ok=True)
        if own_initramfs:
            path.write_text(script)
            path.chmod(0o755)


def build(mkosi: str, project: Path, *options: str, fetch: bool = False, converted: bool = True) -> float:
    """One build and, if asked for, its conversion, in seconds.

    Args:
        mkosi: what starts mkosi.
        project: the directory with the configuration.
        options: more options of mkosi.
        fetch: whether indices and packages may be downloaded.
        converted: whether the qcow2 is written too.
    """
    cache = "--cache-only=auto" if fetch else "--cache-only=always"
    seconds = run([mkosi, *options, cache, "build"], directory=project).seconds
    return seconds + (convert(project) if converted else 0.0)


def convert(project: Path) -> float:
    """Seconds to write mkosi's raw image as qcow2 with zstd."""
    argv = "qemu-img convert -c -O qcow2 -o compression_type=zstd -m 2 -W out/image.raw out/image.qcow2"
    return run(argv.split(), directory=project).seconds


def full(mkosi: str, project: Path) -> float:
    """Everything again: the first ``-f`` drops the image, the second the cached tree; packages stay."""
    return build(mkosi, project, "-ff")


def file_changed(mkosi: str, project: Path, motd: str) -> float:
    """One configuration file with other content, on the cached tree."""
    (project / "mkosi.extra/etc/motd").write_text(f"{motd}\n")
    return build(mkosi, project, "--force")


def volatile(mkosi: str, project: Path, packages: list[str], number: int) -> float:
    """One package more as ``VolatilePackages=``, installed on the cached tree; its .deb is there before."""
    write_project(project, packages, volatile=ADDED[number])
    build(mkosi, project, "--force", fetch=True, converted=False)
    seconds = build(mkosi, project, "--force")
    write_project(project, packages)
    return seconds


def package_added(mkosi: str, project: Path, packages: list[str], number: int) -> float:
    """One package more in ``Packages=``, which drops the cached tree; its .deb is there from the volatile run."""
    write_project(project, [*packages, ADDED[number]])
    seconds = build(mkosi, project, "--force")
    write_project(project, packages)
    return seconds
