"""DHCP by systemd-networkd on every wired interface, where nothing else configures the network."""

import stat
from collections.abc import Set as AbstractSet

from goldsmith.builder.customize.installed import installed_packages
from goldsmith.builder.customize.run_in_tree import RunInTree
from goldsmith.effects.root import Root

CONFIGURATORS = frozenset(
    {"ifupdown", "ifupdown2", "ifupdown-ng", "network-manager", "netplan.io", "connman", "dhcpcd", "wicked"}
)
"""Packages that configure the network by themselves."""
RESOLVERS = frozenset({"systemd-resolved", "resolvconf", "openresolv"})
"""Packages that take name servers from systemd-networkd."""
UNIT = "systemd-networkd.service"
UNIT_FILE = f"/usr/lib/systemd/system/{UNIT}"
PATH = "/etc/systemd/network/80-goldsmith.network"
TEXT = """\
# Written by goldsmith: DHCP on every wired interface that no other file matches before this one.
[Match]
Type=ether
Kind=!*

[Network]
DHCP=yes
"""
RESOLV_CONF = "/etc/resolv.conf"
STUB = "../run/systemd/resolve/stub-resolv.conf"


def wanted_packages(packages: AbstractSet[str]) -> frozenset[str]:
    """What the lock should add, so that a machine of these packages can resolve names."""
    if "systemd" not in packages or packages & (CONFIGURATORS | RESOLVERS):
        return frozenset()
    return frozenset({"systemd-resolved"})


def apply(tree: Root, *, run: RunInTree) -> tuple[str, ...]:
    """Set up systemd-networkd; cloud-init, where it is installed, writes the interfaces' settings itself.

    Returns:
        Warnings: a machine that gets an address but cannot resolve names.
    """
    packages = installed_packages(tree)
    if "systemd-resolved" in packages and not _is_link(tree, RESOLV_CONF):
        tree.symlink(RESOLV_CONF, STUB, force=True)
    if packages & CONFIGURATORS or not tree.is_file(UNIT_FILE):
        return ()
    if "cloud-init" not in packages:
        tree.mkdir("/etc/systemd/network", parents=True)
        tree.write(PATH, TEXT.encode())
    run(["systemctl", "enable", UNIT])
    if packages & RESOLVERS:
        return ()
    return (
        "machines get their address from systemd-networkd, but nothing takes its name servers: add systemd-resolved to packages",
    )


def _is_link(tree: Root, path: str) -> bool:
    return tree.lexists(path) and stat.S_ISLNK(tree.lstat(path).st_mode)
