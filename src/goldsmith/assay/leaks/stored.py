"""An image in the store as a subject: files from its layers, and from its disk what comes from no file."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from goldsmith.assay.leaks.chunks import Chunk
from goldsmith.assay.leaks.disks import Loose, loose
from goldsmith.assay.leaks.listed import ListedTree
from goldsmith.assay.leaks.subject import Subject
from goldsmith.builder.seal.kept import SEAL, own_certificate
from goldsmith.disk.stored import raw_disk
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
        UsageError: the image has no disk.
        NoSpace: its disk has to be made again, and does not fit.
    """
    layout = layout_of(home)
    parts = parts_of(layout, image.index, image.reference)
    index = read_index(layout, parts.tree_index.digest)
    found = read_map(layout, parts.disk_map.digest, index)
    literals = [part for area in areas(found) for part in area]
    tree = ListedTree(index.entries, lambda path: open_path(layout, index, path).read())
    with raw_disk(home, image, jobs=jobs).open("rb", buffering=0) as stream:
        descriptor = stream.fileno()
        rest = loose(descriptor, os.fstat(descriptor).st_size)
        chunks = _chunks(layout, index, rest, literals, jobs=jobs)
        certificate = own_certificate(layout, image)
        exceptions = certificate.exceptions if certificate else ()
        if certificate is None and next(evidence(layout, image.index, SEAL), None) is not None:
            rest.notes.append(
                "its seal certificate is not this store's own, so what it declares counts as found"
            )
        rest.notes += [
            f"{item.operation} is no finding: the recipe keeps {', '.join(item.paths)}"
            for item in exceptions
            if item.paths and item.reason == "recipe"
        ]
        yield Subject(
            tree,
            chunks,
            declared=frozenset(certificate.declared if certificate else ()),
            keep=frozenset(item.operation for item in exceptions),
            notes=rest.notes,
            remains=rest.remains,
        )


def _chunks(
    layout: Layout, index: TreeIndex, rest: Loose, literals: list[tuple[int, int]], *, jobs: int
) -> Iterator[Chunk]:
    firsts: dict[str, str] = {}
    for path, entry in index.entries.items():
        if path in index.places:
            firsts.setdefault(entry.link or path, path)
    for piece in pieces(layout, index, sorted(firsts.values()), jobs=jobs):
        yield Chunk(Where.FILE, piece.path, piece.start, piece.data)
    yield from rest.chunks(literals)
