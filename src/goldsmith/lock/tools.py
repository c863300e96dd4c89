"""The programs that make disks: Debian packages that are unpacked and run in a sandbox, never installed."""

from collections.abc import Callable
from dataclasses import replace

from goldsmith.lock import apt
from goldsmith.lock.apt import Ask
from goldsmith.lock.aptroot import opened
from goldsmith.lock.mirror import Mirror, no_mirror
from goldsmith.lock.resolve import read_lists
from goldsmith.lock.source import base_sources
from goldsmith.model.lock import ToolsLock
from goldsmith.model.recipe import Base, PackageRequest
from goldsmith.store.home import Home

TOOLS_BASE = Base("debian", "trixie")
"""Where the tools come from, whatever the image is made of."""
TOOLS = (
    "bash",
    "coreutils",
    "cpio",
    "dash",
    "dosfstools",
    "e2fsprogs",
    "erofs-utils",
    "findutils",
    "grep",
    "grub-efi-amd64-bin",
    "grub-efi-amd64-signed",
    "grub-pc-bin",
    "libarchive13t64",  # mke2fs loads it to read a tar archive
    "mtools",
    "qemu-utils",
    "sed",
    "shim-signed",
    "zstd",
)
"""The packages that are asked for; what they depend on comes with them."""


def resolve_tools(
    *,
    home: Home,
    mirror: Mirror | None,
    architecture: str = "amd64",
    offline: bool = False,
    report: Callable[[str], None] = lambda _: None,
) -> ToolsLock:
    """Choose the tools' packages; errors as ``resolve``."""
    if mirror is None:
        raise no_mirror(TOOLS_BASE.distribution)
    with opened(home, base_sources(TOOLS_BASE, mirror), architecture, mirror) as root:
        read_lists(root, offline=offline, report=report)
        report("choosing tools")
        wanted = tuple(PackageRequest(name) for name in TOOLS)
        chosen = apt.solve(root, Ask(wanted, essential=False))
        packages = (
            replace(item.locked, reason="goldsmith" if item.locked.name in TOOLS else "dependency")
            for item in chosen
        )
        return ToolsLock(
            distribution=TOOLS_BASE.distribution,
            suite=TOOLS_BASE.suite,
            architecture=architecture,
            repositories=apt.indices(root),
            packages=tuple(sorted(packages)),
        )
