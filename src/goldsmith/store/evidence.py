"""Evidence: documents about an image, kept beside it as OCI referrers, so that they move with it and go with it."""

from collections.abc import Iterator

from goldsmith.model import oci
from goldsmith.model.oci import Descriptor
from goldsmith.store.layout import Layout
from goldsmith.store.notes import SUBJECT


def keep_evidence(layout: Layout, image: Descriptor, kind: str, document: bytes) -> Descriptor:
    """Keep a document about an image; the same document is kept once. It is there after a crash once this returns.

    Args:
        layout: the store, which must be ``used``.
        image: the object that stands for the whole image.
        kind: the document's media type, which is the manifest's artifact type too.
        document: its bytes.

    Raises:
        NoSpace: the store's file system is full.
    """
    blob = layout.blobs.put(document, kind)
    empty = layout.blobs.put(oci.EMPTY_JSON, oci.EMPTY)
    manifest = layout.blobs.put(
        oci.manifest(empty, [blob], artifact_type=kind, subject=image),
        oci.MANIFEST,
    )
    layout.blobs.settle()
    item = Descriptor(manifest.media_type, manifest.digest, manifest.size, artifact_type=kind)
    layout.attach(item, image.digest)
    return item


def evidence(layout: Layout, image: Descriptor, kind: str) -> Iterator[bytes]:
    """The documents of one kind about an image, the one that was kept last first.

    Raises:
        IntegrityError: a document is missing or damaged.
    """
    for item in layout.entries():
        if item.note(SUBJECT) == image.digest and layout.read(item.digest).get("artifactType") == kind:
            _, blob, *_ = layout.children(item.digest)
            yield layout.blobs.read(blob.digest)
