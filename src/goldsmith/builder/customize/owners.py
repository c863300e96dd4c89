"""Owners of files by name or number."""

from goldsmith.builder.customize.accounts import (
    GroupLine,
    Passwd,
    group_number,
    rows,
    user_number,
)
from goldsmith.builder.customize.nearest import did_you_mean
from goldsmith.effects.root import Root
from goldsmith.errors import InputError, Place


def owner_numbers(tree: Root, path: str, user: str, group: str, *, where: Place | None) -> tuple[int, int]:
    """The numbers of a path's owner and group.

    Raises:
        InputError: a name does not exist in the tree.
    """
    passwd, groups = tree.read_text("/etc/passwd"), tree.read_text("/etc/group")
    uid, gid = user_number(passwd, user), group_number(groups, group)
    if uid is None:
        names = [row.name for row in rows(passwd, Passwd)]
        raise InputError(
            f"the owner {user!r} of {path!r} does not exist in the image",
            hint=did_you_mean(user, names, "add the user under customizations.user, or say a number"),
            where=where,
        )
    if gid is None:
        names = [row.name for row in rows(groups, GroupLine)]
        raise InputError(
            f"the group {group!r} of {path!r} does not exist in the image",
            hint=did_you_mean(group, names, "add the group under customizations.group, or say a number"),
            where=where,
        )
    return uid, gid
