"""Copy files out of a build stage into the image."""

import os
import stat
from pathlib import PurePosixPath

from goldsmith.effects.root import Root
from goldsmith.errors import InputError
from goldsmith.model.recipe import CopyFrom


def copy_out(source: Root, tree: Root, wanted: CopyFrom) -> None:
    """Copy ``wanted.source`` of the stage, with all below it, to its destination: contents, modes, owners and links.

    Missing parents are made. A directory that exists is added to.

    Raises:
        InputError: the stage has no such path, or holds what cannot be copied.
    """
    if not source.lexists(wanted.source):
        parent = str(PurePosixPath(wanted.source).parent)
        there = ", ".join(source.listdir(parent)[:8]) if source.is_dir(parent) else ""
        raise InputError(
            f"the stage {wanted.stage!r} has no {wanted.source!r}",
            hint=f"{parent} has: {there}"
            if there
            else f"it has no {parent} either; do its components make it?",
            where=wanted.where,
        )
    destination = wanted.destination or wanted.source
    tree.mkdir(str(PurePosixPath(destination).parent), parents=True)
    inside = source.walk(wanted.source) if stat.S_ISDIR(source.lstat(wanted.source).st_mode) else []
    for path in [wanted.source, *(path for path, _ in inside)]:
        if not copy_one(source, tree, path, destination + path.removeprefix(wanted.source)):
            raise InputError(
                f"{path!r} of the stage {wanted.stage!r} is neither a file, a directory nor a link",
                hint="copy the files around it one by one",
                where=wanted.where,
            )


def copy_one(source: Root, tree: Root, old: str, new: str) -> bool:
    """Copy one path of a tree to another: content, mode, owner and link; of a directory nothing that is in it.

    Returns:
        Whether it is of a kind that can be copied.
    """
    facts = source.lstat(old)
    if stat.S_ISDIR(facts.st_mode):
        tree.mkdir(new, mode=stat.S_IMODE(facts.st_mode), uid=facts.st_uid, gid=facts.st_gid)
    elif stat.S_ISLNK(facts.st_mode):
        tree.symlink(new, source.readlink(old), force=True)
    elif stat.S_ISREG(facts.st_mode):
        tree.remove(new)
        mode = stat.S_IMODE(facts.st_mode)
        tree.write(new, source.read(old), mode=mode, uid=facts.st_uid, gid=facts.st_gid)
        with source.opened(old, os.O_RDONLY) as before, tree.opened(new, os.O_RDONLY) as after:
            for name in os.listxattr(before):
                if name == "security.capability":
                    os.setxattr(after, name, os.getxattr(before, name))
    else:
        return False
    return True
