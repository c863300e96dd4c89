"""Files that the recipe asks for, with their content in the recipe or beside it."""

import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from goldsmith.builder.customize.owners import owner_numbers
from goldsmith.effects.files import BLOCK, write_all
from goldsmith.effects.root import Root
from goldsmith.errors import InputError, Place
from goldsmith.model.recipe import File

EMPTY_IN_IMAGES = ("/dev", "/proc", "/sys", "/run", "/tmp", "/var/tmp", "/var/run", "/var/lock")  # noqa: S108 - refused
ACCOUNT_FILES = frozenset(f"/etc/{name}" for name in ("passwd", "shadow", "group", "gshadow"))


def apply(tree: Root, files: Sequence[File], directory: Path) -> None:
    """Write the files; a symbolic link at the path is replaced, not followed.

    Args:
        tree: the tree.
        files: in the recipe's order.
        directory: where ``source`` paths start.

    Raises:
        InputError: a parent or an owner does not exist, a source cannot be read, or the path is a directory.
    """
    for file in files:
        check_place(file.path, where=file.where)
        uid, gid = owner_numbers(tree, file.path, file.user, file.group, where=file.where)
        parent = str(PurePosixPath(file.path).parent)
        if not tree.is_dir(parent):
            raise InputError(
                f"the parent {parent!r} of file {file.path!r} does not exist in the image",
                hint="list it under customizations.directories with ensure_parents: true",
                where=file.where,
            )
        if file.path.endswith("/") or (tree.lexists(file.path) and tree.is_dir(file.path)):
            raise InputError(
                f"the file {file.path!r} cannot be written: it is a directory",
                hint="end the path with the file's own name",
                where=file.where,
            )
        if file.source is not None and file.data is None:
            copy_source(tree, file, directory, uid, gid)
            continue
        data = content(file, directory)
        tree.remove(file.path)
        tree.write(file.path, data, mode=file.mode, uid=uid, gid=gid)


def copy_source(tree: Root, file: File, directory: Path, uid: int, gid: int) -> None:
    """Copy a file beside the recipe into the tree, piece by piece: it may be large.

    Raises:
        InputError: it cannot be read.
    """
    assert file.source is not None
    try:
        with (directory / file.source).open("rb") as source:
            tree.remove(file.path)
            tree.write(file.path, b"", mode=file.mode, uid=uid, gid=gid)
            with tree.opened(file.path, os.O_WRONLY) as target:
                while block := source.read(BLOCK):
                    write_all(target, block)
    except OSError as error:
        raise unreadable(file, directory, error) from error


def unreadable(file: File, directory: Path, error: OSError) -> InputError:
    """The error for a source that cannot be read."""
    return InputError(
        f"the source {file.source!r} of {file.path!r} cannot be read: {error.strerror}",
        hint=f"sources are files, and relative paths start from {str(directory)!r}",
        where=file.where,
    )


def content(file: File, directory: Path) -> bytes:
    """The bytes of a file: its ``data`` in UTF-8, or those of its ``source``.

    Raises:
        InputError: both or neither are said, or the source cannot be read.
    """
    if file.data is not None and file.source is not None:
        raise InputError(
            f"the file {file.path!r} has both data and source",
            hint="keep the one that is meant",
            where=file.where,
        )
    if file.data is not None:
        return file.data.encode()
    if file.source is None:
        raise InputError(
            f"the file {file.path!r} has neither data nor source",
            hint='say data: "" for an empty file',
            where=file.where,
        )
    path = directory / file.source
    try:
        return path.read_bytes()
    except OSError as error:
        raise unreadable(file, directory, error) from error


def check_place(path: str, *, where: Place | None) -> None:
    """Refuse paths that mean nothing in an image.

    Raises:
        InputError: it has ``..``, is below a directory that is empty in every image, or is an account file.
    """
    pure = PurePosixPath(path)
    if ".." in pure.parts:
        raise InputError(f"the path {path!r} contains '..'", hint="write the path out", where=where)
    for empty in EMPTY_IN_IMAGES:
        if pure.is_relative_to(empty):
            raise InputError(
                f"the path {path!r} is below {empty}, which is empty in every image",
                hint="choose a place that lasts, or write a tmpfiles.d file that makes it at each boot",
                where=where,
            )
    if str(pure) in ACCOUNT_FILES:
        raise InputError(
            f"the file {path!r} is kept by the image's own accounts",
            hint="use customizations.user and customizations.group",
            where=where,
        )
