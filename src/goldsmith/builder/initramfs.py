"""The initramfs: made once, in a step of its own, instead of by each package that asks for it."""

from pathlib import Path

from goldsmith.effects.root import Root
from goldsmith.effects.sandbox import Sandbox

TOOL = "/usr/sbin/update-initramfs"


def make(tree: Root, sandbox: Sandbox, *, epoch: int, log: Path) -> None:
    """Make the initramfs of every kernel in the tree; nothing where there is no kernel or no initramfs-tools."""
    if not tree.is_file(TOOL) or not tree.is_dir("/usr/lib/modules"):
        return
    inside = Sandbox(
        root=sandbox.root,
        binds=sandbox.binds,
        environment={**sandbox.environment, "SOURCE_DATE_EPOCH": str(epoch)},
    )
    for version in tree.listdir("/usr/lib/modules"):
        if tree.exists(f"/boot/vmlinuz-{version}"):
            mode = "-u" if tree.exists(f"/boot/initrd.img-{version}") else "-c"
            inside.run(
                [TOOL, mode, "-k", version], log=log, hint="the last lines tell what the initramfs misses"
            )
