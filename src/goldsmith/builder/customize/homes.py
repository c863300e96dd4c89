"""Home directories from ``/etc/skel``."""

import stat
from pathlib import PurePosixPath

from goldsmith.effects.root import Root
from goldsmith.errors import InputError, Place

SKELETON = "/etc/skel"


def make_home(tree: Root, home: str, uid: int, gid: int, mode: int, *, where: Place | None = None) -> None:
    """Make a home directory with a copy of ``/etc/skel``; one that exists stays as it is.

    Raises:
        InputError: something that is no directory is in the way.
    """
    if tree.is_dir(home):
        return
    if tree.lexists(home):
        raise InputError(
            f"the home directory {home!r} cannot be made: a file of that name is in the image",
            hint="choose another home",
            where=where,
        )
    parent = str(PurePosixPath(home).parent)
    tree.mkdir(parent, parents=True)
    tree.mkdir(home, mode=mode, uid=uid, gid=gid)
    if tree.is_dir(SKELETON):
        _copy(tree, SKELETON, home.rstrip("/"), uid, gid)


def _copy(tree: Root, source: str, destination: str, uid: int, gid: int) -> None:
    for path, facts in tree.walk(source):
        target = destination + path[len(source) :]
        mode = stat.S_IMODE(facts.st_mode)
        if stat.S_ISDIR(facts.st_mode):
            tree.mkdir(target, mode=mode, uid=uid, gid=gid)
        elif stat.S_ISLNK(facts.st_mode):
            tree.symlink(target, tree.readlink(path))
        elif stat.S_ISREG(facts.st_mode):
            tree.write(target, tree.read(path), mode=mode, uid=uid, gid=gid)
