"""Directories that the recipe asks for."""

from collections.abc import Sequence
from pathlib import PurePosixPath

from goldsmith.builder.customize.files import check_place
from goldsmith.builder.customize.owners import owner_numbers
from goldsmith.effects.root import Root
from goldsmith.errors import InputError
from goldsmith.model.recipe import Directory


def apply(tree: Root, directories: Sequence[Directory]) -> None:
    """Make the directories; one that exists gets the mode and owner of the recipe.

    Raises:
        InputError: the parent is missing, an owner does not exist, or a file is in the way.
    """
    for directory in directories:
        path = directory.path.rstrip("/") or "/"
        check_place(path, where=directory.where)
        uid, gid = owner_numbers(tree, path, directory.user, directory.group, where=directory.where)
        parent = str(PurePosixPath(path).parent)
        if not tree.is_dir(parent) and not directory.ensure_parents:
            raise InputError(
                f"the parent {parent!r} of directory {path!r} does not exist in the image",
                hint="say ensure_parents: true, or list the parent before it",
                where=directory.where,
            )
        if tree.lexists(path) and not tree.is_dir(path):
            raise InputError(
                f"the directory {path!r} cannot be made: a file of that name is in the image",
                hint="choose another path, or remove the file first",
                where=directory.where,
            )
        try:
            tree.mkdir(path, parents=True)
        except (NotADirectoryError, FileExistsError) as error:
            raise InputError(
                f"the directory {path!r} cannot be made: a part of its path is a file",
                hint="choose another path",
                where=directory.where,
            ) from error
        tree.chown(path, uid, gid)
        tree.chmod(path, directory.mode)
