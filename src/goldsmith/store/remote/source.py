"""What images are taken from: one image in one place."""

from collections.abc import Iterator
from typing import Protocol

from goldsmith.effects.part import Refused
from goldsmith.model.oci import Descriptor


class NoRanges(Refused):
    """A server sends whole objects only."""

    def __init__(self) -> None:
        super().__init__("the server does not send parts of objects", final=True)


class Damaged(Refused):
    """What was sent is not what its digest says."""


class Source(Protocol):
    """One image in one place; what it gives is not verified yet."""

    def root(self) -> tuple[Descriptor, bytes]:
        """The object that stands for the whole image, and its bytes; the digest is that of the bytes.

        Raises:
            UsageError: there is no such image.
            NetworkError: the place does not answer as it should.
            IntegrityError: what it gives is no image.
        """

    def manifest(self, item: Descriptor) -> bytes:
        """The bytes of a manifest.

        Raises:
            Refused: they cannot be had.
        """

    def pieces(self, item: Descriptor, start: int, end: int) -> Iterator[bytes]:
        """The bytes of an object from ``start`` to before ``end``; never more.

        Raises:
            Refused: they cannot be had; ``NoRanges`` if only the whole object can.
        """

    def referrers(self, digest: str) -> tuple[Descriptor, ...]:
        """The manifests that say something about an object: evidence, signatures.

        Raises:
            Refused: they cannot be had.
        """
