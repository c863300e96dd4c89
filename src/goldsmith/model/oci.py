"""OCI images as values: descriptors, manifests and indexes, and the exact bytes they are stored as.

Facts: the OCI image specification 1.1, its pages ``descriptor``, ``manifest``, ``image-index`` and ``config``.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from goldsmith.model.canonical import canonical

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+zstd"
EMPTY = "application/vnd.oci.empty.v1+json"
DISK = "application/vnd.goldsmith.disk.v1+json"
TREE_INDEX = "application/vnd.goldsmith.tree.v1+jsonl+zstd"
DISK_MAP = "application/vnd.goldsmith.diskmap.v1+jsonl+zstd"
DISK_LITERALS = "application/vnd.goldsmith.literals.v1+zstd"
WHITEOUT = ".wh."
"""How the name begins of what hides a path of the layers below."""
OPAQUE = ".wh..wh..opq"
"""The name of what hides all that the layers below have in its directory."""
REF_NAME = "org.opencontainers.image.ref.name"
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
EMPTY_JSON = b"{}"
TEXT = {str}


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What one object says about another."""

    media_type: str
    """What kind of object it is."""
    digest: str
    """``sha256:`` and the hexadecimal SHA-256 of its bytes."""
    size: int
    """How many bytes it has."""
    annotations: tuple[tuple[str, str], ...] = ()
    """Notes by name, sorted."""
    artifact_type: str = ""
    """Of a manifest that is no container image: what it is."""
    platform: tuple[str, str] | None = None
    """Operating system and architecture, as Go names them; for container manifests."""

    def as_json(self) -> dict[str, object]:
        """The object as the specification writes it."""
        result: dict[str, object] = {
            "mediaType": self.media_type,
            "digest": self.digest,
            "size": self.size,
        }
        if self.annotations:
            result["annotations"] = dict(self.annotations)
        if self.artifact_type:
            result["artifactType"] = self.artifact_type
        if self.platform:
            result["platform"] = {"os": self.platform[0], "architecture": self.platform[1]}
        return result

    def note(self, name: str) -> str:
        """One annotation; empty if there is none."""
        for known, value in self.annotations:
            if known == name:
                return value
        return ""


def digest_of(data: bytes) -> str:
    """The digest by which bytes are known."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def descriptor(value: object) -> Descriptor:
    """A descriptor from JSON; what is not known is left out.

    Raises:
        ValueError: it is none; the message says what is wrong.
    """
    # A store has tens of thousands of these: what JSON makes is known by its class, which is quicker than by its interface.
    if type(value) is not dict:
        raise ValueError(f"{value!r:.80} is no descriptor")
    media_type, named, size = value.get("mediaType"), value.get("digest"), value.get("size")
    notes, platform = value.get("annotations") or {}, value.get("platform")
    if type(media_type) is not str:
        raise ValueError(f"a descriptor has the media type {media_type!r:.80}")
    if type(named) is not str or not DIGEST.fullmatch(named):
        raise ValueError(f"a descriptor has the digest {named!r:.80}")
    if type(size) is not int or size < 0:
        raise ValueError(f"a descriptor has the size {size!r:.80}")
    if type(notes) is not dict or not set(map(type, notes.values())) <= TEXT:
        raise ValueError(f"a descriptor has the annotations {notes!r:.80}")
    return Descriptor(
        media_type,
        named,
        size,
        tuple(sorted(notes.items())) if notes else (),
        str(value.get("artifactType") or ""),
        (str(platform.get("os", "")), str(platform.get("architecture", "")))
        if type(platform) is dict
        else None,
    )


def manifest(
    config: Descriptor,
    layers: Sequence[Descriptor],
    *,
    artifact_type: str = "",
    annotations: Mapping[str, str] | None = None,
    subject: Descriptor | None = None,
) -> bytes:
    """The bytes of a manifest; with a ``subject`` it says something about that object."""
    value: dict[str, object] = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config.as_json(),
        "layers": [layer.as_json() for layer in layers],
    }
    if artifact_type:
        value["artifactType"] = artifact_type
    if annotations:
        value["annotations"] = dict(annotations)
    if subject:
        value["subject"] = Descriptor(subject.media_type, subject.digest, subject.size).as_json()
    return canonical(value)


def index(manifests: Sequence[Descriptor], *, annotations: Mapping[str, str] | None = None) -> bytes:
    """The bytes of an index."""
    value: dict[str, object] = {
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": [item.as_json() for item in manifests],
    }
    if annotations:
        value["annotations"] = dict(annotations)
    return canonical(value)


def children(value: object) -> tuple[Descriptor, ...]:
    """Everything that a manifest or an index names, in its order: config, layers or manifests, subject.

    Raises:
        ValueError: it is neither.
    """
    if not isinstance(value, Mapping):
        raise ValueError(f"{value!r:.80} is no manifest")  # noqa: TRY004 - as above
    found = [value["config"]] if "config" in value else []
    for name in ("layers", "manifests"):
        listed = value.get(name) or []
        if not isinstance(listed, list):
            raise ValueError(f"{name!r} of a manifest is {listed!r:.80}")  # noqa: TRY004 - as above
        found += listed
    if value.get("subject"):
        found.append(value["subject"])
    if not found and "manifests" not in value:
        raise ValueError("a manifest names nothing")
    return tuple(descriptor(item) for item in found)
