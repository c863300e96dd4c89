"""The names of annotations: what OCI images say about themselves, and what ``index.json`` says beside a name."""

import json
from collections.abc import Mapping

TITLE = "org.opencontainers.image.title"
VERSION = "org.opencontainers.image.version"
DESCRIPTION = "org.opencontainers.image.description"
CREATED = "org.opencontainers.image.created"
BASE_NAME = "org.opencontainers.image.base.name"
"""The image that it was built on, as ``NAME:VERSION-bN``."""
BASE_DIGEST = "org.opencontainers.image.base.digest"
"""That image's identity."""
DIGEST = "dev.goldsmith.digest"
"""The image's identity: of all that it is, however it is packed."""
TREE = "dev.goldsmith.tree.digest"
DISK = "dev.goldsmith.disk.digest"
DISK_SHA256 = "dev.goldsmith.disk.sha256"
"""Of the plain raw disk, in hexadecimal."""
DISK_SIZE = "dev.goldsmith.disk.size"
"""In bytes, in decimal."""
TREE_SIZE = "dev.goldsmith.tree.size"
"""Bytes of all files of the tree, in decimal; hard links count once."""
TREE_ENTRIES = "dev.goldsmith.tree.entries"
"""How many paths the tree has, in decimal."""
ARCHITECTURE = "dev.goldsmith.architecture"
LABELS = "dev.goldsmith.labels"
"""What the recipe says of the image, as a JSON object."""
LISTED = (
    TITLE,
    VERSION,
    CREATED,
    DIGEST,
    TREE,
    DISK,
    DISK_SHA256,
    DISK_SIZE,
    TREE_SIZE,
    TREE_ENTRIES,
    ARCHITECTURE,
)
"""What ``index.json`` repeats of an image beside its name, so that a list of images reads one file."""
DIGITS = 18
"""Of a number, at most."""
LISTING = "dev.goldsmith.listing"
"""Of ``index.json`` itself: the digest of its bytes without this annotation."""
BUILD = "dev.goldsmith.build"
"""In ``index.json`` only: how the image was built here, as a JSON object; it is no part of the image."""
SUBJECT = "dev.goldsmith.subject"
"""In ``index.json`` only, of an entry without a name: the digest of what it says something about."""


def number(text: str) -> int | None:
    """A number as an annotation has it; None for what is none, for others may have written anything there."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= DIGITS else None


def labels(text: str) -> Mapping[str, str] | None:
    """What ``LABELS`` says; None for what is no JSON object of texts."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    is_object = isinstance(found, dict) and all(isinstance(value, str) for value in found.values())
    return found if is_object else None
