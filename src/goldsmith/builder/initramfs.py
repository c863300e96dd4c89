"""The initramfs: made once, in a step of its own, instead of by each package that asks for it."""

from pathlib import Path

from goldsmith.effects.root import Root
from goldsmith.effects.sandbox import Bind, Sandbox

TOOL = "/usr/sbin/update-initramfs"
RECORDED = "/run/goldsmith/recorded"
WISH = "initramfs"

DEFERRING = f"""#!/bin/sh
# goldsmith: remembers that an initramfs is wanted; it is made once, when all packages are in place.
case " $* " in
*" --version "* | *" -V "*) exec /run/goldsmith/real/update-initramfs "$@" ;;
*" -d "*) exec /run/goldsmith/real/update-initramfs "$@" ;;
esac
echo "$*" >>{RECORDED}/{WISH}
"""


def deferring(sandbox: Sandbox, tree: Root, scratch: Path) -> Sandbox:
    """The sandbox with ``update-initramfs`` replaced by a note of the wish, where the tree has the tool."""
    recorded = scratch / "recorded"
    recorded.mkdir(parents=True, exist_ok=True)
    binds = [*sandbox.binds, Bind(recorded, RECORDED, writable=True)]
    if tree.is_file(TOOL):
        wrapper = scratch / "update-initramfs"
        wrapper.write_text(DEFERRING)
        wrapper.chmod(0o755)
        binds.append(
            Bind(Path(f"{tree.directory}{tree_path(tree, TOOL)}"), "/run/goldsmith/real/update-initramfs")
        )
        binds.append(Bind(wrapper, TOOL))
    return Sandbox(
        root=sandbox.root,
        binds=tuple(binds),
        network=sandbox.network,
        environment=sandbox.environment,
        terminal=sandbox.terminal,
    )


def tree_path(tree: Root, path: str) -> str:
    """``path`` itself, once it is sure that it is a plain file of the tree and no link out of it."""
    assert tree.lstat(path).st_size == tree.stat(path).st_size
    return path


def wished(scratch: Path) -> bool:
    """Whether a script asked for an initramfs."""
    return (scratch / "recorded" / WISH).exists()


def make(tree: Root, sandbox: Sandbox, *, epoch: int, log: Path) -> None:
    """Make the initramfs of every kernel in the tree; nothing where there is no kernel or no initramfs-tools."""
    if not tree.is_file(TOOL) or not tree.is_dir("/usr/lib/modules"):
        return
    for version in tree.listdir("/usr/lib/modules"):
        if not tree.exists(f"/boot/vmlinuz-{version}"):
            continue
        mode = "-u" if tree.exists(f"/boot/initrd.img-{version}") else "-c"
        inside = Sandbox(
            root=sandbox.root,
            binds=sandbox.binds,
            environment={**sandbox.environment, "SOURCE_DATE_EPOCH": str(epoch)},
        )
        inside.run([TOOL, mode, "-k", version], log=log, hint="the last lines tell what the initramfs misses")
