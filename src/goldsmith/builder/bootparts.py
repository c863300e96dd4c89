"""Boot parts, kept: they depend on the layout and the tools, which rarely change."""

import json
import shutil
from pathlib import Path

from goldsmith.builder.workshop import Workshop
from goldsmith.disk.boot_parts import BootParts, make_boot_parts
from goldsmith.disk.digest import disk_digest
from goldsmith.disk.source import Source
from goldsmith.disk.tools import Tools
from goldsmith.model.canonical import digest
from goldsmith.model.disk import Layout, Role
from goldsmith.model.recipe import Recipe

VERSION = 2
"""The version of the code that makes them; raise it when the same layout and tools give others."""
SUMS = "sums.json"


def kept_boot_parts(
    shop: Workshop, layout: Layout, recipe: Recipe, *, tools: Tools, tools_digest: str, source: Source
) -> BootParts:
    """The parts that start the disk, from the cache if they are there and sound; errors as ``make_boot_parts``."""
    append = recipe.customizations.kernel.append if recipe.customizations.kernel else ""
    fresh = shop.work / "boot-parts"
    fresh.mkdir()
    if layout.filesystem != "ext4":  # they hold the tree's kernel
        return make_boot_parts(
            layout, append=append, tools=tools, epoch=shop.epoch, directory=fresh, source=source
        )
    facts = {
        "version": VERSION,
        "boot": layout.boot,
        "places": [[p.role, p.number, p.start, p.guid.hex] for p in layout.partitions],
        "esp": [p.size for p in layout.partitions if p.role is Role.ESP],
        "identities": [layout.guid.hex, layout.root_uuid.hex, layout.esp_serial],
        "tools": tools_digest,
        "epoch": shop.epoch,
    }
    kept = shop.home / "cache/boot-parts" / digest(facts).removeprefix("sha256:")
    if is_sound(kept):
        return load(kept)
    parts = make_boot_parts(
        layout, append=append, tools=tools, epoch=shop.epoch, directory=fresh, source=source
    )
    (fresh / "code").write_bytes(parts.code)
    (fresh / "core").write_bytes(parts.core)
    if parts.esp is not None and parts.esp != fresh / "esp.img":
        parts.esp.rename(fresh / "esp.img")
    keep(fresh, kept)
    return load(kept)


def load(kept: Path) -> BootParts:
    """Parts that were kept."""
    esp = kept / "esp.img"
    return BootParts(
        (kept / "code").read_bytes(), (kept / "core").read_bytes(), esp if esp.exists() else None
    )


def is_sound(kept: Path) -> bool:
    """Whether kept parts are there, with the bytes that they were kept with."""
    try:
        sums = json.loads((kept / SUMS).read_bytes())
        return all(disk_digest(kept / name) == known for name, known in sums.items())
    except (OSError, ValueError):
        return False


def keep(fresh: Path, kept: Path) -> None:
    """Move fresh parts to their place, with their digests; what is there is damaged, or another build's equal parts."""
    sums = {path.name: disk_digest(path) for path in sorted(fresh.iterdir()) if path.is_file()}
    (fresh / SUMS).write_text(json.dumps(sums))
    kept.parent.mkdir(parents=True, exist_ok=True)
    if kept.exists() and not is_sound(kept):
        shutil.rmtree(kept, ignore_errors=True)
    try:
        fresh.rename(kept)
    except OSError:
        if not is_sound(kept):
            raise
