"""What a seal operation is: what it matches, how it removes, and how it proves absence."""

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from goldsmith.builder.match import Match, Sight, children, find_any
from goldsmith.effects.root import Root

HOME = "~"
"""Stands for every home directory at the start of a pattern."""


def anything(tree: Sight, path: str) -> bool:  # noqa: ARG001 - the signature of all such questions
    """Whatever a pattern matches is a trace."""
    return True


def delete(tree: Root, path: str) -> None:
    """A trace is removed; a directory with all that is in it."""
    tree.remove(path)


def has_content(tree: Sight, path: str) -> bool:
    """Only a regular file with something in it is a trace."""
    facts = tree.lstat(path)
    return stat.S_ISREG(facts.st_mode) and facts.st_size > 0


def says_something(tree: Sight, path: str) -> bool:
    """Whether a trace tells anybody anything: empty files and directories, links and pipes do not."""
    mode = tree.lstat(path).st_mode
    if stat.S_ISDIR(mode):
        return any(says_something(tree, child.path) for child in children(tree, path))
    return has_content(tree, path)


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
    is_trace: Callable[[Sight, str], bool] = anything
    """Whether something that a pattern matches is a trace; the proof of absence asks the same."""
    is_leak: Callable[[Sight, str], bool] = says_something
    """Whether a trace in an image that somebody else made gives something away."""
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

    def keeps_whole(self, path: str) -> bool:
        """Whether a path stays with all that is below it, or lies below such a one."""
        return not self.whole.isdisjoint((path, *ancestors(path)))

    def around(self) -> frozenset[str]:
        """The directories that have something below them that stays."""
        return frozenset(directory for path in self.whole | self.alone for directory in ancestors(path))


def ancestors(path: str) -> Iterator[str]:
    """The directories that a path is in, the nearest first, without the root."""
    while (path := path.rpartition("/")[0]) != "":
        yield path


@dataclass(frozen=True, slots=True)
class Traces:
    """What the patterns of one operation lead to; paths are sorted, and what is below one is not listed."""

    found: tuple[str, ...] = ()
    """The traces."""
    declared: tuple[str, ...] = ()
    """What would be a trace, and stays because the recipe declares it."""


def traces(tree: Sight, operation: Operation, *, homes: Iterable[str], spared: Spared) -> Traces:
    """The paths in a tree that an operation would do away with.

    Args:
        tree: the tree.
        operation: the row.
        homes: the home directories.
        spared: what stays, apart from what the operation itself spares; the directories around it stay too.
    """
    spared = Spared(spared.whole | operation.spares, spared.alone)
    around = spared.around()
    found: dict[str, None] = {}
    declared: dict[str, None] = {}
    last = "\0"
    for match in sorted(set(_matches(tree, operation, homes)), key=lambda match: match.path.split("/")):
        if match.path.startswith(f"{last}/"):
            continue
        for part in _parts(tree, match, spared, around):
            if (operation.files_only and part.is_directory) or not operation.is_trace(tree, part.path):
                continue
            if part.path in spared.alone:
                declared[part.path] = None
            else:
                found[last := part.path] = None
    return Traces(tuple(found), tuple(declared))


def _matches(tree: Sight, operation: Operation, homes: Iterable[str]) -> Iterator[Match]:
    in_homes = [pattern for pattern in operation.matches if pattern.startswith(f"{HOME}/")]
    yield from find_any(tree, (pattern for pattern in operation.matches if pattern not in in_homes))
    yield from find_any(tree, (home + pattern[len(HOME) :] for home in homes for pattern in in_homes))


def _parts(tree: Sight, match: Match, spared: Spared, around: frozenset[str]) -> Iterator[Match]:
    """The match itself, or, where something that stays is below it, its parts without what stays whole."""
    if spared.keeps_whole(match.path):
        return
    if not match.is_directory or match.path in spared.alone or match.path not in around:
        yield match
        return
    for child in sorted(children(tree, match.path)):
        yield from _parts(tree, child, spared, around)
