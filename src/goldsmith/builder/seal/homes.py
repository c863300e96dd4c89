"""The home directories of a tree, wherever they are."""

from goldsmith.builder.customize.accounts import Passwd, rows
from goldsmith.builder.match import find
from goldsmith.effects.root import Root

NO_HOMES = frozenset(
    {"", "/", "/bin", "/sbin", "/dev", "/usr", "/usr/bin", "/usr/sbin", "/run", "/var", "/etc"}
)
"""What Debian's system accounts say for want of a home."""


def home_directories(tree: Root) -> tuple[str, ...]:
    """The homes of all accounts, and what lies in ``/home`` without one, as far as they exist; sorted."""
    homes = {"/root"}
    if tree.is_file("/etc/passwd"):
        homes |= {row.home.rstrip("/") for row in rows(tree.read_text("/etc/passwd"), Passwd)}
    homes |= {match.path for match in find(tree, "/home/*") if match.is_directory}
    return tuple(sorted(home for home in homes - NO_HOMES if home.startswith("/") and tree.is_dir(home)))
