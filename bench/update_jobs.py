"""The two updates that ``update.py`` measures, as two versions of an image each, and how large they are.

- ``packages``: of the size of the peers' job (31 packages, 11.3 MB of archives), from one state of the archive. Some packages
  are added, some are gone, some were of the version before; the initial RAM disk does not change.
- ``updates``: the main archive alone, then with updates and some packages more. OpenSSL is among them, so the initial RAM disk
  is another. Both have the kernel of the first, for a new one is most of an update that has one; ``new_kernel`` lets it come.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from build import GOLDSMITH, PACKAGES
from measure import run

RECIPE = "name: bench\nversion: {version}.0.0\nfrom: debian:trixie\npackages: [{packages}]\n"
KERNEL = "linux-image-cloud-amd64"
ADDED = ("less", "tree", "bc", "nano", "jq", "lsof", "strace", "unzip", "rsync", "tmux", "tcpdump", "patch")
"""What the second version of either job has besides."""
MORE = ("socat", "screen", "vim-tiny")
"""What the second version of ``packages`` has besides these."""
GONE = ("ed", "pv")
"""What only the first version of ``packages`` has."""
OLDER = ("apt", "libapt-pkg7.0", "curl", "libcurl4t64", "libbrotli1", "ca-certificates", "libexpat1")
"""What the first version of ``packages`` has as the main archive alone has it; nothing of it is in the initial RAM disk."""
JOBS = ("packages", "updates")
MIRROR = "{mirror} -"
"""The main archive alone."""
Lock = Mapping[str, Mapping[str, Any]]


def build(work: Path, mirror: str, job: str, *, new_kernel: bool = False) -> Path:
    """Build ``bench:1.0.0`` and ``bench:2.0.0`` of a job; tells the data directory that has them.

    Args:
        work: where recipes, locks and that directory go.
        mirror: the archive's address.
        job: one of ``JOBS``.
        new_kernel: whether the second version of ``updates`` may have another kernel.
    """
    main = MIRROR.format(mirror=mirror)
    if job == "packages":
        before = locked(work, main, 0, PACKAGES)
        older = [f"{name}={before[name]['version']}" for name in OLDER if name in before]
        make(work, mirror, 1, [*(name for name in PACKAGES if name not in OLDER), *older, *GONE])
        return make(work, mirror, 2, [*PACKAGES, *(name for name in ADDED if name != "tree"), *MORE])
    make(work, main, 1, PACKAGES)
    kernel = KERNEL if new_kernel else f"{KERNEL}={lock_of(work, 1)[KERNEL]['version']}"
    return make(work, mirror, 2, [kernel, *(name for name in PACKAGES if name != KERNEL), *ADDED])


def make(work: Path, mirror: str, version: int, packages: Sequence[str]) -> Path:
    """Build one version."""
    argv = [GOLDSMITH, "build", recipe(work, version, packages), "--update-lock", "--mirror", mirror]
    run(argv, environment={"GOLDSMITH_HOME": str(work / "home")})
    return work / "home"


def locked(work: Path, mirror: str, version: int, packages: Sequence[str]) -> Lock:
    """What packages would be taken."""
    argv = [GOLDSMITH, "lock", recipe(work, version, packages), "--mirror", mirror]
    run(argv, environment={"GOLDSMITH_HOME": str(work / "home")})
    return lock_of(work, version)


def recipe(work: Path, version: int, packages: Sequence[str]) -> str:
    """Write a recipe."""
    path = work / f"v{version}.yaml"
    path.write_text(RECIPE.format(version=version, packages=", ".join(packages)))
    return str(path)


def lock_of(work: Path, version: int) -> Lock:
    """The packages of a lock by name."""
    lock = json.loads((work / f"v{version}.lock").read_bytes())
    return {one["name"]: one for one in lock["packages"]}


def archives(work: Path) -> tuple[int, int]:
    """Packages that differ between the two versions, those that are gone too, and bytes of archives of the new ones."""
    old, new = lock_of(work, 1), lock_of(work, 2)
    differ = [
        name for name in {*old, *new} if old.get(name, {}).get("sha256") != new.get(name, {}).get("sha256")
    ]
    return len(differ), sum(int(new[name]["size"]) for name in differ if name in new)
