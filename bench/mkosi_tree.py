"""A Debian 13 tree with what mkosi needs, and a program that runs mkosi in it.

    .venv/bin/python bench/mkosi_tree.py --source CHECKOUT [--work DIR]

mkosi wants newer tools (systemd-repart) than the host may have. CHECKOUT is mkosi's source, as git has it. The last
line of the output is the path for ``script/bench build --mkosi``. Needs root, and mmdebstrap.
"""

import argparse
import os
import shlex
import shutil
import subprocess
from pathlib import Path

from goldsmith.lock.mirror import Mirror, find_mirror, read_host_apt
from goldsmith.model.distribution import DISTRIBUTIONS

SUITE = "trixie"
PACKAGES = [
    "systemd",
    "systemd-repart",
    "systemd-container",
    "systemd-boot-tools",
    "systemd-ukify",
    "util-linux",
    "fdisk",
    "e2fsprogs",
    "dosfstools",
    "mtools",
    "zstd",
    "xz-utils",
    "cpio",
    "kmod",
    "uidmap",
    "python3",
    "debian-archive-keyring",
    "ca-certificates",
]
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

WRAPPER = """#!/bin/sh
# Runs mkosi of {source} in the tree beside this file; the current directory is /run/work there. Made by mkosi_tree.py.
set -eu
exec unshare --mount --propagation private /bin/sh -eu -c '
tree=$1; source=$2; shift 2
mount --bind "$tree" "$tree"
for name in proc sys dev; do mount --rbind "/$name" "$tree/$name"; done
for name in run tmp; do mount -t tmpfs tmpfs "$tree/$name"; done
mkdir "$tree/run/work" "$tree/run/mkosi"
mount --bind "$PWD" "$tree/run/work"
mount --bind "$source" "$tree/run/mkosi"
for name in hosts resolv.conf; do mount --bind "/etc/$name" "$tree/etc/$name"; done
cd "$tree"
# mkosi makes namespaces of its own, which the kernel refuses below a chroot; a new root is no chroot.
pivot_root . mnt
umount -l /mnt
cd /run/work
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
exec /run/mkosi/bin/mkosi "$@"
' mkosi {tree} {source} "$@"
"""


def debian_mirror() -> Mirror:
    """The mirror that goldsmith's own builds use."""
    return find_mirror(DISTRIBUTIONS["debian"], environment=os.environ, host=read_host_apt())


def source_lines(mirror: Mirror) -> list[str]:
    """The apt sources of a Debian 13, as lines of ``sources.list``."""
    lines = [f"deb [signed-by={KEYRING}] {mirror.main} {name} main" for name in (SUITE, f"{SUITE}-updates")]
    if mirror.security:
        lines.append(f"deb [signed-by={KEYRING}] {mirror.security} {SUITE}-security main")
    return lines


def make_tree(work: Path, source: Path) -> Path:
    """Make the tree at ``work/tree`` if it is not there, and the program ``work/mkosi``; returns the latter."""
    work.mkdir(parents=True, exist_ok=True)
    tree, unfinished = work / "tree", work / "tree.unfinished"
    if not tree.exists():
        shutil.rmtree(unfinished, ignore_errors=True)
        subprocess.run(
            [
                "mmdebstrap",
                "--variant=apt",
                "--aptopt=APT::Install-Recommends false",
                f"--include={','.join(PACKAGES)}",
                SUITE,
                str(unfinished),
                *source_lines(debian_mirror()),
            ],
            check=True,
        )
        for name in ("hosts", "resolv.conf"):
            (unfinished / "etc" / name).touch()
        unfinished.rename(tree)
    wrapper = work / "mkosi"
    wrapper.write_text(WRAPPER.format(tree=shlex.quote(str(tree)), source=shlex.quote(str(source))))
    wrapper.chmod(0o755)
    return wrapper


def main() -> None:
    """Make the tree and tell the program's path."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--source", type=Path, required=True, help="a checkout of mkosi")
    parser.add_argument("--work", type=Path, default=Path("/var/tmp/goldsmith-mkosi"))
    options = parser.parse_args()
    if not (options.source / "bin/mkosi").is_file():
        parser.error(f"{str(options.source)!r} has no bin/mkosi: it is no checkout of mkosi")
    print(make_tree(options.work.absolute(), options.source.absolute()))


if __name__ == "__main__":
    main()
