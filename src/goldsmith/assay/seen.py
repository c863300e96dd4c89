"""What is compared of a stored image, gathered from its tree, its map and its manifests."""

import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress

from goldsmith.assay.compare import Seen
from goldsmith.assay.kinds import HEAD, kind_of
from goldsmith.assay.packages import STATUS, installed
from goldsmith.disk.read.area import Area
from goldsmith.disk.read.tables import Part, partitions
from goldsmith.errors import UsageError
from goldsmith.model.diskmap import DiskMap
from goldsmith.model.tree import TreeEntry
from goldsmith.store.contents import Contents, resolve
from goldsmith.store.diskmap import read_map, read_start
from goldsmith.store.images import StoredImage
from goldsmith.store.partition import dpkg_owners
from goldsmith.store.tree import opener

LARGEST = 16 << 20
"""Bytes of a file that is read to be understood."""
FRONT = 1 << 20
"""Bytes of the disk in which a partition table lies."""
GRUB = "/boot/grub/grub.cfg"
KERNEL_LINE = re.compile(r"^\s*linux\s+\S+\s*(.*?)\s*$", re.MULTILINE)
ROLES = {
    "c12a7328-f81f-11d2-ba4b-00a0c93ec93b": "ESP",
    "21686148-6449-6e6f-744e-656564454649": "BIOS boot",
    "4f68bce3-e8cd-4db1-96e7-fbcaf984b709": "root",
    "0fc63daf-8483-4772-8e79-3d69d8477de4": "Linux",
}
"""Types of GPT partitions, from the Discoverable Partitions Specification."""


def see(contents: Contents, image: StoredImage) -> Seen:
    """What is to be compared of an image.

    Raises:
        IntegrityError: an object is missing or damaged.
    """
    entries = contents.index.entries
    found = read_map(contents.layout, contents.parts.disk_map.digest, contents.index)
    table, parts = partitions_of(contents, found)
    return Seen(
        entries,
        installed(small(contents, STATUS)),
        dpkg_owners(entries, opener(contents.layout, contents.index)),
        boot_facts(contents, parts),
        {
            "digest": found.disk_digest,
            "size": found.size,
            "table": table,
            "partitions": [f"{part.number} {role(part)} {part.size}" for part in parts],
        },
        sizes(contents, found, image),
    )


def small(contents: Contents, path: str) -> bytes:
    """A file's bytes; none of what is no file, or too large for what its program writes there."""
    with suppress(UsageError):
        entry = contents.index.entries.get(resolve(contents.index.entries, path))
        if entry is not None and entry.kind == "file" and entry.size <= LARGEST:
            return contents.read(path)
    return b""


def partitions_of(contents: Contents, found: DiskMap) -> tuple[str, tuple[Part, ...]]:
    """The disk's table of partitions, read without making the disk."""
    with tempfile.TemporaryFile() as stream:
        os.truncate(stream.fileno(), found.size)
        literals = [blob.digest for blob in contents.parts.literals]
        stream.write(read_start(contents.layout, found, literals, contents.index, FRONT))
        stream.flush()
        return partitions(Area(stream.fileno(), 0, found.size))


def role(part: Part) -> str:
    """What a partition is for."""
    return ROLES.get(part.kind, part.name or part.kind or "whole disk")


def boot_facts(contents: Contents, parts: tuple[Part, ...]) -> dict[str, object]:
    """How an image boots: firmware, kernels, their first file systems, the command line."""
    entries = contents.index.entries
    roles = {role(part) for part in parts}
    firmware = [name for name, sign in (("UEFI", "ESP"), ("BIOS", "BIOS boot")) if sign in roles]
    configured = small(contents, GRUB).decode(errors="replace")
    return {
        "firmware": firmware,
        "kernels": dict(files_below(entries, "/boot/vmlinuz-")),
        "initramfs": dict(files_below(entries, "/boot/initrd.img-")),
        "command lines": list(dict.fromkeys(KERNEL_LINE.findall(configured))),
    }


def files_below(entries: Mapping[str, TreeEntry], begin: str) -> Iterator[tuple[str, str]]:
    """Names and digests of files whose path begins so."""
    for path, entry in entries.items():
        if path.startswith(begin) and entry.kind == "file":
            yield path.rpartition("/")[2], f"sha256:{entry.sha256}"


def sizes(contents: Contents, found: DiskMap, image: StoredImage) -> dict[str, int]:
    """An image's sizes in bytes."""
    parts = contents.parts
    layers = sum(layer.blob.size for layer in contents.index.layers)
    rest = [image.index, parts.container, parts.disk, parts.tree_index, parts.disk_map, *parts.literals]
    return {
        "paths": len(contents.index.entries),
        "files": sum(e.size for path, e in contents.index.entries.items() if e.link in {"", path}),
        "disk": found.size,
        "disk's own": found.literal_bytes,
        "stored": layers + sum(blob.size for blob in rest),
    }


def content_of(contents: Contents, path: str) -> str:
    """The kind of a file's content."""
    if not contents.index.entries[path].size:
        return kind_of(path, b"")
    return kind_of(path, bytes(next(contents.stream(path))[:HEAD]))
