"""One measured act of ``store.py`` in a process of its own; prints its seconds, wall and processor.

store_worker.py record HOME TREE RAW VERSION    record a directory and its disk in the store of HOME
store_worker.py rebuild HOME REF                make the raw disk of an image
store_worker.py moved HOME REF REF              bytes that the second image needs more than the first
"""

import os
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import zstandard

from goldsmith.builder.layers import tell
from goldsmith.disk.digest import disk_digest
from goldsmith.disk.stored import place, raw_disk
from goldsmith.model.tree import TreeEntry, tree_digest
from goldsmith.store.contents import contents_of
from goldsmith.store.home import Home
from goldsmith.store.images import find, layout_of, name_image
from goldsmith.store.partition import dpkg_owners
from goldsmith.store.record import ImageFacts, store_image

NAME = "bench"


def scan(root: Path) -> dict[str, TreeEntry]:
    """A directory as a tree."""
    found: dict[str, TreeEntry] = {}

    def visit(directory: Path) -> None:
        for path in sorted(directory.iterdir()):
            where = f"/{path.relative_to(root)}"
            facts = path.lstat()
            found[where] = tell(where, path, facts)
            if stat.S_ISDIR(facts.st_mode):
                visit(path)

    visit(root)
    return found


def timed(act: Callable[[], object]) -> None:
    """Do it, and print how long it took."""
    start, before = time.perf_counter(), os.times()
    act()
    after = os.times()
    print(time.perf_counter() - start, after.user + after.system - before.user - before.system)


def record(home: Home, tree: Path, raw: Path, version: str) -> None:
    """Record an image, as a build does after it knows tree and disk."""
    entries = scan(tree)
    epoch = max(entry.mtime for entry in entries.values())
    facts = ImageFacts(NAME, version, "amd64", epoch, tree_digest(entries.values()), disk_digest(raw))

    def open_file(path: str) -> BinaryIO:
        return Path(f"{tree}{path}").open("rb", buffering=0)

    def act() -> None:
        layout = layout_of(home)
        with layout.used():
            owners = dpkg_owners(entries, open_file)
            stored = store_image(
                layout, facts, entries, open_file, raw, owners=owners, cuts=(1 << 20, 2 << 20)
            )
            name_image(layout, NAME, version, stored.index)

    timed(act)


def rebuild(home: Home, reference: str) -> None:
    """Make a raw disk, warm."""
    image = find(home, reference)
    place(home, str(image.facts["disk_digest"])).unlink(missing_ok=True)
    timed(lambda: raw_disk(home, image))


def moved(home: Home, before: str, after: str) -> None:
    """Bytes to move, and what the changed files alone take when zstd packs them."""
    old, new = (contents_of(home, find(home, reference)) for reference in (before, after))
    known = {frame for layer in old.index.layers for frame in layer.frames}
    layers = {layer.blob.digest for layer in old.index.layers}
    frames = {f for layer in new.index.layers if layer.blob.digest not in layers for f in layer.frames}
    parts = new.parts
    blobs = {
        blob.digest: blob.size
        for blob in (
            parts.index,
            parts.container,
            parts.disk,
            parts.tree_index,
            parts.disk_map,
            *parts.literals,
        )
    }
    for blob in old.parts.literals:
        blobs.pop(blob.digest, None)
    total = sum(frame.size for frame in frames - known) + sum(blobs.values())
    contents = {entry.sha256 for entry in old.index.entries.values()}
    changed = {
        entry.sha256: path
        for path, entry in new.index.entries.items()
        if entry.kind == "file" and entry.size and entry.sha256 not in contents
    }
    packer = zstandard.ZstdCompressor(level=3).compressobj()
    packed = sum(len(packer.compress(new.read(path))) for path in sorted(changed.values()))
    print(total, packed + len(packer.flush()), len(changed))


def main() -> None:
    """Do what the words say."""
    verb, home, *words = sys.argv[1:]
    if verb == "record":
        record(Home(Path(home)), Path(words[0]), Path(words[1]), words[2])
    elif verb == "rebuild":
        rebuild(Home(Path(home)), words[0])
    else:
        moved(Home(Path(home)), words[0], words[1])


if __name__ == "__main__":
    main()
