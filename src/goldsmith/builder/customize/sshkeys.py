"""SSH public keys in ``authorized_keys``."""

from collections.abc import Sequence

from goldsmith.builder.customize.accounts import Passwd, row_named, rows
from goldsmith.builder.customize.nearest import did_you_mean
from goldsmith.effects.root import Root
from goldsmith.errors import InputError
from goldsmith.model.recipe import SshKey


def apply(tree: Root, keys: Sequence[SshKey]) -> None:
    """Let each key in for its user.

    Raises:
        InputError: the user does not exist in the tree.
    """
    passwd = tree.read_text("/etc/passwd")
    for key in keys:
        row = row_named(passwd, Passwd, key.user)
        if row is None:
            names = [row.name for row in rows(passwd, Passwd)]
            raise InputError(
                f"an SSH key is for user {key.user!r}, who does not exist in the image",
                hint=did_you_mean(key.user, names, "add the user under customizations.user"),
                where=key.where,
            )
        authorize(tree, row, key.key)


def authorized_keys_path(home: str) -> str:
    """The file that sshd reads for a user with that home."""
    return f"{home.rstrip('/')}/.ssh/authorized_keys"


def with_key(text: str, key: str) -> str:
    """An ``authorized_keys`` text with a key; one that is there already is not added again."""
    key = key.strip()
    if key in (line.strip() for line in text.splitlines()):
        return text
    ended = text if not text or text.endswith("\n") else text + "\n"
    return f"{ended}{key}\n"


def authorize(tree: Root, user: Passwd, key: str) -> None:
    """Add a key to a user's ``authorized_keys``; ``.ssh`` and the file are the user's alone."""
    uid, gid = int(user.uid), int(user.gid)
    path = authorized_keys_path(user.home)
    tree.mkdir(path.rsplit("/", 1)[0], mode=0o700, uid=uid, gid=gid, parents=True)
    text = tree.read_text(path) if tree.is_file(path) else ""
    data = with_key(text, key).encode(errors="surrogateescape")
    tree.write(path, data, mode=0o600, uid=uid, gid=gid)
