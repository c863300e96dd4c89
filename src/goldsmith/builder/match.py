"""Patterns of paths in a tree: ``*`` and ``?`` match within a name, ``**`` matches any number of names.

A pattern goes straight to the directories that its fixed words name; there is no walk of the whole tree. Symbolic
links are found as themselves, and wildcards never look behind one.
"""

import errno
import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

NOT_THERE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}
WILD = re.compile(r"[*?]")


class Sight(Protocol):
    """A tree that is looked at: a directory (``effects.root.Root``), or the files of a disk that nobody mounts.

    Paths are absolute in the tree, links are followed in it; errors are ``OSError``.
    """

    def stat(self, path: str, /) -> os.stat_result:
        """What is at the end of a path."""

    def lstat(self, path: str, /) -> os.stat_result:
        """What a path itself is."""

    def read(self, path: str, /) -> bytes:
        """The bytes of a file."""

    def scan(self, path: str, /) -> list[tuple[str, bool]]:
        """The names in a directory, in no order, each with whether it is a directory itself."""


@dataclass(frozen=True, slots=True, order=True)
class Match:
    """A path that a pattern found."""

    path: str
    """The path in the tree."""
    is_directory: bool
    """Whether it is a directory itself, not a link to one."""


def find(tree: Sight, pattern: str) -> Iterator[Match]:
    """Everything in the tree that a pattern matches, each path once, in sorted order."""
    parts = [part for part in pattern.split("/") if part]
    yield from sorted(set(_find(tree, "", parts)))


def find_any(tree: Sight, patterns: Iterable[str]) -> Iterator[Match]:
    """Everything that one of several patterns matches; those that end alike, as ``TOP/**/WORD``, share one walk."""
    words: dict[str, list[str]] = {}
    for pattern in patterns:
        top, across, word = pattern.rpartition("/**/")
        if across and word.strip("/") and "/" not in word and word != "**":
            words.setdefault(top, []).append(translate(word))
        else:
            yield from find(tree, pattern)
    for top, translated in words.items():
        matcher = re.compile("|".join(translated))
        for match in find(tree, f"{top}/**"):
            if matcher.fullmatch(match.path.rsplit("/", 1)[1]):
                yield match


def _find(tree: Sight, top: str, parts: list[str]) -> Iterator[Match]:
    fixed = 0
    while fixed < len(parts) and not WILD.search(parts[fixed]):
        fixed += 1
    top = "/".join([top, *parts[:fixed]])
    rest = parts[fixed:]
    if not rest:
        mode = mode_of(tree, top) if fixed else 0
        if mode:
            yield Match(top, stat.S_ISDIR(mode))
        return
    if rest[0] == "**":
        yield from _across(tree, top, rest[1:])
        return
    word = re.compile(translate(rest[0]))
    for match in children(tree, top):
        if word.fullmatch(match.path.rsplit("/", 1)[1]):
            if len(rest) == 1:
                yield match
            elif match.is_directory:
                yield from _find(tree, match.path, rest[1:])


def _across(tree: Sight, top: str, rest: list[str]) -> Iterator[Match]:
    if rest:
        yield from _find(tree, top, rest)
    for match in children(tree, top):
        if not rest:
            yield match
        if match.is_directory:
            yield from _across(tree, match.path, rest)


def children(tree: Sight, directory: str) -> list[Match]:
    """What is in a directory; nothing where there is none, or where links go round in a circle."""
    try:
        return [Match(f"{directory}/{name}", is_directory) for name, is_directory in tree.scan(directory)]
    except OSError as error:
        if error.errno not in NOT_THERE:
            raise
        return []


def mode_of(tree: Sight, path: str, *, follow: bool = False) -> int:
    """Kind and permissions of a path as ``st_mode``; 0 where there is nothing."""
    try:
        return (tree.stat(path) if follow else tree.lstat(path)).st_mode
    except OSError:
        return 0


def translate(word: str) -> str:
    """The regular expression of one word of a pattern."""
    return "".join({"*": "[^/]*", "?": "[^/]"}.get(letter, re.escape(letter)) for letter in word)
