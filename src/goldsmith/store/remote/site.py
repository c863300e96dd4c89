"""A store as web pages: the layout as it lies, and what container tools ask of a registry that only gives.

::

    /index.json /oci-layout /blobs/sha256/HEX        the layout
    /v2/ /v2/_catalog /v2/NAME/tags/list             a registry
    /v2/NAME/manifests/TAG-or-DIGEST /v2/NAME/blobs/DIGEST /v2/NAME/referrers/DIGEST
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from goldsmith.effects.webserver import NOT_FOUND, Page
from goldsmith.errors import GoldsmithError
from goldsmith.model import oci
from goldsmith.model.oci import Descriptor
from goldsmith.store.layout import Layout
from goldsmith.store.remote.local import referrers_of
from goldsmith.store.remote.manifests import LARGEST, MANIFESTS

VERSION = (("Docker-Distribution-Api-Version", "registry/2.0"),)
JSON = "application/json"
NAME = r"(?P<name>[a-z0-9][a-z0-9._-]*)"
DIGEST = r"(?P<digest>sha256:[0-9a-f]{64})"


@dataclass(frozen=True, slots=True)
class StoreSite:
    """The pages of one store."""

    layout: Layout

    def page(self, path: str) -> Page | None:
        """As ``Site.page``."""
        try:
            plain = unquote(urlsplit(path).path, errors="replace")
        except ValueError:
            return None  # a host that is none
        for pattern, answer in PAGES:
            if match := re.fullmatch(pattern, plain):
                try:
                    return answer(self.layout, match)
                except GoldsmithError:
                    return None  # damaged or just removed; `store check` says which
        return None


def file(layout: Layout, match: re.Match[str]) -> Page | None:
    """``index.json`` or ``oci-layout``, which are replaced and never changed."""
    path = layout.directory / match[1]
    return Page(path.read_bytes(), JSON, (("Cache-Control", "no-cache"),)) if path.is_file() else None


def blob(layout: Layout, match: re.Match[str]) -> Page | None:
    """An object."""
    digest = match["digest"] if "digest" in match.groupdict() else f"sha256:{match[1]}"
    return Page(
        layout.blobs.path(digest),
        headers=(
            ("ETag", f'"{digest}"'),
            ("Docker-Content-Digest", digest),
            ("Cache-Control", "public, max-age=31536000, immutable"),
        ),
    )


def hello(layout: Layout, match: re.Match[str]) -> Page:  # noqa: ARG001 - as all of them
    """That this is a registry."""
    return Page(b"{}", JSON, VERSION)


def catalog(layout: Layout, match: re.Match[str]) -> Page:  # noqa: ARG001 - as all of them
    """All names."""
    names = sorted({reference.partition(":")[0] for reference in layout.refs()})
    return Page(json.dumps({"repositories": names}).encode(), JSON, VERSION)


def tags(layout: Layout, match: re.Match[str]) -> Page:
    """All versions of a name."""
    found = sorted(
        reference.partition(":")[2]
        for reference in layout.refs()
        if reference.startswith(f"{match['name']}:")
    )
    if not found:
        return _unknown("NAME_UNKNOWN")
    return Page(json.dumps({"name": match["name"], "tags": found}).encode(), JSON, VERSION)


def manifest(layout: Layout, match: re.Match[str]) -> Page:
    """A manifest by its tag or digest."""
    tag = match["tag"]
    if oci.DIGEST.fullmatch(tag):
        item = _manifest_of(layout, tag)
    else:
        item = layout.refs().get(f"{match['name']}:{tag}")
    if item is None:
        return _unknown("MANIFEST_UNKNOWN")
    headers = (*VERSION, ("Docker-Content-Digest", item.digest))
    return Page(layout.blobs.read(item.digest), item.media_type, headers)


def referrers(layout: Layout, match: re.Match[str]) -> Page:
    """What is said about an object."""
    return Page(oci.index(referrers_of(layout, match["digest"])), oci.INDEX, VERSION)


def _manifest_of(layout: Layout, digest: str) -> Descriptor | None:
    """A manifest's descriptor, from its bytes; objects of other kinds are none."""
    if not layout.blobs.has(digest) or layout.blobs.path(digest).stat().st_size > LARGEST:
        return None
    media_type = layout.read(digest).get("mediaType")
    return Descriptor(str(media_type), digest, 0) if media_type in MANIFESTS else None


def _unknown(code: str) -> Page:
    text = json.dumps({"errors": [{"code": code, "message": "it is not in this store"}]})
    return Page(text.encode(), JSON, VERSION, NOT_FOUND)


PAGES: tuple[tuple[str, Callable[[Layout, re.Match[str]], Page | None]], ...] = (
    (r"/(index\.json|oci-layout)", file),
    (r"/blobs/sha256/([0-9a-f]{64})", blob),
    (r"/v2/?", hello),
    (r"/v2/_catalog", catalog),
    (rf"/v2/{NAME}/tags/list", tags),
    (rf"/v2/{NAME}/manifests/(?P<tag>[A-Za-z0-9_][A-Za-z0-9._:-]{{0,127}})", manifest),
    (rf"/v2/{NAME}/blobs/{DIGEST}", blob),
    (rf"/v2/{NAME}/referrers/{DIGEST}", referrers),
)
"""Patterns of paths and what answers them."""
