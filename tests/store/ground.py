"""A store with small images of known content, and the real command run on it."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tests.store.kept import keep_tree
from tests.store.trees import EPOCH, Tree, linked, noise, tree_of

from goldsmith.model.tree import TreeEntry
from goldsmith.store.home import Home
from goldsmith.store.images import StoredImage

GOLDSMITH = Path(sys.executable).with_name("goldsmith")
BLOCK = 4096
STATUS = "/var/lib/dpkg/status"
LISTS = "/var/lib/dpkg/info"


@dataclass(frozen=True)
class Said:
    """A command that has ended."""

    code: int
    out: str
    error: str


def goldsmith(home: Home, *words: str | Path, cwd: Path | None = None) -> Said:
    """Run the real command."""
    done = subprocess.run(
        [GOLDSMITH, *words],
        env={**os.environ, "GOLDSMITH_HOME": str(home.path)},
        cwd=cwd,
        capture_output=True,
        check=False,
        timeout=60,
    )
    return Said(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode())


def package(name: str, version: str, size: int, state: str = "installed") -> str:
    return (
        f"Package: {name}\nStatus: install ok {state}\nInstalled-Size: {size}\n"
        f"Architecture: amd64\nVersion: {version}\n\n"
    )


def link(path: str, target: str) -> TreeEntry:
    return TreeEntry(path, "symlink", 0o777, 0, 0, EPOCH - 5, target=target)


def first_tree() -> Tree:
    status = package("nginx", "1.0", 10) + package("gone", "3", 5) + package("left", "1", 1, "config-files")
    files = {
        "/etc/app.conf": b"listen 80\n",
        "/usr/bin/app": b"\x7fELF" + noise(1, 9000),
        "/usr/bin/script": b"#!/bin/sh\nexit 0\n",
        "/usr/share/large": noise(2, 3000) * 100,
        "/usr/share/old": b"old\n",
        "/usr/share/empty": b"",
        "/usr/share/zeros": bytes(5000),
        STATUS: status.encode(),
        f"{LISTS}/nginx.list": b"/.\n/usr\n/usr/bin/app\n/usr/share/large\n",
    }
    links = [link("/etc/alias", "app.conf"), link("/bin", "usr/bin"), link("/etc/loop", "loop")]
    return linked(tree_of(files, links), "/usr/bin/app", "/usr/bin/app2", "group")


def second_tree() -> Tree:
    entries, contents = first_tree()
    status = package("nginx", "1.1", 14) + package("new", "2", 7)
    changed = {
        **contents,
        "/etc/app.conf": b"listen 443\n",
        "/usr/share/new": noise(3, 700),
        STATUS: status.encode(),
    }
    del changed["/usr/share/old"], changed["/usr/bin/app2"]
    others = [link("/etc/alias", "/usr/bin/script"), link("/bin", "usr/bin"), link("/etc/loop", "loop")]
    result, _ = tree_of(changed, others)
    result["/usr/bin/script"] = replace(result["/usr/bin/script"], mode=0o755)
    result["/usr/share/large"] = replace(result["/usr/share/large"], uid=7, gid=8)
    result["/usr/share/empty"] = replace(result["/usr/share/empty"], mtime=EPOCH - 100)
    result["/usr/bin/app"] = replace(result["/usr/bin/app"], xattrs=(("security.capability", "0100"),))
    assert set(entries) - set(result) == {"/usr/share/old", "/usr/bin/app2"}
    return result, changed


def disk_of(contents: Mapping[str, bytes], path: Path, own: bytes = b"") -> Path:
    """A disk that holds the files one behind the other, whole blocks each, then something of its own."""
    parts = [data.ljust(-(-len(data) // BLOCK) * BLOCK, b"\0") for _, data in sorted(contents.items())]
    path.write_bytes(b"".join(parts) + (own or noise(9, BLOCK)))
    return path


def keep(home: Home, tree: Tree, name: str = "web", version: str = "1.0.0", own: bytes = b"") -> StoredImage:
    """Record a tree with a disk made of it."""
    home.path.mkdir(parents=True, exist_ok=True)
    disk = disk_of(tree[1], home / f"{name}-{version}.raw", own)
    image = keep_tree(home, disk, tree, name, version, {"reproducible": True, "warnings": []})
    disk.unlink()
    return image


def lines(text: str) -> Sequence[str]:
    return [line.strip() for line in text.splitlines()]
