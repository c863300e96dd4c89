"""A recipe and the fragments it includes, as one document.

- Paths in ``include`` start from the file that has it; so do all other paths in a fragment.
- Fragments come first: lists are joined in order, maps merged, and where both have a value the including file wins.
- A fragment that is reached twice counts once.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path

from goldsmith.errors import InputError, Place
from goldsmith.model.recipe import Preamble, Recipe
from goldsmith.recipe.beside import rebase
from goldsmith.recipe.decode import decode
from goldsmith.recipe.document import Node, read_document
from goldsmith.recipe.found import wants_map
from goldsmith.recipe.keys import keys_of
from goldsmith.recipe.nodes import find, merge, without

MAX_DEPTH = 8


def assemble(path: Path) -> Node:
    """The recipe at ``path`` with its fragments merged in; ``include`` is gone from it.

    Raises:
        InputError: a file is missing or broken, includes itself, or is included too deep.
    """
    return _Assembly(path.parent).read(path, (), Place(str(path)))


@dataclass(slots=True)
class _Assembly:
    """One recipe coming together."""

    top: Path
    seen: set[Path] = field(default_factory=set)

    def read(self, path: Path, chain: tuple[Path, ...], asked: Place) -> Node:
        """One file and what it includes; ``chain`` are the real paths of the files that led here."""
        real = Path(os.path.realpath(path))
        _check_chain(real, chain, path, asked)
        self.seen.add(real)
        root = _read(path, asked)
        if root.kind != "map":
            raise wants_map(root, "", [key.name for key in keys_of(Recipe)])
        includes = _includes(root)
        rest = without(root, "include")
        if chain:
            rest = rebase(rest, os.path.relpath(path.parent, self.top))
        under: Node | None = None
        for name in includes:
            fragment = path.parent / name.raw
            if Path(os.path.realpath(fragment)) in self.seen - {real, *chain}:
                continue
            read = self.read(fragment, (*chain, real), name.place)
            under = read if under is None else merge(under, read)
        return rest if under is None else merge(under, rest)


def _check_chain(real: Path, chain: tuple[Path, ...], path: Path, asked: Place) -> None:
    if real in chain:
        circle = " → ".join(item.name for item in (*chain[chain.index(real) :], real))
        raise InputError(
            f"{str(path)!r} includes itself: {circle}",
            hint="take the shared part out into a fragment of its own",
            where=asked,
        )
    if len(chain) > MAX_DEPTH:
        raise InputError(
            f"includes are more than {MAX_DEPTH} deep", hint="include fragments side by side", where=asked
        )


def _read(path: Path, asked: Place) -> Node:
    """A file; if it cannot be read, the place is where it was asked for."""
    try:
        return read_document(path)
    except InputError as error:
        if error.where is not None or not asked.line:
            raise
        raise InputError(
            error.message, hint="paths start from the file that includes", where=asked
        ) from error


def _includes(root: Node) -> tuple[Node, ...]:
    """The checked items of ``include``."""
    written = find(root, "include")
    if written is None:
        return ()
    others = (key.raw for key, _ in root.entries if key.raw != "include")
    decode(Preamble, without(root, *others))
    for item in written.items:
        if not item.raw or "\0" in item.raw:
            hint = "write the path of a fragment"
            raise InputError(f"'include' holds {item.raw!r}, which is no path", hint=hint, where=item.place)
        if "${" in item.raw:
            raise InputError(
                f"'include' holds {item.raw!r}, and variables are not known yet when files are included",
                hint="write the path out",
                where=item.place,
            )
    return written.items
