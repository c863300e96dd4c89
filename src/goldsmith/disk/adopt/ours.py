"""An OCI archive that goldsmith has written: its disk is made again from it, and then read as any other disk."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from goldsmith.disk.adopt.archive import (
    INDEX,
    MARKER,
    listed_in,
    named_members,
    objects_in,
    oci_children,
    open_area,
)
from goldsmith.disk.digest import disk_digest
from goldsmith.disk.read.area import Area, malformed
from goldsmith.disk.read.tar import Member
from goldsmith.errors import IntegrityError
from goldsmith.model import oci
from goldsmith.model.oci import Descriptor
from goldsmith.store.diskmap import read_map, rebuild
from goldsmith.store.layout import Layout
from goldsmith.store.record import parts_of
from goldsmith.store.tree import read_index

BLOBS = "blobs/sha256/"
WINDOW = 1 << 20


def own_disk(path: Path, room: Path, *, jobs: int) -> Path | None:
    """The raw disk of the image in an archive, compared with its digest; None if it is not goldsmith's, or has no disk.

    Args:
        path: the archive, unpacked.
        room: a directory of this process.
        jobs: how many threads work.

    Raises:
        InputError: an object is not what its name says, or the disk is another than its digest says.
        NoSpace: the disk does not fit.
    """
    with ExitStack() as stack:
        area = open_area(path, stack)
        members = named_members(area)
        if MARKER not in members or INDEX not in members:
            return None
        image = own_image(area, members)
        if image is None:
            return None
        layout = Layout(room / "layout")
        unpack_objects(area, members, layout)
    try:
        parts = parts_of(layout, image, "the archive")
        index = read_index(layout, parts.tree_index.digest)
        found = read_map(layout, parts.disk_map.digest, index)
        if not found.size:
            return None
        literals = [blob.digest for blob in parts.literals]
        rebuild(layout, found, literals, index, room / "own.raw", digest=disk_digest, jobs=jobs)
    except IntegrityError as error:
        raise malformed(f"the image in the archive is damaged: {error.message}") from error
    return room / "own.raw"


def own_image(area: Area, members: Mapping[str, Member]) -> Descriptor | None:
    """The one index in an archive that has a disk of goldsmith's among its manifests."""
    objects = objects_in(area, members)
    indexes = [item for item in listed_in(area, members) if item.media_type == oci.INDEX]
    for item in indexes[:1]:
        for child in oci_children(objects.value(item)):
            if child.media_type == oci.MANIFEST and objects.value(child).get("artifactType") == oci.DISK:
                return item
    return None


def unpack_objects(area: Area, members: Mapping[str, Member], layout: Layout) -> None:
    """Write the objects of an archive as a layout; each is compared with its name when it is read, or by the disk's digest."""
    directory = layout.blobs.directory
    directory.mkdir(parents=True)
    for name, member in members.items():
        digest = name.removeprefix(BLOBS)
        if member.kind == "file" and name.startswith(BLOBS) and oci.DIGEST.fullmatch(f"sha256:{digest}"):
            with (directory / digest).open("wb") as stream:
                for at in range(0, member.size, WINDOW):
                    stream.write(area.read(member.place + at, min(WINDOW, member.size - at)))
