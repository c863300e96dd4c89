"""One repository of a registry.

Facts: the OCI distribution specification 1.1, sections "Pull", "Push", "Referrers API" and "Referrers Tag Schema".
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from urllib.parse import quote, urlencode, urlsplit

from goldsmith.effects.net import OK, redirected
from goldsmith.effects.part import Refused
from goldsmith.errors import GoldsmithError, IntegrityError, UsageError
from goldsmith.model import oci
from goldsmith.model.oci import Descriptor, descriptor, digest_of
from goldsmith.store.remote.address import Address
from goldsmith.store.remote.manifests import LARGEST, MANIFESTS, Manifest, check_manifest, read_json
from goldsmith.store.remote.session import Session
from goldsmith.store.remote.trying import NOT_FOUND, byte_range, failed, part, refusal, trying

CREATED, ACCEPTED = 201, 202
ACCEPT = ", ".join((*MANIFESTS, "application/vnd.docker.distribution.manifest.v2+json"))
TAGS = 1 << 16
"""Bytes of a list of tags that are read, for a hint."""


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository, and one image in it."""

    session: Session
    address: Address

    @property
    def _path(self) -> str:
        return f"/v2/{self.address.repository}"

    def _scope(self, actions: str) -> str:
        return f"repository:{self.address.repository}:{actions}"

    # -- reading

    def root(self) -> tuple[Descriptor, bytes]:
        """As ``Source.root``."""
        named = self.address.tag or self.address.digest
        found = trying(self.session.client, f"cannot read {self.address}", lambda: self.named(named))
        if found is None:
            raise UsageError(f"there is no image {self.address}", hint=self._tags())
        item, data = found
        if self.address.digest and item.digest != self.address.digest:
            raise IntegrityError(
                f"{self.address} has the digest {item.digest}", hint="the registry is not to be trusted"
            )
        return item, data

    def named(self, name: str) -> tuple[Descriptor, bytes] | None:
        """What a tag or a digest names, if it is there."""
        url = f"{self._path}/manifests/{name}"
        with self.session.ask("GET", url, scope=self._scope("pull"), headers={"Accept": ACCEPT}) as reply:
            if reply.status == NOT_FOUND:
                return None
            if reply.status != OK:
                raise refusal(reply)
            media_type = reply.headers.get("Content-Type", "").partition(";")[0].strip()
            data = reply.read(LARGEST)
        return Descriptor(media_type, digest_of(data), len(data)), data

    def _tags(self) -> str:
        try:
            with self.session.ask("GET", f"{self._path}/tags/list", scope=self._scope("pull")) as reply:
                tags = read_json(reply.read(TAGS), "tags").get("tags") if reply.status == OK else None
        except (Refused, GoldsmithError):
            tags = None
        if not isinstance(tags, list) or not tags:
            return "there is no image of that name"
        return f"there are: {', '.join(f'{tag!s:.40}' for tag in tags[-8:])}"

    def manifest(self, item: Descriptor) -> bytes:
        """As ``Source.manifest``."""

        def read() -> bytes:
            found = self.named(item.digest)
            if found is None:
                raise Refused("the registry does not have it", final=True, status=NOT_FOUND)
            return found[1]

        return trying(self.session.client, f"cannot read manifest {item.digest} of {self.address}", read)

    def pieces(self, item: Descriptor, start: int, end: int) -> Iterator[bytes]:
        """As ``Source.pieces``."""
        headers = byte_range(start, end, item.size)
        url = f"{self._path}/blobs/{item.digest}"
        with self.session.ask("GET", url, scope=self._scope("pull"), headers=headers) as reply:
            yield from part(reply, start, end, item.size)

    def referrers(self, digest: str) -> tuple[Descriptor, ...]:
        """As ``Source.referrers``; by the tag schema where the registry has no such interface."""
        with self.session.ask("GET", f"{self._path}/referrers/{digest}", scope=self._scope("pull")) as reply:
            if reply.status == OK:
                return listed(reply.read(LARGEST))
        found = self.named(digest.replace(":", "-"))
        return listed(found[1]) if found else ()

    # -- writing

    def has(self, item: Descriptor) -> bool:
        """Whether an object is there."""
        url = f"{self._path}/blobs/{item.digest}"
        with self.session.ask("HEAD", url, scope=self._scope("pull,push")) as reply:
            if reply.status == NOT_FOUND:
                return False
            if reply.status != OK:
                raise refusal(reply)
            return reply.headers.get("Content-Length", str(item.size)) == str(item.size)

    def mount_or_begin(self, item: Descriptor, other: str) -> str:
        """Have an object taken over from another repository, if that has it; else the address to send it to.

        Args:
            item: the object.
            other: the other repository; empty for none.
        """
        query = f"?{urlencode({'mount': item.digest, 'from': other})}" if other else ""
        url = f"{self._path}/blobs/uploads/{query}"
        scope = self._scope("pull,push")
        with self.session.ask("POST", url, scope=scope, headers={"Content-Length": "0"}) as reply:
            if reply.status == CREATED and other:
                return ""
            if reply.status != ACCEPTED:
                raise refusal(reply)
            return redirected(reply.url, reply.headers.get("Location", ""))

    def send(self, item: Descriptor, location: str, body: Callable[[], Iterator[bytes]]) -> None:
        """Send an object to where the registry wants it; it is compared with its digest there."""
        glue = "&" if urlsplit(location).query else "?"
        url = f"{location}{glue}digest={quote(item.digest, safe='')}"
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(item.size)}
        with self.session.ask(
            "PUT", url, scope=self._scope("pull,push"), headers=headers, body=body
        ) as reply:
            if reply.status != CREATED:
                raise refusal(reply)

    def put(self, manifest: Manifest, name: str = "") -> Mapping[str, str]:
        """Store a manifest under its digest, or under a tag; the answer's headers."""

        def send() -> Mapping[str, str]:
            headers = {"Content-Type": manifest.item.media_type, "Content-Length": str(len(manifest.data))}
            with self.session.ask(
                "PUT",
                f"{self._path}/manifests/{name or manifest.item.digest}",
                scope=self._scope("pull,push"),
                headers=headers,
                body=lambda: [manifest.data],
            ) as reply:
                if reply.status != CREATED:
                    raise refusal(reply)
                kept = reply.headers.get("Docker-Content-Digest", manifest.item.digest)
                if kept != manifest.item.digest:
                    raise Refused(f"the registry has stored it as {kept!r:.100}", final=True)
                return reply.headers

        where = f"{self.address.repository}:{name}" if name else manifest.item.digest
        return trying(self.session.client, f"cannot store {where} in {self.address.place}", send)

    def put_referrer(self, manifest: Manifest) -> None:
        """Store a manifest that says something about another; listed by the tag schema where that is needed."""
        headers = self.put(manifest)
        subject = manifest.subject
        if subject is None or headers.get("OCI-Subject"):
            return
        tag = subject.digest.replace(":", "-")
        client = self.session.client
        found = trying(client, f"cannot read {tag} of {self.address.repository}", lambda: self.named(tag))
        before = listed(found[1]) if found else ()
        if manifest.item.digest in {item.digest for item in before}:
            return
        config = manifest.value.get("config")
        kind = manifest.artifact_type or (descriptor(config).media_type if config else "")
        data = oci.index([*before, replace(manifest.item, artifact_type=kind)])
        item = Descriptor(oci.INDEX, digest_of(data), len(data))
        self.put(check_manifest(item, data), tag)

    def refused(self, what: str, error: Refused) -> GoldsmithError:
        """The error for a request that was refused."""
        return failed(f"{what} ({self.address.place})", error)


def listed(data: bytes) -> tuple[Descriptor, ...]:
    """The referrers that a registry lists."""
    value = read_json(data, "list of referrers")
    try:
        found = value.get("manifests") or []
        return tuple(descriptor(item) for item in found) if isinstance(found, list) else ()
    except ValueError as error:
        raise IntegrityError(
            f"the list of referrers is malformed: {error}", hint="repair it there"
        ) from error
