"""What many versions of an image take: twelve between two that were built.

    script/bench versions --home HOME --old REF --new REF [--count 12] [--work DIR]

Each version has the packages of some more of those that differ, in an order made by chance with a fixed seed, another
``dpkg/status``, and from the middle on the new initramfs. Layers and lists are stored as a build stores them; disks are left out.
"""

import argparse
import hashlib
import io
import random
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from goldsmith.model.oci import Descriptor
from goldsmith.model.tree import TreeEntry
from goldsmith.store.contents import contents_of
from goldsmith.store.home import Home
from goldsmith.store.images import find
from goldsmith.store.layout import Layout
from goldsmith.store.partition import dpkg_owners
from goldsmith.store.tree import StoredTree, open_path, store_tree
from measure import table

STATUS = "/var/lib/dpkg/status"
MB = 1e6
SEED = 5


@dataclass(frozen=True, slots=True)
class Version:
    """A tree with its bytes."""

    entries: Mapping[str, TreeEntry]
    bytes_of: Mapping[str, bytes]
    owners: Mapping[str, str]
    epoch: int


def load(home: Home, reference: str) -> Version:
    """An image's tree, in memory."""
    image = find(home, reference)
    contents = contents_of(home, image)
    entries = contents.index.entries
    known = {
        path: open_path(contents.layout, contents.index, path).read()
        for path, entry in entries.items()
        if entry.kind == "file"
    }
    owners = dpkg_owners(entries, lambda path: io.BytesIO(known[path]))
    return Version(
        entries, known, owners, int(datetime.fromisoformat(str(image.facts["created"])).timestamp())
    )


def between(
    old: Version, new: Version, count: int
) -> Iterator[tuple[dict[str, TreeEntry], dict[str, bytes]]]:
    """The trees of all versions, the old and the new one among them."""
    owners = {**old.owners, **new.owners}
    paths = sorted({*old.entries, *new.entries})
    changed = sorted(
        {owners[path] for path in paths if path in owners and old.entries.get(path) != new.entries.get(path)}
    )
    random.Random(SEED).shuffle(changed)
    for number in range(count):
        renewed = {*changed[: round(len(changed) * number / (count - 1))]}
        tree: dict[str, TreeEntry] = {}
        data: dict[str, bytes] = {}
        for path in paths:
            fresh = number > 0 if owners.get(path) not in changed else owners[path] in renewed
            side = new if (number >= count // 2 if "initrd" in path else fresh) else old
            if path in side.entries:
                tree[path], data[path] = side.entries[path], side.bytes_of.get(path, b"")
        data[STATUS] += b"%d\n" % number
        digest = hashlib.sha256(data[STATUS]).hexdigest()
        tree[STATUS] = replace(tree[STATUS], size=len(data[STATUS]), sha256=digest)
        yield with_directories(tree, {**old.entries, **new.entries}), data


def with_directories(tree: Mapping[str, TreeEntry], known: Mapping[str, TreeEntry]) -> dict[str, TreeEntry]:
    """The same with the directories above everything."""
    result = dict(tree)
    for path in tree:
        above = path.rpartition("/")[0]
        while above and above not in result:
            result[above] = known[above]
            above = above.rpartition("/")[0]
    return dict(sorted(result.items()))


def size_of(layout: Layout) -> int:
    return sum(path.stat().st_size for path in layout.blobs.all())


def measure(layout: Layout, old: Version, new: Version, count: int) -> list[Sequence[str]]:
    """Store all versions, each on top of the one before."""
    rows: list[Sequence[str]] = [("version", "layers", "of them kept", "image MB", "grown by MB", "all MB")]
    before: list[Descriptor] = []
    total = 0
    for number, (tree, data) in enumerate(between(old, new, count), 1):
        stored = store(layout, tree, data, {**old.owners, **new.owners}, new.epoch, before)
        blobs = [layer.blob for layer in stored.layers]
        image, all_of_it = sum(blob.size for blob in blobs), size_of(layout)
        kept = len({*blobs} & {*before})
        figures = [f"{value / MB:.1f}" for value in (image, all_of_it - total, all_of_it)]
        rows.append((str(number), str(len(blobs)), str(kept), *figures))
        before, total = blobs, all_of_it
    return rows


def store(
    layout: Layout,
    tree: Mapping[str, TreeEntry],
    data: Mapping[str, bytes],
    owners: Mapping[str, str],
    epoch: int,
    before: Sequence[Descriptor],
) -> StoredTree:
    with layout.used():
        return store_tree(
            layout, tree, lambda path: io.BytesIO(data[path]), owners=owners, epoch=epoch, before=before
        )


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description="What many versions of an image take.")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--old", required=True)
    parser.add_argument("--new", required=True)
    parser.add_argument("--count", type=int, default=12)
    parser.add_argument("--work", type=Path)
    words = parser.parse_args()
    old, new = (load(Home(words.home), reference) for reference in (words.old, words.new))
    with tempfile.TemporaryDirectory(prefix="goldsmith-bench-", dir=words.work) as room:
        print(table(measure(Layout(Path(room)), old, new, words.count)))


if __name__ == "__main__":
    main()
