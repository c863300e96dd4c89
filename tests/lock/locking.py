"""Locks of small archives: a recipe in short words, and its lock."""

from pathlib import Path

from tests.lock.archive import Signer, deb
from tests.lock.server import Server

from goldsmith.errors import (
    Place,
)
from goldsmith.lock.fetch import Origins
from goldsmith.lock.mirror import Mirror
from goldsmith.lock.resolve import resolve
from goldsmith.model.lock import Lock
from goldsmith.model.recipe import Base, PackageRequest, Recipe
from goldsmith.store.home import Home

TOOLS_DIGEST = f"sha256:{'0' * 64}"
WEB = (
    deb("web", "1.0", Depends="web-data (>= 1), libweb | libother", Recommends="web-doc"),
    deb("web-data", "1.0"),
    deb("libweb", "1.0"),
    deb("web-doc", "1.0"),
)


def request(text: str) -> PackageRequest:
    if text.startswith("-"):
        return PackageRequest(text[1:], forbidden=True)
    if "=" in text:
        name, version = text.split("=")
        return PackageRequest(name, version=version)
    name, _, suite = text.partition("/")
    return PackageRequest(name, suite=suite)


def recipe_of(*packages: str, **how: object) -> Recipe:
    where = Place("web/recipe.yaml")
    said = {"packages": tuple(map(request, packages)), "where": where, **how}
    return Recipe("web", "1.0.0", Base("debian", "trixie"), **said)  # type: ignore[arg-type]


def mirror_of(server: Server, key: Signer) -> Mirror:
    return Mirror(f"{server.address}", "", keyring=key.public)


def lock_of(recipe: Recipe, server: Server, key: Signer, home: Home, **how: object) -> Lock:
    origins = Origins(mirror_of(server, key), recipe.repositories, Path(recipe.directory), {})
    said = {"tools": TOOLS_DIGEST, "home": home, "origins": origins, **how}
    return resolve(recipe, (), **said)  # type: ignore[arg-type]


def names(lock: Lock, group: int | None = None) -> set[str]:
    return {package.name for package in lock.packages if group in {None, package.group}}
