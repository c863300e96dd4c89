"""Blobs: objects named by the SHA-256 of their bytes, in ``blobs/sha256`` of an OCI image layout.

- An object that has its name is whole: its bytes were on the disk before.
- Names are durable after ``settle``, which comes before anything that refers to them is written.
- What comes from outside is verified while it is written; what is read as a manifest is verified when it is read.
"""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from goldsmith.effects.drafts import Door, Draft, Kernel, drafting
from goldsmith.errors import IntegrityError
from goldsmith.model.oci import DIGEST, Descriptor, digest_of

BLOCK = 1 << 20
LARGEST_MANIFEST = 64 << 20
"""Bytes of an object that is read into memory whole; larger ones are refused."""


@dataclass(slots=True)
class Growing:
    """A blob in the making; it is stored under its digest when its block ends."""

    draft: Draft
    """Where it is written."""
    size: int = 0
    """Bytes so far."""
    state: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    """SHA-256 so far."""

    def write(self, data: bytes) -> None:
        """Append."""
        self.state.update(data)
        self.size += len(data)
        self.draft.write(data)

    @property
    def digest(self) -> str:
        """Of what was written so far."""
        return f"sha256:{self.state.hexdigest()}"


@dataclass(frozen=True, slots=True)
class Blobs:
    """The objects of one store."""

    directory: Path
    """``blobs/sha256``."""
    door: Door = field(default_factory=Kernel)
    """What they are written through."""

    def path(self, digest: str) -> Path:
        """Where an object lies, or would.

        Raises:
            IntegrityError: the text is no SHA-256 digest; it may have come from outside and hold anything.
        """
        if not DIGEST.fullmatch(digest):
            raise IntegrityError(
                f"{digest!r:.100} is no digest", hint="digests are 'sha256:' and 64 hexadecimal digits"
            )
        return self.directory / digest.removeprefix("sha256:")

    def has(self, digest: str, size: int | None = None) -> bool:
        """Whether an object is there, and as long as it should be."""
        try:
            found = self.path(digest).stat().st_size
        except FileNotFoundError:
            return False
        return size is None or found == size

    @contextmanager
    def growing(self, only: str = "") -> Iterator[Growing]:
        """Write an object piece by piece; an error in the block leaves nothing behind, nor does another digest than ``only``."""
        with drafting(self.directory, door=self.door) as draft:
            blob = Growing(draft)
            yield blob
            if only in {"", blob.digest} and not self.has(blob.digest, blob.size):
                draft.name = blob.digest.removeprefix("sha256:")

    def put(self, data: bytes, media_type: str) -> Descriptor:
        """Store bytes that are in memory; those that are there as they should be are not written again."""
        digest = digest_of(data)
        if not self.has(digest, len(data)) or self.path(digest).read_bytes() != data:
            with drafting(self.directory, door=self.door) as draft:
                draft.write(data)
                draft.name = digest.removeprefix("sha256:")
        return Descriptor(media_type, digest, len(data))

    def take(self, pieces: Iterable[bytes], expected: Descriptor) -> None:
        """Store an object that comes from outside, if it is what it should be.

        Raises:
            IntegrityError: it is longer, shorter or different; nothing is stored.
        """
        with drafting(self.directory, door=self.door) as draft:
            blob = Growing(draft)
            for piece in pieces:
                if blob.size + len(piece) > expected.size:
                    raise wrong(expected.digest, f"it has more than the {expected.size} bytes announced")
                blob.write(piece)
            if blob.size != expected.size:
                raise wrong(expected.digest, f"it has {blob.size} bytes instead of {expected.size}")
            if blob.digest != expected.digest:
                raise wrong(expected.digest, f"its bytes have the digest {blob.digest}")
            draft.name = expected.digest.removeprefix("sha256:")

    def settle(self) -> None:
        """Make the names of all objects durable."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.door.sync(self.directory)

    def open(self, digest: str) -> BinaryIO:
        """An object's bytes, unverified; for large ones, of which ranges are read.

        Raises:
            IntegrityError: it is not there.
        """
        try:
            return self.path(digest).open("rb", buffering=0)
        except FileNotFoundError as error:
            raise missing(digest) from error

    def read(self, digest: str) -> bytes:
        """An object's bytes, verified.

        Raises:
            IntegrityError: it is not there, damaged, or too large to be read whole.
        """
        try:
            with self.path(digest).open("rb") as stream:
                data = stream.read(LARGEST_MANIFEST + 1)
        except FileNotFoundError as error:
            raise missing(digest) from error
        if len(data) > LARGEST_MANIFEST:
            raise wrong(
                digest, f"it has more than {LARGEST_MANIFEST >> 20} MiB, too many for a manifest or a list"
            )
        found = hashlib.sha256(data).hexdigest()
        if f"sha256:{found}" != digest:
            raise wrong(digest, f"its {len(data)} bytes have the digest sha256:{found}")
        return data

    def all(self) -> Iterator[Path]:
        """Every file in the directory, in no order, drafts and strays too."""
        if self.directory.is_dir():
            yield from self.directory.iterdir()


def missing(digest: str) -> IntegrityError:
    """The error for an object that is not there."""
    return IntegrityError(
        f"object {digest} is not in the store", hint="goldsmith store check tells which images it hurts"
    )


def wrong(digest: str, reason: str) -> IntegrityError:
    """The error for an object that is not what its name says."""
    return IntegrityError(
        f"object {digest} is damaged: {reason}",
        hint="goldsmith store check --read tells which images it hurts; fetch or build them again",
    )
