"""The manifests of an image that comes from outside: read within bounds, verified, and what they name."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from goldsmith.errors import IntegrityError
from goldsmith.model import oci
from goldsmith.model.oci import Descriptor, descriptor, digest_of
from goldsmith.store.remote.source import Source

LARGEST = 4 << 20
"""Bytes of a manifest, at most; registries take no larger ones."""
MANY = 500
"""Manifests of one image, at most."""
DEEP = 4
"""Indexes one below the other, at most; two are rare already."""
VALUES = 1_500_000
"""Values in one JSON document, at most: Python needs many times the bytes of the text."""
MANIFESTS = (oci.INDEX, oci.MANIFEST)
DOCKER = "application/vnd.docker."


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest or an index, verified."""

    item: Descriptor
    data: bytes
    value: Mapping[str, object]

    @property
    def below(self) -> tuple[Descriptor, ...]:
        """The manifests of an index."""
        return _listed(self, "manifests") if self.item.media_type == oci.INDEX else ()

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """Config and layers of a manifest."""
        if self.item.media_type == oci.INDEX:
            return ()
        return (*_listed(self, "config"), *_listed(self, "layers"))

    @property
    def subject(self) -> Descriptor | None:
        """What it says something about."""
        return _listed(self, "subject")[0] if self.value.get("subject") else None

    @property
    def artifact_type(self) -> str:
        """What it is, if it is no container image."""
        return str(self.value.get("artifactType") or "")


@dataclass(frozen=True, slots=True)
class Family:
    """An image's manifests and the objects that they name."""

    manifests: tuple[Manifest, ...]
    """Each after all that it names; the image itself is last."""
    blobs: tuple[Descriptor, ...]
    """All other objects, each once."""

    @property
    def root(self) -> Manifest:
        """The image itself."""
        return self.manifests[-1]


def refused(digest: str, reason: str) -> IntegrityError:
    """The error for an object from outside that cannot be taken."""
    return IntegrityError(
        f"object {digest} cannot be taken: {reason}",
        hint="whoever keeps it there must mend it, or means no good; nothing of it is used",
    )


def _listed(manifest: Manifest, name: str) -> tuple[Descriptor, ...]:
    found = manifest.value.get(name) or []
    try:
        return tuple(descriptor(item) for item in (found if isinstance(found, list) else [found]))
    except ValueError as error:
        raise refused(manifest.item.digest, f"its {name!r}: {error}") from error


def read_json(data: bytes, what: str) -> Mapping[str, object]:
    """A JSON object that came from outside.

    Raises:
        IntegrityError: it is none, or has more values than any honest one.
    """
    if data.count(b",") + data.count(b"[") + data.count(b"{") > VALUES:
        raise IntegrityError(f"{what} has more than {VALUES} values", hint="whoever serves it means no good")
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise IntegrityError(
            f"{what} is no JSON ({str(error)[:200]})", hint="is the address that of an image?"
        ) from error
    if not isinstance(value, dict):
        raise IntegrityError(f"{what} is no JSON object", hint="is the address that of an image?")
    return value


def check_manifest(item: Descriptor, data: bytes) -> Manifest:
    """A manifest that is what its descriptor says.

    Raises:
        IntegrityError: it is not, or of a kind that the store does not keep.
    """
    found = digest_of(data)
    if len(data) != item.size or found != item.digest:
        raise refused(
            item.digest, f"its {len(data)} bytes have the digest {found}; {item.size} are announced"
        )
    value = read_json(data, f"manifest {item.digest}")
    told = value.get("mediaType") or item.media_type
    for media_type in (item.media_type, told):
        if media_type not in MANIFESTS:
            hint = "name an image; this is something else"
            if str(media_type).startswith(DOCKER):
                hint = "it is of Docker's older format: skopeo copy --format oci turns it into an OCI image"
            raise IntegrityError(f"manifest {item.digest} has the media type {media_type!r:.100}", hint=hint)
    manifest = Manifest(item, data, value)
    if told != item.media_type or (item.media_type == oci.INDEX) != ("manifests" in value):
        raise refused(item.digest, f"it is not of the kind that is announced, {item.media_type}")
    if item.media_type == oci.MANIFEST and not ("config" in value and "layers" in value):
        raise refused(item.digest, "it names no config or no layers")
    return manifest


def family(source: Source, item: Descriptor, data: bytes, known: Mapping[str, bytes] | None = None) -> Family:
    """All manifests of an image, verified, and what they name.

    Args:
        source: what further manifests are read from.
        item: the image.
        data: its bytes.
        known: manifests that need not be read again, by digest.

    Raises:
        IntegrityError: a manifest is not what it should be, or there are too many.
        Refused: one cannot be had.
    """
    found: dict[str, Manifest] = {}
    blobs: dict[str, Descriptor] = {}

    def follow(manifest: Manifest, depth: int) -> None:
        below = manifest.below
        if len(found) + len(below) > MANY or (below and depth >= DEEP):
            raise refused(
                item.digest, f"it has more than {MANY} manifests, or more than {DEEP} one below the other"
            )
        for child in below:
            if child.digest in found:
                continue
            if child.size > LARGEST:
                raise refused(child.digest, f"it would have {child.size} bytes, too many for a manifest")
            data = (known or {}).get(child.digest) or source.manifest(child)
            follow(check_manifest(child, data), depth + 1)
        for blob in manifest.blobs:
            before = blobs.setdefault(blob.digest, blob)
            if before.size != blob.size:
                raise refused(blob.digest, f"it is announced with {before.size} and with {blob.size} bytes")
        found[manifest.item.digest] = manifest

    follow(check_manifest(item, data), 0)
    return Family(tuple(found.values()), tuple(blobs.values()))
