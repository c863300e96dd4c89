"""Everything of a recipe that decides a result, read once: components, files beside it, secrets."""

import difflib
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from goldsmith.builder.plan import Contents
from goldsmith.builder.sources import image_sources
from goldsmith.effects.files import sha256_file
from goldsmith.errors import InputError
from goldsmith.model.canonical import digest, plain
from goldsmith.model.component import Document, Download
from goldsmith.model.recipe import ComponentUse, Recipe, Secret
from goldsmith.recipe.component import downloads as downloads_of
from goldsmith.recipe.component import parse_component, read_component


@dataclass(frozen=True, slots=True)
class Inputs:
    """A recipe with all that it names."""

    recipe: Recipe
    documents: Mapping[str, Document]
    """The component documents, by path as the recipe names them."""
    downloads: tuple[Download, ...]
    """What components download with a checksum."""
    files: Mapping[str, str]
    """SHA-256 of each file beside the recipe, by path as the recipe names it."""
    sources: Mapping[str, bytes]
    """The apt sources and keys that the image keeps."""

    @property
    def digest(self) -> str:
        """The recipe's digest: its content and that of all it names."""
        return digest(
            {"recipe": plain(self.recipe), "files": dict(self.files), "sources": hashed(self.sources)}
        )

    def contents(self, tools: str) -> Contents:
        """What the plan needs of the files."""
        validating = frozenset(
            path
            for path, document in self.documents.items()
            if any(p.name == "validate" for p in document.phases)
        )
        return Contents(files=self.files, tools=tools, sources=hashed(self.sources), validating=validating)


def hashed(files: Mapping[str, bytes]) -> dict[str, str]:
    """SHA-256 of each content."""
    return {path: hashlib.sha256(data).hexdigest() for path, data in files.items()}


def uses_of(recipe: Recipe) -> tuple[ComponentUse, ...]:
    """All uses of components, the stages' among them."""
    return (*recipe.components, *(use for stage in recipe.stages for use in stage.components))


def read_inputs(recipe: Recipe) -> Inputs:
    """Read what a recipe names.

    Raises:
        InputError: a file is missing, or a component is wrong.
    """
    directory = Path(recipe.directory)
    uses = uses_of(recipe)
    files = {}
    documents = {}
    for use in uses:  # read once: what was hashed is what is run
        path = directory / use.path
        read_component(path)  # for its messages about the file itself
        data = _read(path)
        files[use.path] = hashlib.sha256(data).hexdigest()
        documents[use.path] = parse_component(data.decode(errors="replace"), str(path))
    for use in uses:
        check_parameters(use, documents[use.path])
    downloads = {d.url: d for use in uses for d in downloads_of(documents[use.path], use.parameters)}
    for file in recipe.customizations.files:
        if file.source is not None:
            files[file.source] = _digest(directory / file.source)
    return Inputs(recipe, documents, tuple(downloads.values()), files, image_sources(recipe))


def check_parameters(use: ComponentUse, document: Document) -> None:
    """Refuse values for parameters that a component does not have.

    Raises:
        InputError: with the nearest right names.
    """
    known = [parameter.name for parameter in document.parameters]
    for name in use.parameters:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            there = f"it has: {', '.join(known)}" if known else "it has no parameters"
            raise InputError(
                f"the component {use.path!r} has no parameter {name!r}",
                hint=f"did you mean {near[0]!r}?" if near else there,
                where=use.where,
            )


def _digest(path: Path) -> str:
    try:
        return sha256_file(path)
    except OSError as error:
        raise _unreadable(path, error) from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> InputError:
    return InputError(
        f"{str(path)!r} cannot be read: {error.strerror}", hint="the recipe names it; is it committed?"
    )


def read_secrets(recipe: Recipe) -> dict[str, bytes]:
    """The build secrets that components use.

    Raises:
        InputError: an environment variable is not set, or a file cannot be read.
    """
    wanted = {name for use in uses_of(recipe) for name in use.secrets}
    return {
        secret.name: _secret(secret, Path(recipe.directory))
        for secret in recipe.secrets
        if secret.name in wanted
    }


def _secret(secret: Secret, directory: Path) -> bytes:
    if secret.env:
        value = os.environ.get(secret.env)
        if value is None:
            raise InputError(
                f"the secret {secret.name!r} is in the environment variable {secret.env}, which is not set",
                hint=f"set it: {secret.env}=… goldsmith build …",
                where=secret.where,
            )
        return value.encode(errors="surrogateescape")
    try:
        return (directory / secret.file).read_bytes()
    except OSError as error:
        raise InputError(
            f"the secret {secret.name!r} is in {secret.file!r}, which cannot be read: {error.strerror}",
            hint="paths start at the recipe's directory",
            where=secret.where,
        ) from error
