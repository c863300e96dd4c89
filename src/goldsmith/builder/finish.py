"""The last step of a tree: boot files, a new initramfs if one was asked for, and the seal."""

from collections.abc import Mapping
from pathlib import PurePosixPath

from goldsmith.builder import initramfs
from goldsmith.builder.actions import Ground
from goldsmith.builder.base import base_of
from goldsmith.builder.chance import left_to_chance
from goldsmith.builder.customize.declared import declared_paths
from goldsmith.builder.customize.system import first_boot
from goldsmith.builder.seal.certificate import certify, to_json
from goldsmith.builder.seal.run import prove, seal
from goldsmith.builder.workshop import Workshop
from goldsmith.effects.sandbox import Sandbox
from goldsmith.errors import CheckFailed, InputError
from goldsmith.model.recipe import Recipe

INITRAMFS_INPUTS = (
    "/etc/initramfs-tools/",
    "/etc/modules",
    "/etc/modprobe.d/",
    "/usr/share/initramfs-tools/",
)
"""What the initramfs is made of and a later step may change."""
FIRST_GROUP = 2
"""Its two layers, files and configuration, are what the initramfs was made from."""


def finish(ground: Ground, shop: Workshop, *, boot: Mapping[str, bytes], recipe: Recipe) -> None:
    """Make the tree ready for the disk.

    Args:
        ground: the tree with everything in it.
        shop: the build.
        boot: files to write, by path.
        recipe: what it declares stays, and so do traces whose operations it switches off.

    Raises:
        CheckFailed: something that makes this build unique could not be removed.
    """
    tree = ground.tree
    for path, data in boot.items():
        tree.mkdir(str(PurePosixPath(path).parent), parents=True)
        tree.write(path, data, mode=0o644)
    need_kernel(ground)
    if wants_initramfs(ground):
        initramfs.make(tree, Sandbox(root=tree.directory), epoch=shop.epoch, log=shop.log)
    first_boot.keep_unit_states(tree)
    declared, keep = declared_paths(recipe.customizations, tree), frozenset(recipe.seal.keep)
    operated = seal(tree, keep, declared)
    left = prove(tree, keep, declared)
    if left:
        found = ", ".join(f"{residue.path} ({residue.operation})" for residue in left[:5])
        raise CheckFailed(
            f"the tree is not sealed: {found}", hint="report this as a bug of goldsmith; the recipe is fine"
        )
    ground.notes["chance"] = ground.notes["warnings"] = left_to_chance(tree)
    ground.notes["seal"] = to_json(certify(operated, left, keep=keep, declared=declared))


def need_kernel(ground: Ground) -> None:
    """Refuse a tree that cannot boot.

    Raises:
        InputError: there is no kernel in /boot.
    """
    names = ground.tree.listdir("/boot") if ground.tree.is_dir("/boot") else []
    if not any(name.startswith("vmlinuz-") for name in names):
        raise InputError(
            "the image has no kernel: there is no vmlinuz-* in its /boot",
            hint="see what removes it: `remove` in the recipe, or a component",
        )


def lacks_initramfs(ground: Ground) -> bool:
    """Whether a kernel has no initramfs: an archive of a root may come without."""
    names = ground.tree.listdir("/boot")
    return any(
        name.startswith("vmlinuz-") and name.replace("vmlinuz-", "initrd.img-", 1) not in names
        for name in names
    )


def wants_initramfs(ground: Ground) -> bool:
    """Whether a step after the first group asked for an initramfs, or changed what it is made of."""
    first = 1 if base_of(ground.below) else FIRST_GROUP
    if first == 1 and lacks_initramfs(ground):
        return True
    return any(
        layer.notes.get("initramfs")
        or any(
            entry.kind != "dir" and entry.path.startswith(INITRAMFS_INPUTS) for entry in layer.changes.entries
        )
        for layer in ground.below[first:]
        if not any(entry.path.startswith("/boot/initrd.img-") for entry in layer.changes.entries)
    )
