"""An image into a repository of a registry: objects that it does not have, then manifests, then the name."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from goldsmith.effects.access import Progress
from goldsmith.effects.crew import all_of
from goldsmith.model.oci import Descriptor
from goldsmith.store.remote.manifests import Family, family
from goldsmith.store.remote.meter import Meter
from goldsmith.store.remote.pull import referrers, refusals
from goldsmith.store.remote.registry import Repository
from goldsmith.store.remote.source import Source
from goldsmith.store.remote.trying import trying


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a registry has now."""

    family: Family
    meter: Meter
    """What of its objects was sent, and what the registry had, in this repository or in another."""
    total: int
    """Bytes of all objects, manifests too."""
    referrers: int
    """How many manifests say something about the image."""
    replaced: str
    """The digest of what had the name before; empty for nothing."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends objects of one image to a repository."""

    source: Source
    target: Repository
    meter: Meter
    elsewhere: Mapping[str, str]
    """A repository of the same registry that may have an object, by digest."""

    def blob(self, item: Descriptor) -> None:
        """One object, if it is not there.

        Raises:
            NetworkError: the registry does not take it.
        """
        what = f"cannot send object {item.digest} to {self.target.address.place}"
        client = self.target.session.client
        if trying(client, what, lambda: self.target.has(item)):
            self.meter.reuse(item.size)
            return

        def send() -> None:
            location = self.target.mount_or_begin(item, self.elsewhere.get(item.digest, ""))
            if not location:
                self.meter.reuse(item.size)
                return
            self.target.send(item, location, partial(self._pieces, item))

        trying(client, what, send)

    def _pieces(self, item: Descriptor) -> Iterator[bytes]:
        for piece in self.source.pieces(item, 0, item.size):
            yield piece
            self.meter.move(len(piece))


def push(
    source: Source,
    target: Repository,
    *,
    jobs: int,
    progress: Progress,
    elsewhere: Callable[[Family], Mapping[str, str]] = lambda _: {},
) -> Pushed:
    """Send an image to a registry; it has its name there once this returns.

    Args:
        source: where the image is.
        target: the repository, and the name it gets there.
        jobs: how many objects at a time.
        progress: is told of bytes.
        elsewhere: says of an image's objects, by digest, which repository of the same registry may have them.

    Raises:
        UsageError: there is no such image.
        NetworkError: a place does not answer as it should.
        IntegrityError: a manifest is not what its digest says.
    """
    client = target.session.client
    tag = target.address.tag
    with refusals(f"cannot push to {target.address.place}"):
        item, data = source.root()
        found = family(source, item, data)
        said = referrers(source, found)
        before = trying(client, f"cannot read {target.address}", lambda: target.named(tag))
    blobs = {blob.digest: blob for one in (found, *said) for blob in one.blobs}
    size = sum(blob.size for blob in blobs.values())
    sender = Sender(source, target, Meter(size, progress), elsewhere(found))
    ordered = sorted(blobs.values(), key=lambda blob: -blob.size)
    all_of([partial(sender.blob, blob) for blob in ordered], jobs=jobs, stop=client.stop)
    with refusals(f"cannot push to {target.address.place}"):
        for manifest in found.manifests:
            target.put(manifest)
        for one in said:
            for manifest in one.manifests[:-1]:
                target.put(manifest)
            target.put_referrer(one.root)
        target.put(found.root, tag)
    replaced = before[0].digest if before and before[0].digest != item.digest else ""
    total = size + sum(len(manifest.data) for one in (found, *said) for manifest in one.manifests)
    return Pushed(found, sender.meter, total, len(said), replaced)
