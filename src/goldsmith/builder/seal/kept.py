"""The seal certificate of an image in the store."""

import json
from collections.abc import Mapping
from dataclasses import replace

from goldsmith.builder.seal.certificate import from_json, to_json
from goldsmith.errors import UsageError
from goldsmith.model.canonical import canonical
from goldsmith.model.seal import SealCertificate
from goldsmith.store.evidence import evidence, keep_evidence
from goldsmith.store.images import StoredImage
from goldsmith.store.layout import Layout

SEAL = "application/vnd.goldsmith.seal.v1+json"
"""The media type of a certificate."""
IDENTITIES = ("name", "version", "tree_digest", "disk_digest")


def keep_certificate(layout: Layout, image: StoredImage, document: object) -> None:
    """Keep what the last step of a build said of its seal, as evidence about the image that came of it.

    Args:
        layout: the store, which must be ``used``.
        image: the image.
        document: ``certificate.to_json``, before the image was known.

    Raises:
        IntegrityError: the document is damaged.
        NoSpace: the store's file system is full.
    """
    known = {name: str(image.facts[name]) for name in IDENTITIES}
    certificate = replace(from_json(document), image=known)
    keep_evidence(layout, image.index, SEAL, canonical(to_json(certificate)))


def kept_certificate(layout: Layout, image: StoredImage) -> SealCertificate | None:
    """An image's certificate; None for one that was adopted or that another version of goldsmith made.

    Raises:
        IntegrityError: it is damaged, or of another image.
    """
    document = kept_document(layout, image)
    return None if document is None else from_json(document)


def kept_document(layout: Layout, image: StoredImage) -> Mapping[str, object] | None:
    """The certificate as JSON."""
    for data in evidence(layout, image.index, SEAL):
        document: object = json.loads(data)
        if isinstance(document, dict):
            return document
    return None


def need_certificate(layout: Layout, image: StoredImage) -> Mapping[str, object]:
    """The certificate as JSON.

    Raises:
        UsageError: there is none.
        IntegrityError: it is damaged.
    """
    found = kept_document(layout, image)
    if found is None:
        raise UsageError(
            f"{image.reference} has no seal certificate: goldsmith has not sealed it",
            hint="it was imported, or built before there were certificates; "
            "`goldsmith leaks` tells what is in it",
        )
    from_json(found)
    return found
