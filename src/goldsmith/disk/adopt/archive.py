"""A tar archive as a tree: of a root, or an OCI archive whose layers are put over each other."""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from goldsmith.disk.adopt.contents import Contents, contents_of, digest_of
from goldsmith.disk.adopt.growing import Growing
from goldsmith.disk.adopt.unpack import packing, unpack
from goldsmith.disk.read.area import Area, malformed, refused
from goldsmith.disk.read.limits import Tally
from goldsmith.disk.read.node import Body, Node, Piece
from goldsmith.disk.read.tar import Member, members
from goldsmith.errors import InputError
from goldsmith.model import oci
from goldsmith.model.oci import Descriptor
from goldsmith.store.layout import Layout

LARGEST_JSON = 4 << 20
MOST_LAYERS = 500
MARKER, INDEX = "oci-layout", "index.json"
FIRST = 64
"""Members after which an archive that shows no OCI layout is none."""
DEPTH = 4
"""How deep an index may lie in an index."""


@dataclass(frozen=True, slots=True)
class Archive:
    """What an archive held."""

    format: str
    """``oci-archive`` or ``tar``."""
    contents: Contents
    left_out: tuple[str, ...]
    """Device nodes that are no part of the tree."""
    covered: tuple[tuple[int, Node], ...] = ()
    """Files that are no part of the tree since something later in the archive replaces or removes them, and the layer
    that does."""
    texts: tuple[Piece, ...] = ()
    """Where an OCI archive's manifests and configurations lie in it."""


@dataclass(frozen=True, slots=True)
class Objects:
    """The objects of an OCI layout, verified when they are read."""

    find: Callable[[str], Body | None]
    """The object with a digest, wherever it lies."""

    def layers(self, items: tuple[Descriptor, ...]) -> tuple[Descriptor, ...]:
        """The layers of the one image among manifests and indexes, lowest first.

        Raises:
            InputError: there is none, there are several, or an object is not what its name says.
        """
        manifest = self._manifest(items, DEPTH)
        _, *layers = oci_children(self.value(manifest))
        if not layers or len(layers) > MOST_LAYERS:
            raise malformed(f"the image has {len(layers)} layers")
        if any("tar" not in layer.media_type for layer in layers):
            raise refused(
                f"it is an artifact of {layers[0].media_type}, no container image",
                "name an image that podman save --format oci-archive or skopeo copy has made",
            )
        return tuple(layers)

    def _manifest(self, items: tuple[Descriptor, ...], depth: int) -> Descriptor:
        images = [item for item in items if item.artifact_type != oci.DISK]
        if len(images) > 1:
            ours = [item for item in images if item.platform == ("linux", "amd64")]
            images = ours[:1] or images
        if len(images) != 1 or not depth:
            raise refused(
                f"the archive holds {len(images)} images",
                "copy the one you want into an archive: skopeo copy",
            )
        if images[0].media_type == oci.INDEX:
            return self._manifest(oci_children(self.value(images[0])), depth - 1)
        return images[0]

    def blob(self, item: Descriptor) -> Body:
        """The bytes of an object, verified."""
        body = self.find(item.digest) if oci.DIGEST.fullmatch(item.digest) else None
        if body is None:
            raise malformed(f"the object {item.digest:.100} is not there")
        if f"sha256:{digest_of(body)}" != item.digest:
            raise malformed(f"the object {item.digest} is not what its name says")
        return body

    def value(self, item: Descriptor) -> Mapping[str, object]:
        """A manifest or an index, verified."""
        return _parsed(self.blob(item).read(0, LARGEST_JSON + 1), item.digest)


def read_archive(path: Path, room: Path, stack: ExitStack, *, jobs: int) -> Archive:
    """Read an unpacked tar archive.

    Args:
        path: the archive.
        room: where layers are unpacked.
        stack: closes what must stay open as long as the contents are of use.
        jobs: how many threads hash.

    Raises:
        InputError: the archive is damaged or hostile, or holds what is not read.
    """
    area = open_area(path, stack)
    tally = Tally(held=area.size)
    tree = Growing(tally)
    blobs = named_members(area)
    texts: tuple[Piece, ...] = ()
    if MARKER in blobs and INDEX in blobs:
        kind = "oci-archive"
        _add_layers(tree, tally, objects_in(area, blobs), listed_in(area, blobs), room, stack)
        texts = tuple(_texts(area, blobs.values()))
    elif "manifest.json" in blobs:
        raise refused(
            "it is an archive of the old docker format",
            "save it as an OCI archive: podman save --format oci-archive, or skopeo copy",
        )
    elif len(blobs) == 1 and next(iter(blobs)).endswith(".raw"):
        raise refused("it is an archive of a disk", "unpack it, and import the disk in it")
    else:
        kind = "tar"
        tree.add_layer(members(area), area.descriptor, layered=False)
    if not tree.nodes:
        raise malformed("the archive holds no files")
    contents = contents_of(tree.nodes.values(), jobs=jobs)
    return Archive(kind, contents, tuple(tree.left_out), tuple(tree.covered), texts)


