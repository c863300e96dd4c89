"""A stored image as one file: its tree as a tar archive, or all of it as an OCI archive. The same image gives the same bytes."""

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from goldsmith.effects.files import free_bytes, replacing, write_all
from goldsmith.errors import IntegrityError, NoSpace
from goldsmith.model import oci
from goldsmith.model.oci import Descriptor
from goldsmith.model.tree import TreeEntry
from goldsmith.store import tar
from goldsmith.store.blobs import wrong
from goldsmith.store.contents import Contents, contents_of
from goldsmith.store.home import Home
from goldsmith.store.images import StoredImage, layout_of
from goldsmith.store.layout import MARKER, Layout
from goldsmith.store.partition import UNSTORED
from goldsmith.store.tree import pieces

PIECE = 1 << 20


def write_tree(home: Home, image: StoredImage, output: Path) -> None:
    """Write a tree as a tar archive, in the order of paths; sockets, which have no form in tar, are left out.

    Raises:
        IntegrityError: what is in the store is damaged.
        NoSpace: it does not fit.
    """
    contents = contents_of(home, image)
    headers, places, end = planned(contents.index.entries)
    need_space(output, end)
    with replacing(output) as descriptor:
        os.truncate(descriptor, end)
        for at, header in headers:
            os.pwrite(descriptor, header, at)
        fill(contents, places, descriptor)


def planned(entries: Mapping[str, TreeEntry]) -> tuple[list[tuple[int, bytes]], dict[str, int], int]:
    """The headers of an archive with their places, the places of files' bytes, and how long it is."""
    headers: list[tuple[int, bytes]] = []
    places: dict[str, int] = {}
    first: dict[str, str] = {}
    at = 0
    for path in sorted(path for path, entry in entries.items() if entry.kind not in UNSTORED):
        entry = entries[path]
        before = first.setdefault(entry.link, path) if entry.link else path
        if before != path:
            header = tar.header(replace(entry, xattrs=()), link_to=before)
        else:
            header = tar.header(entry)
        headers.append((at, header))
        at += len(header)
        if before == path and entry.size:
            places[path] = at
            at += entry.size + -entry.size % tar.RECORD
    return headers, places, at + len(tar.END)


def fill(contents: Contents, places: Mapping[str, int], descriptor: int) -> None:
    """Write files' bytes to their places, in the order in which they lie in the store, and compare each with its digest."""
    states: dict[str, hashlib._Hash] = {}
    for piece in pieces(contents.layout, contents.index, places):
        entry = contents.index.entries[piece.path]
        state = states.setdefault(piece.path, hashlib.sha256())
        state.update(piece.data)
        os.pwrite(descriptor, piece.data, places[piece.path] + piece.start)
        if piece.start + len(piece.data) == entry.size and states.pop(piece.path).hexdigest() != entry.sha256:
            raise IntegrityError(
                f"file {piece.path!r} in the store is not what the tree's list says",
                hint="goldsmith store check --read tells which images it hurts",
            )


def write_image(home: Home, image: StoredImage, output: Path) -> None:
    """Write all objects of an image as an OCI archive, under the name that always means it.

    Raises:
        IntegrityError: what is in the store is damaged.
        NoSpace: it does not fit.
    """
    layout = layout_of(home)
    objects = objects_of(layout, image.index)
    named = replace(image.index, annotations=((oci.REF_NAME, f"{image.name}:{image.version}"),))
    files = {"oci-layout": MARKER, "index.json": oci.index([named])}
    need_space(output, sum(item.size for item in objects.values()))
    with replacing(output) as descriptor:
        for name in ("blobs/", "blobs/sha256/"):
            write_all(descriptor, tar.header(TreeEntry(f"/{name.rstrip('/')}", "dir", 0o755, 0, 0, 0)))
        for digest in sorted(objects):
            copy_object(layout, objects[digest], descriptor)
        for name, data in files.items():
            write_all(descriptor, tar.header(plain_file(name, len(data))) + tar.padded(data))
        write_all(descriptor, tar.END)


def objects_of(layout: Layout, item: Descriptor) -> dict[str, Descriptor]:
    """An object and all that it leads to, by digest."""
    found: dict[str, Descriptor] = {}
    pending = [item]
    while pending:
        there = pending.pop()
        if there.digest not in found:
            found[there.digest] = there
            if there.media_type in {oci.INDEX, oci.MANIFEST}:
                pending += layout.children(there.digest)
    return found


def copy_object(layout: Layout, item: Descriptor, descriptor: int) -> None:
    """Append an object to an archive, and compare it with its digest on the way."""
    write_all(descriptor, tar.header(plain_file(f"blobs/sha256/{item.digest[7:]}", item.size)))
    state = hashlib.sha256()
    done = 0
    with layout.blobs.open(item.digest) as stream:
        while data := stream.read(PIECE):
            state.update(data)
            done += len(data)
            write_all(descriptor, data)
    if f"sha256:{state.hexdigest()}" != item.digest:
        raise wrong(item.digest, f"its {done} bytes have the digest sha256:{state.hexdigest()}")
    write_all(descriptor, bytes(-done % tar.RECORD))


def plain_file(name: str, size: int) -> TreeEntry:
    """A file of an archive that belongs to nobody and is of no time."""
    return TreeEntry(f"/{name}", "file", 0o644, 0, 0, 0, size)


def need_space(output: Path, size: int) -> None:
    """Check that a file fits before it is written."""
    free = free_bytes(output.parent)
    if size > free:
        raise NoSpace(
            f"the archive needs {size >> 20} MiB in {output.parent}, and {free >> 20} MiB are free",
            hint="free some space there, or write it elsewhere",
        )


WRITERS: Mapping[str, Callable[[Home, StoredImage, Path], None]] = {
    "tar": write_tree,
    "oci-archive": write_image,
}
"""One for each row of ``model.format.ARCHIVES``; each writes durably, and the file appears whole or not at all."""
