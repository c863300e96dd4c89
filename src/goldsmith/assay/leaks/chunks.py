"""All bytes of an image in chunks, each with where it lies, and the secrets in them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from goldsmith.assay.leaks.detector import Detector, Secret, apart
from goldsmith.assay.leaks.masking import masked
from goldsmith.effects.parallel import in_order
from goldsmith.model.leak import Leak, Where

OVERLAP = 16 << 10
"""Bytes that are looked at twice where a file goes on in the next chunk: a private key has up to 13,000."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some bytes of an image."""

    where: Where
    """In what part of it."""
    path: str
    """The file; empty outside files."""
    offset: int
    """Where they begin: in the file, or, outside files, on the disk."""
    data: bytes | memoryview
    """The bytes."""
    partition: str = ""
    """As in ``Leak``."""


def joined(chunks: Iterable[Chunk]) -> Iterator[tuple[Chunk, int]]:
    """The chunks, those that go on where the one before ended with its last bytes in front; and how many these are."""
    before: Chunk | None = None
    for chunk in chunks:
        seam = 0
        whole = chunk
        if (
            before is not None
            and before.where == chunk.where
            and before.path == chunk.path
            and before.partition == chunk.partition
            and before.offset + len(before.data) == chunk.offset
        ):
            tail = bytes(before.data[-OVERLAP:])
            seam = len(tail)
            whole = replace(chunk, offset=chunk.offset - seam, data=tail + bytes(chunk.data))
        yield whole, seam
        before = whole


def secrets(chunks: Iterable[Chunk], find: Detector, *, jobs: int) -> Iterator[Leak]:
    """The secrets in chunks, each once, with their excerpts masked.

    Args:
        chunks: the bytes; chunks of one file follow one another.
        find: the detector.
        jobs: how many threads look.
    """

    def look(item: tuple[Chunk, int]) -> tuple[Chunk, list[Secret]]:
        chunk, seam = item
        return chunk, [secret for secret in apart(find(bytes(chunk.data))) if secret.end > seam]

    last: Leak | None = None
    length = 0
    for chunk, found in in_order(look, joined(chunks), jobs=jobs):
        for secret in found:
            leak = Leak(
                chunk.path,
                chunk.offset + secret.start,
                secret.kind,
                "secret",
                chunk.where,
                masked(secret.text),
                chunk.partition,
            )
            # What begins in the bytes that two chunks share may be found in both, cut off in the first.
            same = last is not None and (leak.path, leak.where, leak.kind) == (
                last.path,
                last.where,
                last.kind,
            )
            if same and last is not None and leak.offset < last.offset + length:
                continue
            yield leak
            last, length = leak, secret.end - secret.start
