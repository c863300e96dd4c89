"""Look into a finished disk, without mounting it."""

import json
import subprocess
from pathlib import Path
from typing import Any

import zstandard


def image_directory(home: Path, facts: dict[str, Any]) -> Path:
    """Where a build's image is kept."""
    return Path(home, "images", facts["name"], f"{facts['version']}-b{facts['build']}")


def index(home: Path, facts: dict[str, Any]) -> dict[str, list[Any]]:
    """The tree's rows, by path: path, kind, mode, uid, gid, mtime, size, sha256, target, xattrs, link."""
    data = (image_directory(home, facts) / "tree.json.zst").read_bytes()
    text = zstandard.ZstdDecompressor().decompressobj().decompress(data)
    rows = [json.loads(line) for line in text.splitlines()]
    return {row[0]: row for row in rows}


def root_offset(disk: Path) -> int:
    """Where the last partition, the root, starts, in bytes."""
    done = subprocess.run(["sfdisk", "--json", disk], capture_output=True, check=True)
    table = json.loads(done.stdout)["partitiontable"]
    return int(table["partitions"][-1]["start"]) * int(table["sectorsize"])


def read(home: Path, facts: dict[str, Any], path: str) -> str:
    """The text of a file on the disk's ext4 root."""
    disk = image_directory(home, facts) / "disk.raw"
    where = f"{disk}?offset={root_offset(disk)}"
    done = subprocess.run(["debugfs", "-R", f"cat {path}", where], capture_output=True, check=True)
    assert b"File not found" not in done.stderr, f"{path} is not on the disk"
    return done.stdout.decode()
