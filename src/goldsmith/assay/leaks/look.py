"""Search an image for leaks: the main flow."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice

from goldsmith.assay.leaks.chunks import Chunk, secrets
from goldsmith.assay.leaks.detector import Detector
from goldsmith.assay.leaks.listed import LARGEST
from goldsmith.assay.leaks.packaged import Packaged, wanted
from goldsmith.assay.leaks.subject import Subject
from goldsmith.assay.leaks.traces import traces
from goldsmith.model.leak import Leak, LeakReport, Where
from goldsmith.store.home import Home

MOST = 10_000
"""Secrets that are looked at; an image with more was made to exhaust its readers."""


class _Passing:
    """What is noted of chunks while they pass."""

    def __init__(self) -> None:
        self.kept: dict[str, bytearray] = {}
        self.bytes = 0

    def watch(self, chunks: Iterable[Chunk]) -> Iterator[Chunk]:
        """The same chunks."""
        for chunk in chunks:
            self.bytes += len(chunk.data)
            known = len(self.kept.get(chunk.path, b""))
            if chunk.path and not chunk.partition and wanted(chunk.path) and known < LARGEST:
                self.kept.setdefault(chunk.path, bytearray()).extend(chunk.data)
            yield chunk


def look(subject: Subject, find: Detector, *, home: Home | None = None, jobs: int = 2) -> LeakReport:
    """Search an image.

    Args:
        subject: the image.
        find: the detector of secrets.
        home: where packages that were fetched lie.
        jobs: how many threads look.

    Raises:
        GoldsmithError: the image cannot be read to its end.
    """
    passing = _Passing()
    found = list(islice(secrets(passing.watch(subject.chunks), find, jobs=jobs), MOST))
    if len(found) == MOST:
        subject.notes.append(f"the search ended after {MOST} secrets; there are more")
    kept = {path: bytes(data) for path, data in passing.kept.items()}
    packaged = Packaged(kept, subject.tree.read, subject.tree.real, home)
    left = list(traces(subject.tree, declared=subject.declared, keep=subject.keep, vouched=packaged.vouches))
    for partition, tree in subject.others:
        found_there = traces(tree, declared=frozenset(), keep=(), vouched=lambda _: False)
        left += [replace(leak, partition=partition) for leak in found_there]
    hidden, shown = [], []
    for leak in found:
        in_root = leak.where is Where.FILE and not leak.partition
        if in_root and subject.allows(leak.path):
            hidden.append(leak)
        elif not (in_root and packaged.vouches(leak.path)):
            shown.append(leak)
    return LeakReport(
        tuple(sorted([*left, *shown, *subject.remains()])),
        sum(
            entry.kind == "file"
            for tree in (subject.tree, *(other for _, other in subject.others))
            for entry in tree.entries.values()
        ),
        passing.bytes,
        (*subject.notes, *_said(hidden, packaged)),
        subject.is_whole and len(found) < MOST,
    )


def _said(hidden: list[Leak], packaged: Packaged) -> Iterator[str]:
    for path in sorted({leak.path for leak in hidden}):
        kinds = ", ".join(sorted({leak.kind for leak in hidden if leak.path == path}))
        yield f"{path} holds a secret ({kinds}) that the recipe itself declares"
    if packaged.believed:
        yield (
            f"{len(packaged.believed)} files with examples were taken for their packages' by the image's own MD5 sums:"
            " goldsmith has not fetched these packages"
        )
