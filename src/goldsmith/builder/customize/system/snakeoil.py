"""ssl-cert's self-signed key is made on the machine: sealing removes the one made while building."""

from goldsmith.builder.customize.installed import installed_packages
from goldsmith.effects.root import Root

NAME = "goldsmith-snakeoil.service"
TEXT = """\
# Written by goldsmith.
[Unit]
Description=Make this machine's own self-signed certificate
ConditionPathExists=!/etc/ssl/private/ssl-cert-snakeoil.key
DefaultDependencies=no
Requires=local-fs.target
After=local-fs.target systemd-remount-fs.service systemd-tmpfiles-setup.service systemd-random-seed.service
Before=sysinit.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/make-ssl-cert generate-default-snakeoil

[Install]
WantedBy=sysinit.target
"""


def apply(tree: Root) -> None:
    """Add a unit that makes the key before any service starts, where ssl-cert is installed."""
    if "ssl-cert" not in installed_packages(tree):
        return
    wants = "/etc/systemd/system/sysinit.target.wants"
    tree.mkdir(wants, parents=True)
    tree.write(f"/etc/systemd/system/{NAME}", TEXT.encode())
    tree.symlink(f"{wants}/{NAME}", f"../{NAME}", force=True)
