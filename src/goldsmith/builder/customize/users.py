"""User accounts, as ``useradd -m`` makes them, without starting it: same lines, fixed salts, fixed days."""

from collections.abc import Sequence
from dataclasses import replace

from goldsmith.builder.customize import homes, sshkeys
from goldsmith.builder.customize.accounts import (
    Accounts,
    GroupLine,
    Gshadow,
    Passwd,
    Shadow,
    next_id,
    read_accounts,
    row_named,
    rows,
    uids_in_use,
    with_member,
    with_row,
    with_subordinate_ids,
    write_accounts,
)
from goldsmith.builder.customize.groups import with_group
from goldsmith.builder.customize.installed import is_installed
from goldsmith.builder.customize.login_defs import LoginDefs, read_login_defs
from goldsmith.builder.customize.nearest import did_you_mean
from goldsmith.builder.customize.sha512_crypt import derived_salt, is_hashed, sha512_crypt
from goldsmith.effects.root import Root
from goldsmith.errors import InputError
from goldsmith.model.recipe import User

DAY = 86_400


def apply(tree: Root, users: Sequence[User], *, seed: str, epoch: int) -> None:
    """Add or change the recipe's users, and make their homes.

    Args:
        tree: the tree.
        users: in the recipe's order.
        seed: what salts are derived from; the plan's, so that equal plans have equal hashes.
        epoch: the build's time in seconds; its day is when passwords were last changed.
    """
    old = read_accounts(tree)
    new = old
    defs = read_login_defs(tree)
    for user in sorted(users, key=lambda user: user.uid is None):
        _check_programs(tree, user)
        new = with_user(new, user, defs, seed=seed, day=epoch // DAY)
    write_accounts(tree, old, new)
    for user in users:
        row = row_named(new.passwd, Passwd, user.name)
        assert row is not None
        homes.make_home(tree, row.home, int(row.uid), int(row.gid), defs.home_mode, where=user.where)
        if user.key:
            sshkeys.authorize(tree, row, user.key)
        if user.sudo:
            rule = f"{user.name} ALL=(ALL:ALL) NOPASSWD: ALL\n"
            tree.write(sudoers_path(user.name), rule.encode(), mode=0o440, uid=0, gid=0)


def sudoers_path(name: str) -> str:
    """The file that lets a user do everything by sudo."""
    return f"/etc/sudoers.d/90-goldsmith-{name}"


def _check_programs(tree: Root, user: User) -> None:
    if user.shell and not tree.is_file(user.shell):
        raise InputError(
            f"the shell {user.shell!r} of user {user.name!r} is not in the image",
            hint="add its package to packages, or choose /bin/bash",
            where=user.where,
        )
    if user.sudo and not is_installed(tree, "sudo"):
        raise InputError(
            f"user {user.name!r} has sudo: true, but sudo is not installed in the image",
            hint="add sudo to packages",
            where=user.where,
        )


def with_user(accounts: Accounts, user: User, defs: LoginDefs, *, seed: str, day: int) -> Accounts:
    """The account files with one user added or changed.

    Args:
        accounts: the files before.
        user: what the recipe says.
        defs: ranges and rules of ``login.defs``.
        seed: what the salt of a plain password is derived from.
        day: days since 1970, for the shadow file.

    Raises:
        InputError: a number is taken or differs from what is there, or a group does not exist.
    """
    known = row_named(accounts.passwd, Passwd, user.name)
    accounts = _changed(accounts, user, known) if known else _added(accounts, user, defs, day)
    accounts = _with_secrets(accounts, user, seed=seed, day=day)
    for group in user.groups:
        accounts = _with_membership(accounts, user, group)
    return accounts


def _added(accounts: Accounts, user: User, defs: LoginDefs, day: int) -> Accounts:
    used = uids_in_use(accounts.passwd)
    if user.uid is not None and user.uid in used:
        owner = next(row.name for row in rows(accounts.passwd, Passwd) if row.uid == str(user.uid))
        raise InputError(
            f"uid {user.uid} of user {user.name!r} is taken by user {owner!r}",
            hint="leave out the uid, or choose one that is free",
            where=user.where,
        )
    uid = user.uid if user.uid is not None else next_id(used, defs.uid_min, defs.uid_max)
    if uid is None:
        raise InputError(
            f"no uid is free for user {user.name!r} between {defs.uid_min} and {defs.uid_max}",
            hint="say a uid",
            where=user.where,
        )
    accounts, gid = _with_primary_group(accounts, user, defs, uid)
    home, shell = user.home or f"/home/{user.name}", user.shell or "/bin/bash"
    ages = _days(defs.pass_min_days), _days(defs.pass_max_days), _days(defs.pass_warn_age)
    accounts = replace(
        accounts,
        passwd=with_row(
            accounts.passwd, Passwd(user.name, "x", str(uid), gid, user.description, home, shell)
        ),
        shadow=with_row(accounts.shadow, Shadow(user.name, "!", str(day), *ages, "", "", "")),
    )
    return _with_subordinates(accounts, user, defs, uid)


def _days(age: int) -> str:
    return "" if age < 0 else str(age)


def _with_subordinates(accounts: Accounts, user: User, defs: LoginDefs, uid: int) -> Accounts:
    if not defs.uid_min <= uid <= defs.uid_max:
        return accounts

    def added(text: str | None, first: int, count: int) -> str | None:
        return None if text is None else with_subordinate_ids(text, user.name, first, count)

    return replace(
        accounts,
        subuid=added(accounts.subuid, defs.sub_uid_min, defs.sub_uid_count),
        subgid=added(accounts.subgid, defs.sub_gid_min, defs.sub_gid_count),
    )


def _with_primary_group(accounts: Accounts, user: User, defs: LoginDefs, uid: int) -> tuple[Accounts, str]:
    if user.gid is not None:
        numbered = [row for row in rows(accounts.group, GroupLine) if row.gid == str(user.gid)]
        if numbered:
            return accounts, numbered[0].gid
    accounts = with_group(accounts, user.name, user.gid, defs, preferred=uid, where=user.where)
    group = row_named(accounts.group, GroupLine, user.name)
    assert group is not None
    return accounts, group.gid


def _changed(accounts: Accounts, user: User, known: Passwd) -> Accounts:
    for what, asked, there in (("uid", user.uid, known.uid), ("gid", user.gid, known.gid)):
        if asked is not None and str(asked) != there:
            raise InputError(
                f"user {user.name!r} exists in the image with {what} {there}; the recipe says {asked}",
                hint=f"leave out the {what}, or choose another name",
                where=user.where,
            )
    row = known._replace(
        gecos=user.description or known.gecos,
        home=user.home or known.home,
        shell=user.shell or known.shell,
    )
    return replace(accounts, passwd=with_row(accounts.passwd, row))


def _with_secrets(accounts: Accounts, user: User, *, seed: str, day: int) -> Accounts:
    row = row_named(accounts.shadow, Shadow, user.name)
    if row is None:
        row = Shadow(user.name, "!", str(day), "", "", "", "", "", "")
    if user.password:
        hashed = user.password
        if not is_hashed(hashed):
            hashed = sha512_crypt(user.password, derived_salt(seed, user.name))
        row = row._replace(password=hashed, changed=str(day))
    if user.expiredate is not None:
        row = row._replace(expire=str(user.expiredate))
    if user.force_password_reset:
        row = row._replace(changed="0")
    return replace(accounts, shadow=with_row(accounts.shadow, row))


def _with_membership(accounts: Accounts, user: User, group: str) -> Accounts:
    known = row_named(accounts.group, GroupLine, group)
    if known is None:
        names = [row.name for row in rows(accounts.group, GroupLine)]
        raise InputError(
            f"user {user.name!r} shall be in group {group!r}, which does not exist in the image",
            hint=did_you_mean(
                group, names, "add it under customizations.group, or add the package that makes it"
            ),
            where=user.where,
        )
    text = with_row(accounts.group, known._replace(members=with_member(known.members, user.name)))
    gshadow = accounts.gshadow
    shadow = row_named(gshadow or "", Gshadow, group)
    if gshadow is not None and shadow is not None:
        gshadow = with_row(gshadow, shadow._replace(members=with_member(shadow.members, user.name)))
    return replace(accounts, group=text, gshadow=gshadow)
