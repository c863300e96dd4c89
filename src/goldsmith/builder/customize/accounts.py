"""The account files as texts: passwd, shadow, group, gshadow, subuid and subgid.

Every change is a pure function from text to text. Lines that are not understood (``+::::::`` of NIS, comments)
stay where they are, byte by byte.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from goldsmith.effects.root import Root


class Passwd(NamedTuple):
    """A line of ``/etc/passwd``."""

    name: str
    password: str
    uid: str
    gid: str
    gecos: str
    home: str
    shell: str


class Shadow(NamedTuple):
    """A line of ``/etc/shadow``; numbers are days, empty where there is no rule."""

    name: str
    password: str
    changed: str
    minimum: str
    maximum: str
    warn: str
    inactive: str
    expire: str
    reserved: str


class GroupLine(NamedTuple):
    """A line of ``/etc/group``; members are separated by commas."""

    name: str
    password: str
    gid: str
    members: str


class Gshadow(NamedTuple):
    """A line of ``/etc/gshadow``."""

    name: str
    password: str
    administrators: str
    members: str


Row = TypeVar("Row", Passwd, Shadow, GroupLine, Gshadow)


@dataclass(frozen=True, slots=True)
class Accounts:
    """The texts of the account files; None where a tree has no such file."""

    passwd: str
    """``/etc/passwd``."""
    group: str
    """``/etc/group``."""
    shadow: str
    """``/etc/shadow``."""
    gshadow: str | None = None
    """``/etc/gshadow``."""
    subuid: str | None = None
    """``/etc/subuid``."""
    subgid: str | None = None
    """``/etc/subgid``."""


def rows(text: str, kind: type[Row]) -> tuple[Row, ...]:
    """The lines that are of this kind, in order."""
    split = (line.split(":") for line in text.splitlines())
    return tuple(kind(*fields) for fields in split if len(fields) == len(kind._fields) and fields[0])


def row_named(text: str, kind: type[Row], name: str) -> Row | None:
    """The first line of that name."""
    return next((row for row in rows(text, kind) if row.name == name), None)


def with_row(text: str, row: Passwd | Shadow | GroupLine | Gshadow) -> str:
    """The text with the line of that name replaced, or with a new line at the end."""
    lines = text.splitlines()
    rendered = ":".join(row)
    for number, line in enumerate(lines):
        if line.split(":", 1)[0] == row.name:
            lines[number] = rendered
            break
    else:
        lines.append(rendered)
    return "\n".join(lines) + "\n"


def with_member(members: str, name: str) -> str:
    """A list of members with one more."""
    names = [member for member in members.split(",") if member]
    return ",".join(names if name in names else [*names, name])


def next_id(used: Iterable[int], first: int, last: int, preferred: int | None = None) -> int | None:
    """The number that ``useradd`` would choose.

    Args:
        used: numbers that are taken.
        first: the least number allowed.
        last: the greatest.
        preferred: taken if it is allowed and free.

    Returns:
        One more than the highest in use; where that is past ``last``, the lowest free; None where none is free.
    """
    taken = {number for number in used if first <= number <= last}
    if preferred is not None and first <= preferred <= last and preferred not in taken:
        return preferred
    highest = max(taken, default=first - 1) + 1
    if highest <= last:
        return highest
    return next((number for number in range(first, last + 1) if number not in taken), None)


def with_subordinate_ids(text: str, name: str, first: int, count: int) -> str:
    """A subuid or subgid text with a range for ``name``: the lowest that is free; one that exists stays."""
    ranges = []
    for line in text.splitlines():
        owner, _, numbers = line.partition(":")
        start, _, length = numbers.partition(":")
        if owner == name:
            return text
        if start.isdigit() and length.isdigit():
            ranges.append((int(start), int(start) + int(length)))
    low = first
    for taken, end in sorted(ranges):
        if taken - low >= count:
            break
        low = max(low, end)
    return f"{text}{name}:{low}:{count}\n"


def uids_in_use(passwd: str) -> frozenset[int]:
    """The numbers of all users of a passwd text."""
    return frozenset(int(row.uid) for row in rows(passwd, Passwd) if row.uid.isdigit())


def gids_in_use(group: str) -> frozenset[int]:
    """The numbers of all groups of a group text."""
    return frozenset(int(row.gid) for row in rows(group, GroupLine) if row.gid.isdigit())


def user_number(passwd: str, user: str) -> int | None:
    """The number of a user given by name or number; None for a name that does not exist."""
    if user.isdigit():
        return int(user)
    row = row_named(passwd, Passwd, user)
    return int(row.uid) if row and row.uid.isdigit() else None


def group_number(group: str, name: str) -> int | None:
    """The number of a group given by name or number; None for a name that does not exist."""
    if name.isdigit():
        return int(name)
    row = row_named(group, GroupLine, name)
    return int(row.gid) if row and row.gid.isdigit() else None


def read_accounts(tree: Root) -> Accounts:
    """The account files of a tree."""

    def text(path: str) -> str | None:
        return tree.read_text(path) if tree.is_file(path) else None

    return Accounts(
        passwd=text("/etc/passwd") or "",
        group=text("/etc/group") or "",
        shadow=text("/etc/shadow") or "",
        gshadow=text("/etc/gshadow"),
        subuid=text("/etc/subuid"),
        subgid=text("/etc/subgid"),
    )


def write_accounts(tree: Root, old: Accounts, new: Accounts) -> None:
    """Write the files that changed; a shadow file that is new can be read by root and group ``shadow`` only."""
    shadow_group = group_number(new.group, "shadow") or 0
    for name in Accounts.__dataclass_fields__:
        before, after = getattr(old, name), getattr(new, name)
        if after is None or after == before:
            continue
        path = f"/etc/{name}"
        data = after.encode(errors="surrogateescape")
        if name in {"shadow", "gshadow"} and not tree.exists(path):
            tree.write(path, data, mode=0o640, uid=0, gid=shadow_group)
        else:
            tree.write(path, data)


DAY = 24 * 60 * 60


def clamped_days(shadow: str, day: int) -> str:
    """A shadow text in which no password was changed after ``day`` (days since 1970)."""
    text = shadow
    for row in rows(shadow, Shadow):
        if row.changed.isdigit() and int(row.changed) > day:
            text = with_row(text, row._replace(changed=str(day)))
    return text


def clamp_password_days(tree: Root, epoch: int) -> None:
    """Programs that make accounts write the day of the build; older ones cannot be told another."""
    if not tree.is_file("/etc/shadow"):
        return
    old = tree.read_text("/etc/shadow")
    new = clamped_days(old, epoch // DAY)
    if new != old:
        tree.write("/etc/shadow", new.encode(errors="surrogateescape"))
