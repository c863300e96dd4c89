"""The seal certificate of an image in the store: one that this store's own build made, or one that came with the image.

Evidence that comes with an image is whoever's; until it is signed, only what was made here is believed. Which one that
is, the build notes by its digest, beside the image and not in it.
"""

import json
from collections.abc import Mapping
from dataclasses import replace

from goldsmith.builder.seal.certificate import from_json, to_json
from goldsmith.errors import UsageError
from goldsmith.model.canonical import canonical
from goldsmith.model.oci import digest_of
from goldsmith.model.seal import SealCertificate
from goldsmith.store.evidence import evidence
from goldsmith.store.images import StoredImage
from goldsmith.store.layout import Layout
from goldsmith.store.record import ImageFacts

SEAL = "application/vnd.goldsmith.seal.v1+json"
"""The media type of a certificate."""
OWN = "seal"
"""Where a build notes the digest of its certificate."""


def certificate_of(facts: ImageFacts, document: object) -> bytes:
    """The bytes of an image's certificate.

    Args:
        facts: what the image is.
        document: what the last step of its build said of the seal, before the image was known.

    Raises:
        IntegrityError: the document is damaged.
    """
    image = {
        "name": facts.name,
        "version": facts.version,
        "tree_digest": facts.tree_digest,
        "disk_digest": facts.disk_digest,
    }
    return canonical(to_json(replace(from_json(document), image=image)))


def named(certificate: bytes) -> str:
    """A certificate's digest."""
    return digest_of(certificate)


def own_certificate(layout: Layout, image: StoredImage) -> SealCertificate | None:
    """The certificate that this store's own build gave an image; None if it has none that is.

    Raises:
        IntegrityError: it is damaged.
    """
    for data in evidence(layout, image.index, SEAL):
        if named(data) == image.facts.get(OWN):
            return from_json(json.loads(data))
    return None


def need_certificate(layout: Layout, image: StoredImage) -> tuple[Mapping[str, object], bool]:
    """An image's certificate as JSON, and whether it was made here; the own one, else the one that came last.

    Raises:
        UsageError: there is none.
        IntegrityError: it is damaged.
    """
    found = sorted(evidence(layout, image.index, SEAL), key=lambda data: named(data) != image.facts.get(OWN))
    if not found:
        raise UsageError(
            f"{image.reference} has no seal certificate: goldsmith has not sealed it",
            hint="it was imported, or built before there were certificates; "
            "`goldsmith leaks` tells what is in it",
        )
    document = json.loads(found[0])
    from_json(document)
    return document, named(found[0]) == image.facts.get(OWN)
