"""An image in a layout that a plain web server serves."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from urllib.parse import unquote, urlsplit

from goldsmith.effects.access import shown
from goldsmith.effects.client import Client
from goldsmith.effects.net import OK
from goldsmith.effects.part import Refused
from goldsmith.errors import IntegrityError, UsageError
from goldsmith.model.oci import REF_NAME, Descriptor, children, digest_of
from goldsmith.store.notes import SUBJECT
from goldsmith.store.remote.address import Address
from goldsmith.store.remote.credentials import Credentials
from goldsmith.store.remote.manifests import LARGEST, MANIFESTS, check_manifest, read_json
from goldsmith.store.remote.session import basic
from goldsmith.store.remote.trying import byte_range, part, refusal, trying

LARGEST_INDEX = 24 << 20
"""Bytes of an ``index.json``, at most: some 15,000 images."""
ASKED = 50
"""Entries without a name or a subject that are looked at for referrers, at most."""


@dataclass(slots=True)
class WebImage:
    """An image of a layout on a web server; its index is read once."""

    client: Client
    address: Address
    credentials: Credentials | None = None
    _entries: tuple[Descriptor, ...] | None = None

    def _url(self, name: str) -> str:
        return f"{self.address.place.where}/{name}"

    def _headers(self) -> dict[str, str]:
        parts = urlsplit(self.address.place.where)
        if parts.username is not None:
            return {
                "Authorization": basic(Credentials(unquote(parts.username), unquote(parts.password or "")))
            }
        return {"Authorization": basic(self.credentials)} if self.credentials else {}

    def _read(self, name: str, limit: int) -> bytes:
        def read() -> bytes:
            with self.client.ask("GET", self._url(name), headers=self._headers()) as reply:
                if reply.status != OK:
                    raise refusal(reply)
                return reply.read(limit)

        return trying(self.client, f"cannot read {shown(self._url(name))!r}", read)

    def entries(self) -> tuple[Descriptor, ...]:
        """What ``index.json`` lists."""
        if self._entries is None:
            what = f"{shown(self._url('index.json'))!r}"
            try:
                self._entries = children(read_json(self._read("index.json", LARGEST_INDEX), what))
            except ValueError as error:
                raise IntegrityError(
                    f"{what} is no index: {error}", hint="is a layout served there?"
                ) from error
        return self._entries

    def root(self) -> tuple[Descriptor, bytes]:
        """As ``Source.root``."""
        entries = self.entries()
        wanted = self.address
        found = next(
            (
                item
                for item in entries
                if item.note(REF_NAME) == wanted.reference or (wanted.digest and item.digest == wanted.digest)
            ),
            None,
        )
        if found is None:
            names = [item.note(REF_NAME) for item in entries]
            alike = [name for name in names if name.startswith(f"{wanted.name}:")][-8:]
            raise UsageError(
                f"there is no image {wanted}", hint=f"there are: {', '.join(alike) or 'none of that name'}"
            )
        item = replace(found, annotations=())
        return item, self.manifest(item)

    def manifest(self, item: Descriptor) -> bytes:
        """As ``Source.manifest``."""
        data = self._read(f"blobs/sha256/{item.digest.removeprefix('sha256:')}", min(LARGEST, item.size))
        found = digest_of(data)
        if found != item.digest:
            raise IntegrityError(
                f"object {item.digest} of {self.address} has the digest {found}",
                hint="what is served there is damaged",
            )
        return data

    def pieces(self, item: Descriptor, start: int, end: int) -> Iterator[bytes]:
        """As ``Source.pieces``."""
        url = self._url(f"blobs/sha256/{item.digest.removeprefix('sha256:')}")
        headers = {**self._headers(), **byte_range(start, end, item.size)}
        with self.client.ask("GET", url, headers=headers) as reply:
            yield from part(reply, start, end, item.size)

    def referrers(self, digest: str) -> tuple[Descriptor, ...]:
        """As ``Source.referrers``: entries without a name whose subject is the object."""
        nameless = [
            item
            for item in self.entries()
            if not item.note(REF_NAME) and item.media_type in MANIFESTS and item.size <= LARGEST
        ]
        found = [item for item in nameless if item.note(SUBJECT) == digest]
        for item in [item for item in nameless if not item.note(SUBJECT)][:ASKED]:
            try:
                subject = check_manifest(item, self.manifest(item)).subject
            except (Refused, IntegrityError):
                continue
            if subject is not None and subject.digest == digest:
                found.append(item)
        return tuple(found)
