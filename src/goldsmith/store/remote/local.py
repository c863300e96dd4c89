"""An image in a directory: the local store, or another OCI image layout."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from goldsmith.effects.part import CHUNK, Refused
from goldsmith.errors import IntegrityError, UsageError
from goldsmith.model.oci import REF_NAME, Descriptor, descriptor
from goldsmith.store.layout import Layout
from goldsmith.store.notes import SUBJECT
from goldsmith.store.remote.manifests import MANIFESTS


@dataclass(frozen=True, slots=True)
class LocalImage:
    """An image of a layout."""

    layout: Layout
    reference: str
    """``NAME:VERSION`` or ``NAME@DIGEST``."""

    def root(self) -> tuple[Descriptor, bytes]:
        """As ``Source.root``."""
        item = self._find()
        return replace(item, annotations=()), self.layout.blobs.read(item.digest)

    def _find(self) -> Descriptor:
        if not (self.layout.directory / "index.json").is_file():
            raise UsageError(
                f"{self.layout.directory} is no place with images: it has no index.json",
                hint="name a directory that goldsmith push, goldsmith build or skopeo copy has made",
            )
        name, _, digest = self.reference.partition("@")
        if not digest:
            return self.layout.resolve(self.reference)
        found = next((item for item in self.layout.entries() if item.digest == digest), None)
        if found is None:
            raise UsageError(
                f"there is no image {self.reference!r} in {self.layout.directory}", hint=f"look for {name}"
            )
        return found

    def manifest(self, item: Descriptor) -> bytes:
        """As ``Source.manifest``."""
        return self.layout.blobs.read(item.digest)

    def pieces(self, item: Descriptor, start: int, end: int) -> Iterator[bytes]:
        """As ``Source.pieces``."""
        with self.layout.blobs.open(item.digest) as stream:
            stream.seek(start)
            while start < end:
                data = stream.read(min(CHUNK, end - start))
                if not data:
                    raise Refused(f"object {item.digest} is shorter than it should be", final=True)
                start += len(data)
                yield data

    def referrers(self, digest: str) -> tuple[Descriptor, ...]:
        """As ``Source.referrers``: entries without a name whose subject is the object."""
        return referrers_of(self.layout, digest)


def referrers_of(layout: Layout, digest: str) -> tuple[Descriptor, ...]:
    """The manifests of a layout that say something about an object; they are entries without a name."""
    found = []
    for item in layout.entries():
        if item.note(REF_NAME) or item.media_type not in MANIFESTS:
            continue
        if item.note(SUBJECT):
            found += [item] if item.note(SUBJECT) == digest else []
            continue
        try:
            subject = layout.read(item.digest).get("subject")
            if subject and descriptor(subject).digest == digest:
                found.append(item)
        except (IntegrityError, ValueError):
            continue  # damaged; `store check` says so
    return tuple(found)
