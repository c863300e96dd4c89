"""Look into a finished disk, without mounting it."""

import json
import subprocess
from pathlib import Path
from typing import Any

from goldsmith.disk.stored import raw_disk
from goldsmith.model.tree import rows
from goldsmith.store.home import Home
from goldsmith.store.images import StoredImage, find, layout_of
from goldsmith.store.record import parts_of
from goldsmith.store.tree import read_index


def image_of(home: Path, facts: dict[str, Any]) -> StoredImage:
    """A build's image."""
    return find(Home(home), f"{facts['name']}:{facts['version']}-b{facts['build']}")


def disk_of(home: Path, facts: dict[str, Any]) -> Path:
    """Its raw disk."""
    return raw_disk(Home(home), image_of(home, facts))


def index(home: Path, facts: dict[str, Any]) -> dict[str, list[Any]]:
    """The tree's rows, by path: path, kind, mode, uid, gid, mtime, size, sha256, target, xattrs, link."""
    layout = layout_of(Home(home))
    parts = parts_of(layout, image_of(home, facts).index, "")
    entries = read_index(layout, parts.tree_index.digest).entries
    return {str(row[0]): row for row in rows(entries.values())}


def root_offset(disk: Path) -> int:
    """Where the last partition, the root, starts, in bytes."""
    done = subprocess.run(["sfdisk", "--json", disk], capture_output=True, check=True)
    table = json.loads(done.stdout)["partitiontable"]
    return int(table["partitions"][-1]["start"]) * int(table["sectorsize"])


def read(home: Path, facts: dict[str, Any], path: str) -> str:
    """The text of a file on the disk's ext4 root."""
    disk = disk_of(home, facts)
    where = f"{disk}?offset={root_offset(disk)}"
    done = subprocess.run(["debugfs", "-R", f"cat {path}", where], capture_output=True, check=True)
    assert b"File not found" not in done.stderr, f"{path} is not on the disk"
    return done.stdout.decode()
