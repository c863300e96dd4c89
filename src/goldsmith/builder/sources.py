"""The apt sources that an image keeps: what the recipe itself names, never the mirror it happened to be built from."""

from pathlib import Path

from goldsmith.lock.mirror import parse_mirror
from goldsmith.model.distribution import DISTRIBUTIONS
from goldsmith.model.recipe import Recipe, Repository

KEYRINGS = "/etc/apt/keyrings"


def image_sources(recipe: Recipe) -> dict[str, bytes]:
    """Paths below ``/etc/apt`` and their contents, in deb822 style; credentials are left out."""
    files: dict[str, bytes] = {}
    if recipe.mirror:
        files[f"/etc/apt/sources.list.d/{recipe.base.distribution}.sources"] = base_sources(recipe).encode()
    for repository in recipe.repositories:
        if not repository.keep:
            continue
        key = (Path(recipe.directory) / repository.key).read_bytes()
        suffix = "asc" if key.startswith(b"-----") else "gpg"
        path = f"{KEYRINGS}/{repository.id}.{suffix}"
        files[path] = key
        files[f"/etc/apt/sources.list.d/{repository.id}.sources"] = extra_source(repository, path).encode()
    return files


def base_sources(recipe: Recipe) -> str:
    """The distribution's own suites, from the mirror that the recipe names."""
    distribution = DISTRIBUTIONS[recipe.base.distribution]
    suite = distribution.suites[recipe.base.suite]
    main, security = parse_mirror(recipe.mirror, distribution, "the recipe", recipe.where)
    suites = [suite.name] + ([f"{suite.name}-updates"] if suite.has_updates else [])
    keyring = f"/usr/share/keyrings/{distribution.keyring_package}.gpg"
    blocks = [(main, suites)] + (
        [(security, [f"{suite.name}-security"])] if suite.has_security and security else []
    )
    return "\n".join(
        f"Types: deb\nURIs: {uri}\nSuites: {' '.join(names)}\n"
        f"Components: {' '.join(distribution.components)}\nSigned-By: {keyring}\n"
        for uri, names in blocks
    )


def extra_source(repository: Repository, key: str) -> str:
    """One extra repository."""
    components = f"Components: {' '.join(repository.components)}\n" if repository.components else ""
    return f"Types: deb\nURIs: {repository.uri}\nSuites: {repository.suite}\n{components}Signed-By: {key}\n"
