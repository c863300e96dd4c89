"""An image in the store as a subject: its disk, and what is known of it."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import chain

from goldsmith.assay.leaks.chunks import Chunk
from goldsmith.assay.leaks.disks import loose
from goldsmith.assay.leaks.foreign import disk_subject
from goldsmith.assay.leaks.listed import ListedTree
from goldsmith.assay.leaks.subject import Subject
from goldsmith.builder.seal.kept import SEAL, own_certificate
from goldsmith.disk.stored import raw_disk
from goldsmith.errors import InputError
from goldsmith.model.leak import Where
from goldsmith.store.diskmap import areas, read_map
from goldsmith.store.evidence import evidence
from goldsmith.store.home import Home
from goldsmith.store.images import StoredImage, layout_of
from goldsmith.store.layout import Layout
from goldsmith.store.record import parts_of
from goldsmith.store.tree import TreeIndex, open_path, pieces, read_index


@contextmanager
def stored_subject(home: Home, image: StoredImage, *, jobs: int = 2) -> Iterator[Subject]:
    """An image in the store.

    Raises:
        IntegrityError: what is in the store is damaged.
        NoSpace: its disk has to be made again, and does not fit.
    """
    layout = layout_of(home)
    with ExitStack() as stack:
        subject = _from_disk(home, image, stack, jobs=jobs) if image.facts.get("disk_size") != 0 else None
        yield _with_certificate(layout, image, subject or _from_layers(layout, image, None, jobs=jobs))


def _with_certificate(layout: Layout, image: StoredImage, subject: Subject) -> Subject:
    """What the image's recipe declares is no leak, if the image was built here."""
    certificate = own_certificate(layout, image)
    exceptions = certificate.exceptions if certificate else ()
    if certificate is None and next(evidence(layout, image.index, SEAL), None) is not None:
        subject.notes.append(
            "its seal certificate is not this store's own, so what it declares counts as found"
        )
    subject.notes.extend(
        f"{item.operation} is no finding: the recipe keeps {', '.join(item.paths)}"
        for item in exceptions
        if item.paths and item.reason == "recipe"
    )
    declared = frozenset(certificate.declared if certificate else ())
    kept = frozenset(path for item in exceptions if item.reason == "recipe" for path in item.paths)
    keep = frozenset(item.operation for item in exceptions)
    return replace(subject, declared=declared, keep=keep, kept=kept)


def _from_disk(home: Home, image: StoredImage, stack: ExitStack, *, jobs: int) -> Subject:
    """The image's raw disk, as anybody's; where its root cannot be read, the files are those of the store."""
    stream = stack.enter_context(raw_disk(home, image, jobs=jobs).open("rb", buffering=0))
    try:
        subject = disk_subject(stream.fileno())
    except InputError:
        return _from_layers(layout_of(home), image, stream.fileno(), jobs=jobs)
    return (
        subject if subject.tree.entries else _from_layers(layout_of(home), image, stream.fileno(), jobs=jobs)
    )


def _from_layers(layout: Layout, image: StoredImage, descriptor: int | None, *, jobs: int) -> Subject:
    """Files from layers, and the rest of the disk, if there is one, by its map."""
    parts = parts_of(layout, image.index, image.reference)
    index = read_index(layout, parts.tree_index.digest)
    tree = ListedTree(index.entries, lambda path, limit: _read(layout, index, path, limit))
    files = _files(layout, index, jobs=jobs)
    if descriptor is None:
        return Subject(tree, files)
    found = read_map(layout, parts.disk_map.digest, index)
    rest = loose(descriptor, os.fstat(descriptor).st_size)
    literals = rest.chunks(part for area in areas(found) for part in area)
    return Subject(tree, chain(files, literals), notes=rest.notes, remains=rest.remains)


def _read(layout: Layout, index: TreeIndex, path: str, limit: int) -> bytes:
    """The first bytes of a file; those of a whole one are verified."""
    if index.entries[path].size <= limit:
        return open_path(layout, index, path).read()
    found = bytearray()
    for piece in pieces(layout, index, [path], jobs=1):
        found += piece.data
        if len(found) >= limit:
            break
    return bytes(found[:limit])


def _files(layout: Layout, index: TreeIndex, *, jobs: int) -> Iterator[Chunk]:
    firsts: dict[str, str] = {}
    for path, entry in index.entries.items():
        if path in index.places:
            firsts.setdefault(entry.link or path, path)
    for piece in pieces(layout, index, sorted(firsts.values()), jobs=jobs):
        yield Chunk(Where.FILE, piece.path, piece.start, piece.data)
