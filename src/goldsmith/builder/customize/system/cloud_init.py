"""cloud-init's data sources: those of the places that images are published to, and none that must be waited for.

And the image's locale stays: unless a machine's own data say otherwise, cloud-init would set one of its choice, which
Debian 12's cannot even generate, so that its service fails.
"""

from goldsmith.builder.customize.installed import is_installed
from goldsmith.effects.root import Root

PATH = "/etc/cloud/cloud.cfg.d/90_goldsmith.cfg"
"""Sorts after ``90_dpkg.cfg``, which Debian's debconf writes."""
SOURCES = ("NoCloud", "ConfigDrive", "OpenStack", "Ec2", "Azure", "GCE", "None")


def apply(tree: Root) -> None:
    """Name the data sources where cloud-init is installed."""
    if not is_installed(tree, "cloud-init"):
        return
    tree.mkdir("/etc/cloud/cloud.cfg.d", parents=True)
    text = f"# Written by goldsmith.\ndatasource_list: [{', '.join(SOURCES)}]\nlocale: false\n"
    tree.write(PATH, text.encode())
