"""What every image gets, whatever its recipe says."""

from collections.abc import Mapping

from goldsmith.builder.customize.run_in_tree import RunInTree
from goldsmith.builder.customize.system import (
    apt_sources,
    cloud_init,
    first_boot,
    host_keys,
    hosts,
    image_id,
    network,
    snakeoil,
)
from goldsmith.effects.root import Root


def apply_system(
    tree: Root, *, name: str, version: str, sources: Mapping[str, bytes], run: RunInTree
) -> tuple[str, ...]:
    """Set up what every image needs; to be done before customizations, so that a recipe has the last word.

    ``first_boot.keep_unit_states`` comes at the very end, after components; the machine-id is the seal's matter, and
    a host name that nobody asks for is none: systemd then takes the one that DHCP or the cloud gives.

    Args:
        tree: packages are installed and configured in it.
        name: the image's name.
        version: the image's version.
        sources: apt sources and keys for machines: paths below ``/etc/apt``, and contents.
        run: runs a program of the tree.

    Returns:
        Warnings for the person who builds.
    """
    image_id.apply(tree, name, version)
    hosts.apply(tree)
    apt_sources.apply(tree, sources)
    cloud_init.apply(tree)
    host_keys.apply(tree)
    snakeoil.apply(tree)
    first_boot.silence_wizard(tree)
    return network.apply(tree, run=run)
