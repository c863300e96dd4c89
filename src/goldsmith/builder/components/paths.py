"""Paths of file modules: wildcards in the last part, folders named by a slash at the end, missing parents."""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath

from goldsmith.effects.root import Root
from goldsmith.errors import StepFailed

NEW_FILE = 0o644
NEW_FOLDER = 0o755
"""AWS documents 0666 and 0777, which a process with the usual umask makes these. What is made without an owner
belongs to whoever runs goldsmith (-1): root in a build."""


def parent_of(path: str) -> str:
    """The folder that holds a path."""
    return str(PurePosixPath(path.rstrip("/") or "/").parent)


def name_of(path: str) -> str:
    """The last part of a path."""
    return PurePosixPath(path.rstrip("/")).name


def make_folders(root: Root, path: str) -> None:
    """Make a folder and those above it, where they are missing.

    Raises:
        StepFailed: a file stands where a folder is needed.
    """
    if not root.is_dir(path):
        if root.lexists(path):
            raise StepFailed(f"{path!r} is no folder", hint="remove it before, or choose another path")
        make_folders(root, parent_of(path))
        root.mkdir(path, mode=NEW_FOLDER, uid=-1, gid=-1)


def matching(name: str, pattern: str) -> bool:
    """Whether a name fits a pattern in which only ``*`` is special."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), name, re.DOTALL) is not None


def found(root: Root, pattern: str, *, folders: bool) -> list[str]:
    """The paths that a source means: itself, or what its wildcard matches of the right kind.

    Raises:
        StepFailed: the wildcard stands before the last part, or nothing is there.
    """
    parent, name = parent_of(pattern), name_of(pattern)
    kind = "folder" if folders else "file"
    if "*" in parent:
        raise StepFailed(
            f"{pattern!r} has a '*' before its last part", hint="only the last part may have a '*'"
        )
    right = root.is_dir if folders else lambda path: root.lexists(path) and not root.is_dir(path)
    if "*" not in name:
        plain = pattern.rstrip("/") or "/"
        if not right(plain):
            wrong = f"{plain!r} is no {kind}" if root.lexists(plain) else f"there is no {kind} {plain!r}"
            raise StepFailed(wrong, hint="check the path, and the steps that should have made it")
        return [plain]
    paths = [f"{parent.rstrip('/')}/{one}" for one in root.listdir(parent) if matching(one, name)]
    paths = [path for path in paths if right(path)]
    if not paths:
        raise StepFailed(
            f"no {kind} matches {pattern!r}", hint="check the path, and the steps that should have made it"
        )
    return paths


def pairs(root: Root, source: str, destination: str, *, folders: bool) -> list[tuple[str, str]]:
    """From where to where each file or folder goes; the folder they go to is made.

    Raises:
        StepFailed: the source is not there, or many sources have no folder to go to.
    """
    sources = found(root, source, folders=folders)
    if not destination.endswith("/"):
        if "*" in name_of(source):
            raise StepFailed(
                f"the destination {destination!r} of a wildcard must be a folder",
                hint=f"end it with a slash: {destination + '/'!r}",
            )
        if not folders and root.is_dir(destination):
            raise StepFailed(
                f"the destination {destination!r} is a folder",
                hint=f"end it with a slash: {destination + '/'!r}",
            )
        make_folders(root, parent_of(destination))
        return [(sources[0], destination)]
    make_folders(root, destination.rstrip("/") or "/")
    return [(path, f"{destination}{name_of(path)}") for path in sources]


def refuse_existing(root: Root, path: str) -> None:
    """For ``overwrite: false``.

    Raises:
        StepFailed: something is there.
    """
    if root.lexists(path):
        raise StepFailed(
            f"{path!r} exists, and 'overwrite' is false", hint="remove it before, or let it be overwritten"
        )


def refuse_special(root: Root, path: str) -> None:
    """A pipe would be waited for without end.

    Raises:
        StepFailed: what is there is neither a file nor a folder.
    """
    if root.exists(path) and not (root.is_file(path) or root.is_dir(path)):
        raise StepFailed(
            f"{path!r} is a device, socket or pipe", hint="file modules act on files and folders"
        )


def copy_file(root: Root, source: str, destination: str, *, follow: bool = False) -> None:
    """Copy one file's bytes and permission bits; a symbolic link is copied as a link, unless it is to be followed.

    Raises:
        StepFailed: it is no file, or both are the same.
    """
    facts = root.stat(source) if follow else root.lstat(source)
    if stat.S_ISLNK(facts.st_mode):
        root.symlink(destination, root.readlink(source), force=True)
        return
    if not stat.S_ISREG(facts.st_mode):
        raise StepFailed(
            f"{source!r} is a device, socket or pipe", hint="file modules act on files and folders"
        )
    refuse_special(root, destination)
    if root.exists(destination) and os.path.samestat(root.stat(destination), facts):
        raise StepFailed(
            f"{source!r} and {destination!r} are the same file", hint="choose another destination"
        )
    with root.opened(source, os.O_RDONLY) as old, rewriting(root, destination) as new:
        while os.sendfile(new, old, None, 1 << 30):
            pass
        os.fchmod(new, stat.S_IMODE(facts.st_mode))


@contextmanager
def rewriting(root: Root, path: str) -> Iterator[int]:
    """A descriptor of a file, new or emptied."""
    with root.opened(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600) as descriptor:
        yield descriptor


def copy_folder(root: Root, source: str, destination: str) -> None:
    """Copy a folder into another, which is made or added to.

    Raises:
        StepFailed: the destination lies in the source.
    """
    above, inside = (root.real(path).rstrip("/") for path in (parent_of(destination), source))
    if f"{above}/{name_of(destination)}/".startswith(f"{inside}/"):
        raise StepFailed(
            f"{destination!r} lies in {source!r}", hint="choose a destination outside the source"
        )
    if not root.is_dir(destination):
        root.mkdir(destination, mode=stat.S_IMODE(root.stat(source).st_mode), uid=-1, gid=-1)
    for path, facts in list(root.walk(source)):
        goal = destination + path[len(source) :]
        if not stat.S_ISDIR(facts.st_mode):
            copy_file(root, path, goal)
        elif not root.is_dir(goal):
            root.mkdir(goal, mode=stat.S_IMODE(facts.st_mode), uid=-1, gid=-1)


def is_link(facts: os.stat_result) -> bool:
    """Whether this is a symbolic link."""
    return stat.S_ISLNK(facts.st_mode)
