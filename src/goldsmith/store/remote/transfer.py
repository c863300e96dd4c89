"""An image from one place to another; both ends may be the local store, a directory or a registry."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from goldsmith.effects.access import Progress, Proxies, no_progress
from goldsmith.effects.client import Client
from goldsmith.errors import IntegrityError, UsageError
from goldsmith.model.oci import Descriptor
from goldsmith.store import notes
from goldsmith.store.home import Home
from goldsmith.store.images import MOVING, NUMBERED, layout_of, name_image
from goldsmith.store.layout import Layout
from goldsmith.store.remote.address import REPOSITORY, Address, Kind
from goldsmith.store.remote.credentials import Credentials, find_credentials
from goldsmith.store.remote.local import LocalImage
from goldsmith.store.remote.manifests import Family, family
from goldsmith.store.remote.patch_sender import publish
from goldsmith.store.remote.pull import Brought, bring
from goldsmith.store.remote.push import push
from goldsmith.store.remote.registry import Repository
from goldsmith.store.remote.session import Session
from goldsmith.store.remote.source import Source
from goldsmith.store.remote.verify import Verified, verify
from goldsmith.store.remote.web import WebImage

LOOKED_AT = 20
"""Other images whose objects may be in the same registry, at most."""


def _no_disk(layout: Layout, image: Verified) -> None:
    """Leave the disk for later."""


@dataclass(frozen=True, slots=True)
class Ways:
    """How remotes are reached; made once a command."""

    home: Home
    """Whose store is the local one."""
    client: Client
    environment: Mapping[str, str] = field(default_factory=dict)
    """Where credentials are looked for."""
    plain_http: bool = False
    """Whether registries speak http; those on the loopback are asked."""
    jobs: int = 4
    """How many objects at a time."""
    progress: Progress = no_progress
    check_disk: Callable[[Layout, Verified], None] = _no_disk
    """Rebuilds the disk of an image in the local store, and raises ``IntegrityError`` if it has another digest."""


@dataclass(frozen=True, slots=True)
class Moved:
    """What was done."""

    source: Address
    target: Address
    root: Descriptor
    """The object that stands for the image."""
    total: int
    """Bytes of all objects of the image, manifests included."""
    moved: int
    """Bytes that came over the network, or were sent, or copied."""
    reused: int
    """Bytes of objects and of parts of objects that the target had already, or had elsewhere."""
    referrers: int
    """Manifests that say something about the image and moved with it."""
    name: str
    """What the image is called at the target."""
    replaced: str = ""
    """The digest of what was called so before."""


def proxies_of(environment: Mapping[str, str]) -> Proxies:
    """The proxies that the environment names."""
    found = {name.lower(): value for name, value in environment.items() if name.lower().endswith("_proxy")}
    # HTTP_PROXY in capitals is what a web client may set through CGI.
    return Proxies(environment.get("http_proxy", ""), found.get("https_proxy", ""), found.get("no_proxy", ""))


def session(ways: Ways, host: str) -> Session:
    """What talks to a registry."""
    found: list[Credentials | None] = []

    def credentials() -> Credentials | None:
        if not found:
            found.append(find_credentials(host, ways.environment))
        return found[0]

    return Session(ways.client, host, credentials, ways.plain_http)


def layout_at(ways: Ways, address: Address) -> Layout:
    """The store or the directory of an address."""
    if address.place.kind == Kind.STORE:
        return layout_of(ways.home)
    return Layout(Path(address.place.where).absolute())


def open_source(ways: Ways, address: Address) -> Source:
    """What an image is taken from.

    Raises:
        UsageError: the local store has no such image.
    """
    if address.place.kind == Kind.REGISTRY:
        return Repository(session(ways, address.place.host), address)
    if address.place.kind == Kind.WEB:
        host = urlsplit(address.place.where).netloc.rpartition("@")[2]
        return WebImage(ways.client, address, find_credentials(host, ways.environment))
    return LocalImage(layout_at(ways, address), address.reference)


def transfer(ways: Ways, source: Address, target: Address) -> Moved:
    """Move an image from one place to another.

    Raises:
        UsageError: there is no such image, or the target only gives.
        NetworkError: a place does not answer as it should.
        IntegrityError: something is not what its digest says, or the rebuilt disk is another.
        NoSpace: the target is too small.
    """
    if target.place.kind == Kind.WEB:
        raise UsageError(
            f"{target.place} is a web server, which only gives",
            hint="push to a registry or a directory, and let the web server serve that directory",
        )
    with held(ways, source):
        make_patches(ways, source, target)
        if target.place.kind == Kind.REGISTRY:
            return to_registry(ways, source, target)
        return to_layout(ways, source, target)


def make_patches(ways: Ways, source: Address, target: Address) -> None:
    """Keep patches beside an image of the local store that leaves it, so that who has the version before fetches less."""
    layout = layout_at(ways, source)
    if source.place.kind == Kind.STORE != target.place.kind and os.access(layout.directory, os.W_OK):
        with suppress(UsageError):
            item, _ = LocalImage(layout, source.reference).root()
            publish(layout, item, source.name)


@contextmanager
def held(ways: Ways, source: Address) -> Iterator[None]:
    """Keep ``gc`` from a store or directory while something is taken from it; one that is read-only has none."""
    if source.place.kind not in {Kind.STORE, Kind.DIRECTORY}:
        yield
        return
    layout = layout_at(ways, source)
    if not os.access(layout.directory, os.W_OK):
        yield
        return
    with layout.used():
        yield


def to_registry(ways: Ways, source: Address, target: Address) -> Moved:
    """Push."""
    repository = Repository(session(ways, target.place.host), target)
    pushed = push(
        open_source(ways, source),
        repository,
        jobs=ways.jobs,
        progress=ways.progress,
        elsewhere=partial(other_repositories, ways, source, target),
    )
    return Moved(
        source,
        target,
        pushed.family.root.item,
        pushed.total,
        pushed.meter.moved,
        pushed.meter.reused,
        pushed.referrers,
        str(target),
        pushed.replaced,
    )


def other_repositories(ways: Ways, source: Address, target: Address, found: Family) -> dict[str, str]:
    """Repositories of the same registry that may have an image's objects, by digest.

    They are where the image comes from, or where other images of the store would be that share objects with it.
    """
    if source.place.kind == Kind.REGISTRY:
        same = source.place.host == target.place.host and source.repository != target.repository
        return {blob.digest: source.repository for blob in found.blobs} if same else {}
    if source.place.kind == Kind.WEB:
        return {}
    wanted = {blob.digest for blob in found.blobs}
    layout = layout_at(ways, source)
    newest = {ref.partition(":")[0]: item for ref, item in layout.refs().items()}
    result: dict[str, str] = {}
    for name, item in list(reversed(newest.items()))[:LOOKED_AT]:
        repository = replace(target, name=name).repository
        if repository == target.repository or not REPOSITORY.fullmatch(repository):
            continue
        with suppress(IntegrityError):
            image = LocalImage(layout, f"{name}@{item.digest}")
            for blob in family(image, *image.root()).blobs:
                if blob.digest in wanted:
                    result.setdefault(blob.digest, repository)
    return result


def to_layout(ways: Ways, source: Address, target: Address) -> Moved:
    """Pull, or copy to a directory."""
    layout = layout_at(ways, target)
    local = target.place.kind == Kind.STORE
    with layout.used():
        brought, verified = objects(ways, source, target, layout)
        item = brought.family.root.item
        for manifest in brought.referrers:
            if manifest.subject is not None:
                layout.attach(manifest.item, manifest.subject.digest)
        version = version_of(brought.family)
        before = layout.refs().get(target.reference)
        name = (
            keep(layout, target, item, version) if local and verified else tag(layout, target, item, version)
        )
    return Moved(
        source,
        target,
        item,
        brought.total,
        brought.meter.moved,
        brought.meter.reused,
        len(brought.referrers),
        name if local else f"{target.place}/{name}",
        before.digest if before and before.digest != item.digest else "",
    )


def objects(ways: Ways, source: Address, target: Address, layout: Layout) -> tuple[Brought, Verified | None]:
    """Bring all objects of an image, and check that they make it; what was here and is damaged is brought anew."""
    known = {item.digest for item in layout.entries()}
    for mend in (False, True):
        brought = bring(
            layout,
            open_source(ways, source),
            ways.client,
            name=target.name,
            jobs=ways.jobs,
            progress=ways.progress,
            mend=mend,
            keep_patches=target.place.kind == Kind.DIRECTORY,
        )
        try:
            verified = verify(layout, brought.family, str(source))
            if verified and target.place.kind == Kind.STORE and brought.family.root.item.digest not in known:
                ways.check_disk(layout, verified)
        except IntegrityError:
            if mend or brought.fresh:
                raise
            continue
        return brought, verified
    raise AssertionError("the second time returns or raises")


def version_of(found: Family) -> str:
    """The version that an image says it has; empty for none."""
    told = found.root.value.get("annotations")
    version = told.get(notes.VERSION) if isinstance(told, Mapping) else None
    return version if isinstance(version, str) and MOVING.fullmatch(f"a:{version}") else ""


def tag(layout: Layout, target: Address, item: Descriptor, version: str) -> str:
    """Give an image one name in a layout: its tag, else its version."""
    if not (target.tag or version):
        raise UsageError(
            f"{target.reference} says no version, so it cannot be named",
            hint="name a tag instead of a digest",
        )
    name = f"{target.name}:{target.tag or version}"
    layout.tag(name, item)
    return name


def keep(layout: Layout, target: Address, item: Descriptor, version: str) -> str:
    """Give an image its names in the local store, as a build does."""
    wanted = target.reference
    if MOVING.fullmatch(wanted):
        return name_image(layout, target.name, target.tag, item).reference
    numbered = NUMBERED.fullmatch(wanted)
    if numbered:
        there = layout.refs().get(wanted)
        if there is None or there.digest == item.digest:

            def change(refs: dict[str, Descriptor]) -> None:
                refs.setdefault(wanted, layout.noted(item))
                refs.setdefault(f"{target.name}:{numbered['version']}", item)

            layout.change(change)
            return wanted
        version = numbered["version"]
    if not version:
        return tag(layout, target, item, version)
    image = name_image(layout, target.name, version, item)
    if target.tag and not numbered:
        layout.tag(wanted, item)
    return image.reference
