"""From the finished tree to a stored image: index, disk, digests."""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import zstandard

from goldsmith.builder.layers import Layer
from goldsmith.builder.workshop import Workshop
from goldsmith.disk.boot_parts import BootParts, make_boot_parts
from goldsmith.disk.digest import disk_digest, sha256_sparse
from goldsmith.disk.layout import plan_layout
from goldsmith.disk.make import make_disk
from goldsmith.disk.need import measure
from goldsmith.disk.tools import Tools
from goldsmith.effects.files import free_bytes
from goldsmith.effects.overlay import overlaid
from goldsmith.errors import NoSpace
from goldsmith.model.canonical import digest, plain
from goldsmith.model.disk import Layout
from goldsmith.model.recipe import Recipe
from goldsmith.model.tree import TreeEntry, apply, rows, tree_digest

BOOT_PARTS_VERSION = 1
SHA256_UP_TO = 16 << 30
"""Disks up to this size get the SHA-256 of their plain bytes at once; above, reading the zeros would take minutes."""


@dataclass(frozen=True, slots=True)
class Made:
    """What was made of a tree."""

    raw: Path
    """The disk, not yet in the store."""
    tree_digest: str
    disk_digest: str
    disk_sha256: str | None
    index: bytes
    """The tree's entries, one JSON array a line, compressed by zstd."""


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
    raw = shop.work / "disk.raw"
    with ThreadPoolExecutor(max_workers=2) as pool:
        indexed = pool.submit(describe, below)
        with overlaid([layer.tree for layer in reversed(below)], mount) as tree:
            layout = plan_layout(
                recipe.disk, name=recipe.name, architecture=recipe.architecture, need=measure(tree)
            )
            need_space(shop.work, layout, recipe)
            parts = boot_parts(shop, layout, recipe, tools=tools, tools_digest=tools_digest, tree=tree)
            make_disk(tree, layout, tools=tools, epoch=shop.epoch, output=raw, parts=parts)
        named = pool.submit(disk_digest, raw)
        plain_sha256 = sha256_sparse(raw) if layout.size <= SHA256_UP_TO else None
        tree_name, index = indexed.result()
        return Made(raw, tree_name, named.result(), plain_sha256, index)


def describe(below: Sequence[Layer]) -> tuple[str, bytes]:
    """The tree's digest and its index."""
    tree = fold(below).values()
    text = b"".join(json.dumps(row, separators=(",", ":")).encode() + b"\n" for row in rows(tree))
    return tree_digest(tree), zstandard.ZstdCompressor(level=3).compress(text)


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


def boot_parts(
    shop: Workshop, layout: Layout, recipe: Recipe, *, tools: Tools, tools_digest: str, tree: Path
) -> BootParts:
    """The parts that start the disk; for ext4 they depend on the layout and the tools only, and are kept."""
    append = recipe.customizations.kernel.append if recipe.customizations.kernel else ""
    fresh = shop.work / "boot-parts"
    fresh.mkdir()
    if layout.filesystem != "ext4":
        return make_boot_parts(
            layout, append=append, tools=tools, epoch=shop.epoch, directory=fresh, tree=tree
        )
    # The size of disk and root do not matter to them, but all else does: better too many facts than one too few.
    facts = {
        "version": BOOT_PARTS_VERSION,
        "guids": [str(partition.guid) for partition in layout.partitions],
        "starts": [partition.start for partition in layout.partitions],
        "uuid": str(layout.root_uuid),
        "serial": layout.esp_serial,
        "boot": layout.boot,
        "tools": tools_digest,
        "epoch": shop.epoch,
        "disk": plain(recipe.disk),
    }
    kept = shop.home / "cache/boot-parts" / digest(facts).removeprefix("sha256:")
    found = load_parts(kept)
    if found is not None:
        return found
    parts = make_boot_parts(layout, append=append, tools=tools, epoch=shop.epoch, directory=fresh, tree=tree)
    save_parts(parts, fresh, kept)
    return parts


def save_parts(parts: BootParts, fresh: Path, kept: Path) -> None:
    """Keep boot parts, with their digests: they are believed by content only."""
    room = fresh / "kept"
    room.mkdir()
    contents = {"code": parts.code, "core": parts.core}
    if parts.esp is not None:
        contents["esp"] = parts.esp.read_bytes()
    for name, data in contents.items():
        (room / name).write_bytes(data)
    sums = {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()}
    (room / "sums.json").write_text(json.dumps(sums))
    kept.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.rename(room, kept)
    except OSError:  # another build was faster, or what was there was damaged
        shutil.rmtree(kept, ignore_errors=True)
        os.rename(room, kept)


def load_parts(kept: Path) -> BootParts | None:
    """Boot parts that were kept, if their bytes are what they were."""
    try:
        sums: Mapping[str, str] = json.loads((kept / "sums.json").read_bytes())
        contents = {name: (kept / name).read_bytes() for name in sums}
    except (FileNotFoundError, ValueError):
        return None
    if any(hashlib.sha256(data).hexdigest() != sums[name] for name, data in contents.items()):
        return None
    return BootParts(contents["code"], contents["core"], kept / "esp" if "esp" in contents else None)