def _texts(area: Area, blobs: Iterable[Member]) -> Iterator[Piece]:
    for member in blobs:
        if 0 < member.size <= LARGEST_JSON and area.read(member.place, 1) == b"{":
            yield Piece(0, member.place, member.size)


def read_layout(layout: Layout, image: Descriptor, room: Path, stack: ExitStack, *, jobs: int) -> Archive:
    """Read a container image of an OCI layout; as ``read_archive``."""

    def find(digest: str) -> Body | None:
        path = layout.blobs.path(digest)
        if not path.exists():
            return None
        area = open_area(path, stack)
        return Body(area.descriptor, area.size, (Piece(0, 0, area.size),) if area.size else ())

    tally = Tally(held=0)
    tree = Growing(tally)
    _add_layers(tree, tally, Objects(find), (image,), room, stack)
    if not tree.nodes:
        raise malformed("the image holds no files")
    contents = contents_of(tree.nodes.values(), jobs=jobs)
    return Archive("oci-image", contents, tuple(tree.left_out))


def _add_layers(
    tree: Growing,
    tally: Tally,
    objects: Objects,
    items: tuple[Descriptor, ...],
    room: Path,
    stack: ExitStack,
) -> None:
    for layer in objects.layers(items):
        unpacked = _layer(objects, layer, room, stack)
        tally.held += unpacked.size
        tree.add_layer(members(unpacked), unpacked.descriptor, layered=True)


def open_area(path: Path, stack: ExitStack) -> Area:
    """A file, open until ``stack`` closes it."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    stack.callback(os.close, descriptor)
    return Area(descriptor, 0, os.fstat(descriptor).st_size)


def named_members(area: Area) -> dict[str, Member]:
    """The members by name: all if it is an OCI layout, else the first few."""
    found: dict[str, Member] = {}
    for number, member in enumerate(members(area)):
        name = member.name.removeprefix("./")
        found[name] = member
        if number > FIRST and not found.keys() & {MARKER, INDEX} and not name.startswith("blobs/"):
            break
    return found


def objects_in(area: Area, blobs: Mapping[str, Member]) -> Objects:
    """The objects of an OCI archive."""

    def find(digest: str) -> Body | None:
        member = blobs.get(f"blobs/{digest.replace(':', '/')}")
        if member is None or member.kind != "file":
            return None
        pieces = (Piece(0, member.place, member.size),) if member.size else ()
        return Body(area.descriptor, member.size, pieces)

    return Objects(find)


def listed_in(area: Area, blobs: Mapping[str, Member]) -> tuple[Descriptor, ...]:
    """What the ``index.json`` of an OCI archive lists.

    Raises:
        InputError: it is none.
    """
    index = blobs[INDEX]
    return oci_children(_parsed(area.read(index.place, min(index.size, LARGEST_JSON + 1)), INDEX))


def _layer(objects: Objects, layer: Descriptor, room: Path, stack: ExitStack) -> Area:
    """A layer as a plain tar archive."""
    body = objects.blob(layer)
    if not packing(body.read(0, 6)):
        member = body.pieces[0]
        return Area(body.descriptor, member.place, member.length)
    output = room / f"layer-{layer.digest[-16:]}"
    unpack(BufferedReader(body.raw(), 1 << 20), body.size, output)
    return open_area(output, stack)


def _parsed(data: bytes, name: str) -> Mapping[str, object]:
    try:
        value = json.loads(data if len(data) <= LARGEST_JSON else b"")
    except (ValueError, RecursionError) as error:
        raise malformed(f"the archive's {name} is no JSON") from error
    if not isinstance(value, dict):
        raise malformed(f"the archive's {name} is no JSON object")
    return value


def oci_children(value: Mapping[str, object]) -> tuple[Descriptor, ...]:
    """What a manifest or an index names.

    Raises:
        InputError: it is none.
    """
    try:
        return oci.children(value)
    except ValueError as error:
        raise InputError(
            f"the archive's manifest is damaged: {error}", hint="save the image again"
        ) from error
