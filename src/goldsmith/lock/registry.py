"""The image that a recipe names by a registry's address: pulled, and adopted where it is a plain container image."""

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

from goldsmith.disk.adopt.keep import adopt_layout
from goldsmith.effects.claims import claimed
from goldsmith.effects.client import Client
from goldsmith.effects.files import write_durably
from goldsmith.errors import UsageError
from goldsmith.model import oci
from goldsmith.model.oci import Descriptor
from goldsmith.store.home import Home
from goldsmith.store.images import StoredImage, find, layout_of, whole
from goldsmith.store.layout import Layout
from goldsmith.store.remote.address import Kind, Place, parse
from goldsmith.store.remote.manifests import check_manifest
from goldsmith.store.remote.pull import bring, refusals
from goldsmith.store.remote.source import Source
from goldsmith.store.remote.transfer import Ways, open_source, proxies_of, transfer


@dataclass(frozen=True, slots=True)
class OnePlatform:
    """A source of which only one manifest is taken, not the index that lists it."""

    whole: Source
    item: Descriptor
    data: bytes

    def root(self) -> tuple[Descriptor, bytes]:
        """As ``Source.root``."""
        return self.item, self.data

    def manifest(self, item: Descriptor) -> bytes:
        """As ``Source.manifest``."""
        return self.whole.manifest(item)

    def pieces(self, item: Descriptor, start: int, end: int) -> Iterator[bytes]:
        """As ``Source.pieces``."""
        return self.whole.pieces(item, start, end)

    def referrers(self, digest: str) -> tuple[Descriptor, ...]:  # noqa: ARG002 - of no use in a base
        """None: evidence about a container image says nothing of what is built on it."""
        return ()


def pulled_image(
    named: str,
    *,
    architecture: str,
    version: str,
    home: Home,
    jobs: int,
    report: Callable[[str], None],
) -> StoredImage:
    """The image at ``oci:HOST/NAME:TAG``, in the store.

    An image of goldsmith's comes with its disk, under its own name and version; any other is adopted.

    Args:
        named: the address.
        architecture: which of several images is wanted.
        version: what an adopted image gets.
        home: the data directory.
        jobs: how many threads work.
        report: is told what is being done.

    Raises:
        UsageError: there is no such image.
        NetworkError: the registry does not answer as it should.
        IntegrityError: something is not what its digest says.
        InputError: the image is hostile, or holds what cannot be read.
    """
    address = parse(named)
    client = Client(proxies_of(os.environ))
    try:
        ways = Ways(home, client, dict(os.environ), jobs=jobs)
        source = open_source(ways, address)
        with refusals("cannot read the image"):
            item, data = source.root()
        note = home / "cache/adopted" / hashlib.sha256(f"{named} {item.digest}".encode()).hexdigest()
        with suppress(OSError, UsageError):
            known = find(home, note.read_text())
            if whole(layout_of(home), known.index):
                return known
        report(f"pulling {named}")
        chosen = one_platform(source, item, data, architecture, named)
        if chosen is None:
            moved = transfer(ways, address, replace(address, place=Place(Kind.STORE, "")))
            image = find(home, moved.name)
        else:
            with claimed(home / "work") as room:
                layout = Layout(room / "layout")
                with layout.used():
                    brought = bring(
                        layout,
                        chosen,
                        client,
                        name=address.name,
                        jobs=jobs,
                        progress=lambda _done, _total: None,
                    )
                image = adopt_layout(
                    layout,
                    brought.family.root.item,
                    room,
                    label=named,
                    name=address.name,
                    version=version,
                    home=home,
                    jobs=jobs,
                ).image
        write_durably(note, image.own.encode())
        return image
    finally:
        client.stop.set()


def one_platform(
    source: Source, item: Descriptor, data: bytes, architecture: str, named: str
) -> OnePlatform | None:
    """The container image of one architecture; None for an image of goldsmith's, which is taken whole.

    Raises:
        UsageError: there is none for this architecture.
    """
    if item.media_type != oci.INDEX:
        return OnePlatform(source, item, data)
    manifest = check_manifest(item, data)
    children = oci.children(manifest.value)
    if any(child.artifact_type == oci.DISK for child in children):
        return None
    found = [child for child in children if child.platform == ("linux", architecture)]
    if not found:
        there = ", ".join(sorted({"/".join(child.platform) for child in children if child.platform}))
        raise UsageError(
            f"{named!r} has no image for linux/{architecture}", hint=f"it has: {there or 'none'}"
        )
    with refusals("cannot read the image"):
        return OnePlatform(source, found[0], source.manifest(found[0]))
