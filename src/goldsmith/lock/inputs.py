"""What of a recipe a lock answers to; a lock is stale if that has changed. No mirror, file or setting is part of it."""

from collections.abc import Iterable
from pathlib import Path

from goldsmith.lock.source import find_distribution, key_digest, repository_id
from goldsmith.model.canonical import digest
from goldsmith.model.component import Download
from goldsmith.model.distribution import goldsmith_needs
from goldsmith.model.lock import FORMAT, Lock
from goldsmith.model.recipe import Base, PackageRequest, Recipe


def inputs_digest(recipe: Recipe, downloads: Iterable[Download]) -> str:
    """A digest over exactly what a lock resolves.

    Raises:
        InputError: a repository's key file is not there.
        UsageError: the base is not known.
    """
    directory = Path(recipe.directory)
    return digest(
        {
            "format": FORMAT,
            "base": based_on(recipe.base) or str(recipe.base),
            "architecture": recipe.architecture,
            "repositories": [
                {
                    "id": repository_id(repository),
                    "uri": repository.uri.rstrip("/"),
                    "suite": repository.suite,
                    "components": repository.components,
                    "key": key_digest(repository, directory),
                }
                for repository in recipe.repositories
            ],
            "packages": _requests(recipe.packages),
            "recommends": recipe.recommends,
            "needs": sorted(goldsmith_needs(recipe, find_distribution(recipe.base))),
            "stages": {stage.name: _requests(stage.packages) for stage in recipe.stages},
            "downloads": sorted(
                [file.url, file.algorithm.lower(), file.checksum.lower()] for file in downloads
            ),
        }
    )


def based_on(base: Base) -> str:
    """The image that a recipe stands on, as its lock names it; empty for a distribution."""
    return f"{base.reference} {base.digest}" if base.image else ""


def _requests(requests: Iterable[PackageRequest]) -> list[str]:
    return sorted({str(request) for request in requests})


def is_stale(lock: Lock, recipe: Recipe, downloads: Iterable[Download]) -> bool:
    """Whether the recipe asks for something else than the lock holds; errors as ``inputs_digest``."""
    return lock.inputs != inputs_digest(recipe, downloads)
