"""The home directories of a tree, wherever they are."""

import stat

from goldsmith.builder.customize.accounts import Passwd, rows
from goldsmith.builder.match import Sight, find, mode_of

NO_HOMES = frozenset(
    {"", "/", "/bin", "/sbin", "/dev", "/usr", "/usr/bin", "/usr/sbin", "/run", "/var", "/etc"}
)
"""What Debian's system accounts say for want of a home."""


def home_directories(tree: Sight) -> tuple[str, ...]:
    """The homes of all accounts, and what lies in ``/home`` without one, as far as they exist; sorted."""
    homes = {"/root"}
    if stat.S_ISREG(mode_of(tree, "/etc/passwd", follow=True)):
        text = tree.read("/etc/passwd").decode(errors="surrogateescape")
        homes |= {row.home.rstrip("/") for row in rows(text, Passwd)}
    homes |= {match.path for match in find(tree, "/home/*") if match.is_directory}
    return tuple(
        sorted(
            home
            for home in homes - NO_HOMES
            if home.startswith("/") and stat.S_ISDIR(mode_of(tree, home, follow=True))
        )
    )
