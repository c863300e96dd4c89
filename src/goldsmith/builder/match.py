"""Patterns of paths in a tree: ``*`` and ``?`` match within a name, ``**`` matches any number of names.

A pattern goes straight to the directories that its fixed words name; there is no walk of the whole tree. Symbolic
links are found as themselves, and wildcards never look behind one.
"""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from goldsmith.effects.root import Root

WILD = re.compile(r"[*?]")


@dataclass(frozen=True, slots=True, order=True)
class Match:
    """A path that a pattern found."""

    path: str
    """The path in the tree."""
    is_directory: bool
    """Whether it is a directory itself, not a link to one."""


def find(tree: Root, pattern: str) -> Iterator[Match]:
    """Everything in the tree that a pattern matches, each path once, in sorted order."""
    parts = [part for part in pattern.split("/") if part]
    yield from sorted(set(_find(tree, "", parts)))


def find_any(tree: Root, patterns: Iterable[str]) -> Iterator[Match]:
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


def _find(tree: Root, top: str, parts: list[str]) -> Iterator[Match]:
    fixed = 0
    while fixed < len(parts) and not WILD.search(parts[fixed]):
        fixed += 1
    top = "/".join([top, *parts[:fixed]])
    rest = parts[fixed:]
    if not rest:
        if fixed and tree.lexists(top):
            yield Match(top, _is_directory(tree, top))
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


def _across(tree: Root, top: str, rest: list[str]) -> Iterator[Match]:
    if rest:
        yield from _find(tree, top, rest)
    for match in children(tree, top):
        if not rest:
            yield match
        if match.is_directory:
            yield from _across(tree, match.path, rest)


def children(tree: Root, directory: str) -> Iterator[Match]:
    """What is in a directory; nothing where there is none."""
    try:
        with (
            tree.opened(directory or "/", os.O_RDONLY | os.O_DIRECTORY) as descriptor,
            os.scandir(descriptor) as entries,
        ):
            found = [
                Match(f"{directory}/{entry.name}", entry.is_dir(follow_symlinks=False)) for entry in entries
            ]
    except (FileNotFoundError, NotADirectoryError):
        return
    yield from found


def _is_directory(tree: Root, path: str) -> bool:
    return tree.is_dir(path) and not _is_link(tree, path)


def _is_link(tree: Root, path: str) -> bool:
    try:
        tree.readlink(path)
    except OSError:
        return False
    return True


def translate(word: str) -> str:
    """The regular expression of one word of a pattern."""
    return "".join({"*": "[^/]*", "?": "[^/]"}.get(letter, re.escape(letter)) for letter in word)
