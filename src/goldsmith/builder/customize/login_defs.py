"""``/etc/login.defs``: the numbers and modes that new accounts get; Debian's own where the file is silent."""

from dataclasses import dataclass

from goldsmith.effects.root import Root

PATH = "/etc/login.defs"


@dataclass(frozen=True, slots=True)
class LoginDefs:
    """What ``useradd`` and ``groupadd`` take from ``login.defs``."""

    uid_min: int = 1000
    """The first number of an ordinary user."""
    uid_max: int = 60_000
    """The last number of an ordinary user."""
    gid_min: int = 1000
    """The first number of an ordinary group."""
    gid_max: int = 60_000
    """The last number of an ordinary group."""
    sub_uid_min: int = 100_000
    """The first subordinate user id."""
    sub_uid_count: int = 65_536
    """How many subordinate user ids a user gets."""
    sub_gid_min: int = 100_000
    """The first subordinate group id."""
    sub_gid_count: int = 65_536
    """How many subordinate group ids a user gets."""
    pass_min_days: int = 0
    """Days before a password may be changed again; -1 means no rule."""
    pass_max_days: int = 99_999
    """Days after which a password must be changed; -1 means no rule."""
    pass_warn_age: int = 7
    """Days of warning before that; -1 means none."""
    home_mode: int = 0o700
    """The permission bits of a new home directory."""


def parse_login_defs(text: str) -> LoginDefs:
    """The settings of a ``login.defs``; numbers are C's (``022`` is octal), what is no number is left out."""
    values: dict[str, int] = {}
    for line in text.splitlines():
        match line.split("#", 1)[0].split():
            case [word, value]:
                name, number = word.lower(), value.strip('"')
            case _:
                continue
        if name in LoginDefs.__dataclass_fields__:
            try:
                octal = len(number) > 1 and number.startswith("0") and number.isdigit()
                values[name] = int(number, 8 if octal else 0)
            except ValueError:
                continue
    return LoginDefs(**values)


def read_login_defs(tree: Root) -> LoginDefs:
    """The tree's settings."""
    return parse_login_defs(tree.read_text(PATH)) if tree.is_file(PATH) else LoginDefs()
