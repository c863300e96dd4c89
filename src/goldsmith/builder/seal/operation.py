"""What a seal operation is: what it matches, how it removes, and how it proves absence."""

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from goldsmith.builder.match import Match, find, find_any
from goldsmith.effects.root import Root

HOME = "~"
"""Stands for every home directory at the start of a pattern."""


def anything(tree: Root, path: str) -> bool:  # noqa: ARG001 - the signature of all such questions
    """Whatever a pattern matches is a trace."""
    return True


def delete(tree: Root, path: str) -> None:
    """A trace is removed; a directory with all that is in it."""
    tree.remove(path)


def has_content(tree: Root, path: str) -> bool:
    """Only a regular file with something in it is a trace."""
    facts = tree.lstat(path)
    return stat.S_ISREG(facts.st_mode) and facts.st_size > 0


def empty(tree: Root, path: str) -> None:
    """A trace is emptied: mode and owner stay, for a service that cannot make the file itself."""
    with tree.opened(path, os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW):
        pass


@dataclass(frozen=True, slots=True)
class Operation:
    """A row of the table: one kind of trace."""

    name: str
    """What ``seal: {keep: […]}`` and the certificate call it."""
    summary: str
    """What it removes and why, in one sentence."""
    matches: tuple[str, ...]
    """Patterns as ``match.find`` knows them; ``~/`` at the start means below every home."""
    spares: frozenset[str] = field(default_factory=frozenset)
    """Paths that stay although a pattern matches, with all that is below them."""
    files_only: bool = False
    """Whether directories stay: packages own them, and services expect them."""
    is_trace: Callable[[Root, str], bool] = anything
    """Whether something that a pattern matches is a trace; the proof of absence asks the same."""
    remove: Callable[[Root, str], None] = delete
    """Does away with one trace, so that ``is_trace`` says no, or the path is gone."""
    default: bool = True
    """Whether it is done when nothing is said."""


def rows(*operations: tuple[str, str, tuple[str, ...]], files_only: bool = False) -> tuple[Operation, ...]:
    """Operations that are nothing but patterns: name, summary, matches."""
    return tuple(
        Operation(name, summary, matches, files_only=files_only) for name, summary, matches in operations
    )


@dataclass(frozen=True, slots=True)
class Spared:
    """Paths that stay, whatever patterns match."""

    whole: frozenset[str] = field(default_factory=frozenset)
    """Paths that stay with all that is below them."""
    alone: frozenset[str] = field(default_factory=frozenset)
    """Paths that stay themselves."""

    def holds(self, path: str) -> bool:
        """Whether a path stays."""
        return path in self.alone or not self.whole.isdisjoint((path, *ancestors(path)))

    def around(self) -> frozenset[str]:
        """The directories that have something below them that stays."""
        return frozenset(directory for path in self.whole | self.alone for directory in ancestors(path))


def ancestors(path: str) -> Iterator[str]:
    """The directories that a path is in, the nearest first, without the root."""
    while (path := path.rpartition("/")[0]) != "":
        yield path


def traces(tree: Root, operation: Operation, *, homes: Iterable[str], spared: Spared) -> tuple[str, ...]:
    """The paths in a tree that an operation would do away with, sorted; what is below one of them is not listed.

    Args:
        tree: the tree.
        operation: the row.
        homes: the home directories.
        spared: what stays, apart from what the operation itself spares; the directories around it stay too.
    """
    spared = Spared(spared.whole | operation.spares, spared.alone)
    around = spared.around()
    found: list[str] = []
    for match in sorted(set(_matches(tree, operation, homes)), key=lambda match: match.path.split("/")):
        if found and match.path.startswith(f"{found[-1]}/"):
            continue
        found += (
            path.path
            for path in _apart_from(tree, match, spared, around)
            if not (operation.files_only and path.is_directory) and operation.is_trace(tree, path.path)
        )
    return tuple(dict.fromkeys(found))


def _matches(tree: Root, operation: Operation, homes: Iterable[str]) -> Iterator[Match]:
    in_homes = [pattern for pattern in operation.matches if pattern.startswith(f"{HOME}/")]
    yield from find_any(tree, (pattern for pattern in operation.matches if pattern not in in_homes))
    yield from find_any(tree, (home + pattern[len(HOME) :] for home in homes for pattern in in_homes))


def _apart_from(tree: Root, match: Match, spared: Spared, around: frozenset[str]) -> Iterator[Match]:
    """The match itself, or, where something that stays is below it, its parts without that."""
    if spared.holds(match.path):
        return
    if not match.is_directory or match.path not in around:
        yield match
        return
    for child in find(tree, f"{match.path}/*"):
        yield from _apart_from(tree, child, spared, around)
