"""Small images with real disks, recorded as a build records them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tests.store.trees import EPOCH, noise, opener, tree_of

from goldsmith.disk.digest import disk_digest
from goldsmith.model.tree import tree_digest
from goldsmith.store.home import Home
from goldsmith.store.images import StoredImage, layout_of, name_image
from goldsmith.store.layout import Layout
from goldsmith.store.record import ImageFacts, identity_of, store_image

K = 4096
KIB, MIB = 1 << 10, 1 << 20
BASE = {
    "/usr/lib/large": noise(1, 3 * MIB),
    "/usr/lib/middle": noise(2, 300 * KIB),
    **{f"/usr/share/doc/{number:03}": noise(100 + number, 2000 + 97 * number) for number in range(300)},
    "/etc/hostname": b"base\n",
}
CHANGED = {
    **BASE,
    "/usr/lib/middle": noise(3, 310 * KIB),
    "/etc/hostname": b"other\n",
    "/usr/share/doc/150": b"changed\n",
}
"""Three files of BASE changed."""
OWNERS = {path: path.split("/")[2] for path in BASE if path.startswith("/usr/share")} | {
    "/usr/lib/large": "large"
}


def files_of(number: int) -> dict[str, bytes]:
    """The files of a tiny image."""
    return {"/usr/a": noise(1, 3 * K), "/usr/b": noise(2, 150_000), "/etc/version": b"%d" % number}


@dataclass(frozen=True)
class Maker:
    """Makes images in one home."""

    home: Home
    room: Path

    @property
    def layout(self) -> Layout:
        return layout_of(self.home)

    def make(
        self, name: str, version: str, files: Mapping[str, bytes], *, layout: Layout | None = None
    ) -> StoredImage:
        """Record an image whose disk has all its files, and some bytes that come from none."""
        layout = layout or self.layout
        entries, contents = tree_of(files)
        raw = self.room / "raw"
        blocks = [data.ljust(-(-len(data) // K) * K, b"\0") for data in contents.values()]
        raw.write_bytes(b"".join([noise(9, 2 * K), *blocks, bytes(8 * K), noise(10, K)]))
        facts = ImageFacts(
            name, version, "amd64", EPOCH, tree_digest(entries.values()), disk_digest(raw), labels={"a": "b"}
        )
        facts = replace(facts, digest=identity_of(facts))
        with layout.used():
            recorded = store_image(layout, facts, entries, opener(contents), raw, owners=OWNERS)
            image = name_image(layout, name, version, recorded.index)
        raw.unlink()
        return image
