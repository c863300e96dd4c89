"""From the finished tree to a stored image: index, disk, digests."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from goldsmith.builder.bootparts import kept_boot_parts
from goldsmith.builder.layers import Layer
from goldsmith.builder.workshop import Workshop
from goldsmith.disk.digest import disk_digest, sha256_sparse
from goldsmith.disk.layout import JOURNAL, plan_layout
from goldsmith.disk.make import make_disk
from goldsmith.disk.need import measure
from goldsmith.disk.tools import Tools
from goldsmith.effects.files import free_bytes
from goldsmith.effects.overlay import overlaid
from goldsmith.effects.sparse import copy_sparse
from goldsmith.effects.tmpfs import memory_room
from goldsmith.errors import NoSpace
from goldsmith.model.disk import BLOCK, Layout
from goldsmith.model.recipe import Recipe
from goldsmith.model.tree import TreeEntry, apply, tree_digest

SHA256_UP_TO = 16 << 30
"""Disks up to this size get the SHA-256 of their plain bytes at once; above, reading the zeros would take minutes."""


@dataclass(frozen=True, slots=True)
class Made:
    """What was made of a tree."""

    raw: Path
    """The disk, not yet in the store."""
    tree: Mapping[str, TreeEntry]
    """The tree's entries by path."""
    tree_digest: str
    disk_digest: str
    disk_sha256: str | None
    cuts: tuple[int, ...]
    """Bytes of the disk where partitions begin."""


def fold(below: Sequence[Layer]) -> dict[str, TreeEntry]:
    """The tree that layers make, lowest first, by path."""
    tree: dict[str, TreeEntry] = {}
    for layer in below:
        tree = apply(tree, layer.changes)
    return tree


def make_image(
    shop: Workshop, below: Sequence[Layer], recipe: Recipe, tools: Tools, tools_digest: str
) -> Made:
    """Make the disk of a finished tree, and all digests.

    Raises:
        InputError: the size that the recipe asks for is too small.
        NoSpace: the disk does not fit.
        StepFailed: a tool failed.
    """
    mount = shop.work / "tree"
    mount.mkdir()
    with ThreadPoolExecutor(max_workers=3) as pool, ExitStack() as stack:
        described = pool.submit(describe, below)
        with overlaid([layer.tree for layer in reversed(below)], mount) as tree:
            need = measure(tree)
            layout = plan_layout(recipe.disk, name=recipe.name, architecture=recipe.architecture, need=need)
            need_space(shop.work, layout, recipe)
            parts = kept_boot_parts(shop, layout, recipe, tools=tools, tools_digest=tools_digest, tree=tree)
            # mke2fs writes block by block, which costs a disk's file system about as much as all the rest.
            room = stack.enter_context(memory_room(shop.work / "memory", need.blocks * BLOCK + JOURNAL))
            raw = room / "disk.raw"
            make_disk(tree, layout, tools=tools, epoch=shop.epoch, output=raw, parts=parts)
        named = pool.submit(disk_digest, raw)
        kept = pool.submit(settle, raw, shop.work / "disk.raw")
        plain_sha256 = sha256_sparse(raw) if layout.size <= SHA256_UP_TO else None
        entries, tree_name = described.result()
        cuts = tuple(partition.start for partition in layout.partitions)
        return Made(kept.result(), entries, tree_name, named.result(), plain_sha256, cuts)


def settle(raw: Path, target: Path) -> Path:
    """Bring a disk from memory to the file system of the store; its holes stay holes."""
    with target.open("wb") as stream:
        stream.truncate(raw.stat().st_size)
        copy_sparse(raw, stream.fileno(), 0)
    return target


def describe(below: Sequence[Layer]) -> tuple[Mapping[str, TreeEntry], str]:
    """The tree that layers make, and its digest."""
    tree = fold(below)
    return tree, tree_digest(tree.values())


def need_space(room: Path, layout: Layout, recipe: Recipe) -> None:
    """Check that the disk fits, before it is written; of an empty disk only the files count."""
    used = layout.root.size - (recipe.disk.headroom if recipe.disk.size is None else 0)
    wanted = min(used, layout.size)
    free = free_bytes(room)
    if recipe.disk.size is None and wanted > free:
        raise NoSpace(
            f"the disk of {recipe.name!r} needs {wanted >> 20} MiB in {room}, and {free >> 20} MiB are free",
            hint="free some space, or set GOLDSMITH_HOME to a larger file system",
        )
