"""SSH host keys are made on the machine: sealing removes those that the package made while building."""

from goldsmith.builder.customize.installed import installed_packages
from goldsmith.effects.root import Root

NAME = "goldsmith-ssh-host-keys.service"
DEBIANS_OWN = "/usr/lib/systemd/system/sshd-keygen.service"
TEXT = """\
# Written by goldsmith.
[Unit]
Description=Make this machine's SSH host keys
ConditionPathExistsGlob=!/etc/ssh/ssh_host_*_key
Before=ssh.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/ssh-keygen -A

[Install]
WantedBy=ssh.service
"""


def apply(tree: Root) -> None:
    """Add a unit that makes missing keys, where neither cloud-init nor Debian's own unit (trixie) does it."""
    packages = installed_packages(tree)
    if "openssh-server" not in packages or "cloud-init" in packages or tree.exists(DEBIANS_OWN):
        return
    wants = "/etc/systemd/system/ssh.service.wants"
    tree.mkdir(wants, parents=True)
    tree.write(f"/etc/systemd/system/{NAME}", TEXT.encode())
    tree.symlink(f"{wants}/{NAME}", f"../{NAME}", force=True)
