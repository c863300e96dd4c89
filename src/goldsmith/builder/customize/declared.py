"""Which paths the recipe itself declares: sealing leaves them alone, for they are no leak."""

from goldsmith.builder.customize import cacerts, hostname, sshkeys, users
from goldsmith.builder.customize.accounts import Passwd, row_named
from goldsmith.effects.root import Root
from goldsmith.model.recipe import Customizations

SHADOW = "/etc/shadow"
"""Holds the hash of a password that the recipe asks for."""


def declared_paths(customizations: Customizations, tree: Root) -> frozenset[str]:
    """The paths that the customizations made in the tree, as far as sealing could take them for leftovers."""
    paths = {file.path for file in customizations.files}
    paths |= {directory.path.rstrip("/") for directory in customizations.directories}
    if customizations.hostname:
        paths |= {hostname.PATH, hostname.HOSTS}
    if customizations.cacerts:
        paths.add(cacerts.DIRECTORY)
    paths |= {users.sudoers_path(user.name) for user in customizations.user if user.sudo}
    if any(user.password for user in customizations.user):
        paths.add(SHADOW)
    passwd = tree.read_text("/etc/passwd") if tree.is_file("/etc/passwd") else ""
    keyed = [user.name for user in customizations.user if user.key]
    for name in (*keyed, *(key.user for key in customizations.sshkey)):
        row = row_named(passwd, Passwd, name)
        if row is not None:
            paths.add(sshkeys.authorized_keys_path(row.home))
    return frozenset(paths)
