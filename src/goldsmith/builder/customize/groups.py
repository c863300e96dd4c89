"""Groups, as ``groupadd`` makes them."""

from collections.abc import Sequence
from dataclasses import replace

from goldsmith.builder.customize.accounts import (
    Accounts,
    GroupLine,
    Gshadow,
    gids_in_use,
    next_id,
    read_accounts,
    row_named,
    rows,
    with_row,
    write_accounts,
)
from goldsmith.builder.customize.login_defs import LoginDefs, read_login_defs
from goldsmith.effects.root import Root
from goldsmith.errors import InputError, Place
from goldsmith.model.recipe import Group


def apply(tree: Root, groups: Sequence[Group]) -> None:
    """Add the recipe's groups; one that exists with the same number stays as it is."""
    old = read_accounts(tree)
    new = old
    defs = read_login_defs(tree)
    for group in in_order_of_numbers(groups):
        new = with_group(new, group.name, group.gid, defs, where=group.where)
    write_accounts(tree, old, new)


def in_order_of_numbers(groups: Sequence[Group]) -> list[Group]:
    """Those that ask for a number first, so that none of the others takes it."""
    return sorted(groups, key=lambda group: group.gid is None)


def with_group(
    accounts: Accounts,
    name: str,
    gid: int | None,
    defs: LoginDefs,
    *,
    preferred: int | None = None,
    where: Place | None = None,
) -> Accounts:
    """The account files with one more group.

    Args:
        accounts: the files before.
        name: the group's name.
        gid: its number; None for the next free one.
        defs: the ranges of numbers.
        preferred: a number to take if it is free and in the range.
        where: the place in the recipe, for errors.

    Raises:
        InputError: the number is taken, the group exists with another, or no number is free.
    """
    known = row_named(accounts.group, GroupLine, name)
    if known is not None:
        if gid is not None and known.gid != str(gid):
            raise InputError(
                f"group {name!r} exists in the image with gid {known.gid}; the recipe says {gid}",
                hint="leave out the gid, or choose another name",
                where=where,
            )
        return accounts
    used = gids_in_use(accounts.group)
    if gid is not None and gid in used:
        owner = next(row.name for row in rows(accounts.group, GroupLine) if row.gid == str(gid))
        raise InputError(
            f"gid {gid} of group {name!r} is taken by group {owner!r}",
            hint="leave out the gid, or choose one that is free",
            where=where,
        )
    number = gid if gid is not None else next_id(used, defs.gid_min, defs.gid_max, preferred)
    if number is None:
        raise InputError(
            f"no gid is free for group {name!r} between {defs.gid_min} and {defs.gid_max}",
            hint="say a gid",
            where=where,
        )
    gshadow = accounts.gshadow
    return replace(
        accounts,
        group=with_row(accounts.group, GroupLine(name, "x" if gshadow is not None else "", str(number), "")),
        gshadow=None if gshadow is None else with_row(gshadow, Gshadow(name, "!", "", "")),
    )
