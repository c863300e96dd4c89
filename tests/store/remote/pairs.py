"""Two versions of an image, of which one file in five has changed within."""

import struct
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import zstandard
from tests.store.remote.images import BASE, KIB, Maker
from tests.store.trees import newc, noise

from goldsmith.cli.moving import check_disk
from goldsmith.model.oci import Descriptor
from goldsmith.store.check import check
from goldsmith.store.home import Home
from goldsmith.store.images import find, layout_of
from goldsmith.store.remote.local import referrers_of
from goldsmith.store.remote.patch_sender import publish

if TYPE_CHECKING:
    from tests.store.remote.conftest import Move


def initrd(number: int) -> bytes:
    """An initial RAM disk as initramfs-tools makes it: modules in a plain archive, and one stream of zstd -9."""
    words = b"".join(struct.pack("<I", n * n % 1009) for n in range(60_000))
    data = newc({"a": noise(number, 900), "b": words, "c": noise(60, 200 * KIB)})
    packer = zstandard.ZstdCompressor(level=9, write_checksum=True, threads=1).compressobj()
    return newc({"kernel": noise(61, 100 * KIB)}) + packer.compress(data) + packer.flush()


def edited(data: bytes) -> bytes:
    """The same with some bytes more and some others."""
    return data[:5000] + b"inserted" + data[5000:100_000] + noise(70, 300) + data[100_300:]


OLD = {**BASE, "/boot/initrd.img": initrd(71), "/usr/lib/libx.so.1.2": noise(73, 200 * KIB)}
NEW = {
    **{path: data for path, data in OLD.items() if path != "/usr/lib/libx.so.1.2"},
    "/usr/lib/large": edited(OLD["/usr/lib/large"]),
    "/usr/lib/middle": edited(OLD["/usr/lib/middle"]),
    "/usr/lib/libx.so.1.3": edited(OLD["/usr/lib/libx.so.1.2"]),
    "/usr/share/doc/299": edited(OLD["/usr/share/doc/299"]),
    "/usr/share/doc/new": b"all of it is new\n" * 9,
    "/boot/initrd.img": initrd(72),
}
"""A large file, one in frames of its own, one of a new name, two small ones and an initial RAM disk are others."""
CHANGED = (
    "/usr/lib/large",
    "/usr/lib/middle",
    "/usr/lib/libx.so.1.3",
    "/usr/share/doc/299",
    "/boot/initrd.img",
)


WITHOUT = 4_000_000
"""Bytes that an update moves at least without them."""
SMALL = {"/usr/a": noise(1, 9000), "/usr/b": noise(2, 150_000), "/boot/initrd.img": initrd(71)}


@dataclass(frozen=True)
class Pair:
    """Two versions in one store, the older of which is in another one too."""

    maker: Maker
    there: Home
    move: "Move"

    def pull(self, host: str, *, home: Home | None = None) -> int:
        """Bytes that the newer version moved; it is checked in all ways."""
        home = home or self.there
        moved = self.move(home, f"{host}/web:2.0.0", "web:2.0.0", check_disk=partial(check_disk, home))
        assert find(home, "web:2.0.0").facts == find(self.maker.home, "web:2.0.0").facts
        assert check(layout_of(home), read=True) == []
        return moved.moved

    def published(self) -> tuple[Descriptor, Descriptor]:
        """The list and the data."""
        layout = self.maker.layout
        (item,) = referrers_of(layout, find(self.maker.home, "web:2.0.0").index.digest)
        _, listed, data, *_ = layout.children(item.digest)
        return listed, data


def make_patches(pair: Pair) -> None:
    layout = pair.maker.layout
    with layout.used():
        assert publish(layout, find(pair.maker.home, "web:2.0.0").index, "web")
