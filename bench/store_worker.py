"""One measured act of ``store.py`` in a process of its own; prints its seconds, wall and processor.

store_worker.py record HOME TREE RAW VERSION EPOCH    record a directory and its disk in the store of HOME
store_worker.py rebuild HOME REF                      make the raw disk of an image
"""

import os
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from goldsmith.builder.layers import tell
from goldsmith.disk.digest import disk_digest
from goldsmith.disk.stored import place, raw_disk
from goldsmith.model.tree import TreeEntry, tree_digest
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


def record(home: Home, tree: Path, raw: Path, version: str, epoch: int) -> None:
    """Record an image, as a build does after it knows tree and disk."""
    entries = scan(tree)
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


def main() -> None:
    """Do what the words say."""
    verb, home, *words = sys.argv[1:]
    if verb == "record":
        record(Home(Path(home)), Path(words[0]), Path(words[1]), words[2], int(words[3]))
    else:
        rebuild(Home(Path(home)), words[0])


if __name__ == "__main__":
    main()
