"""What a lost disk map may have been: as the kept disk's file systems tell it, or as its files are found by searching."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from goldsmith.disk.adopt.contents import contents_of
from goldsmith.disk.adopt.runs import runs_of
from goldsmith.disk.read.area import Area
from goldsmith.disk.read.system import read_system
from goldsmith.disk.read.tables import partitions
from goldsmith.errors import GoldsmithError
from goldsmith.model.disk import BLOCK
from goldsmith.model.diskmap import DiskMap, Run
from goldsmith.store.diskmap import starts_of
from goldsmith.store.layers import StoredLayer
from goldsmith.store.match import find_runs
from goldsmith.store.record import ImageFacts
from goldsmith.store.tree import TreeIndex

JOBS = 2


def maps_of(
    disk: Path,
    facts: ImageFacts,
    index: TreeIndex,
    layers: Callable[[], Iterable[StoredLayer]],
    open_file: Callable[[str], BinaryIO],
) -> Iterator[DiskMap]:
    """What the map of a disk may have been; builds and imports write the first, the others come from disks that tell nothing.

    Args:
        disk: the kept disk.
        facts: which tree and which disk it is.
        index: the tree.
        layers: what is known of its layers, for searching.
        open_file: a path's bytes, for searching.
    """
    with disk.open("rb", buffering=0) as stream:
        descriptor = stream.fileno()
        size, held = os.fstat(descriptor).st_size, os.fstat(descriptor).st_blocks * 512
        _, parts = partitions(Area(descriptor, 0, size))
        starts = tuple(sorted({part.start // BLOCK for part in parts if part.number}))

        def of(runs: Iterable[Run], cuts: tuple[int, ...]) -> DiskMap:
            return DiskMap(size, facts.disk_digest, facts.tree_digest, tuple(runs), cuts)

        with suppress(GoldsmithError):
            system = read_system(Area(descriptor, 0, size), held=held)
            told = runs_of(descriptor, contents_of(system.nodes.values(), jobs=JOBS))
            known = tuple(sorted({one.part.start // BLOCK for one in system.file_systems}))
            yield from (of(told, cuts) for cuts in dict.fromkeys((starts, known)))
        paths = {entry.sha256: path for path, entry in index.entries.items() if entry.kind == "file"}
        found = find_runs(
            descriptor, starts_of(index.entries, layers()), lambda sha256: open_file(paths[sha256])
        )
        yield of(found, starts)
