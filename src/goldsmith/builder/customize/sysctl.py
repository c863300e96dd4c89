"""Kernel parameters, in a drop-in of their own."""

import re
from collections.abc import Mapping

from goldsmith.effects.root import Root
from goldsmith.errors import InputError

PATH = "/etc/sysctl.d/99-goldsmith.conf"
KEY = re.compile(r"-?[A-Za-z0-9_*-]+([./][A-Za-z0-9_*:@-]+)+")


def apply(tree: Root, parameters: Mapping[str, str]) -> None:
    """Write the drop-in.

    Raises:
        InputError: a key or a value is malformed.
    """
    text = render(parameters)
    tree.mkdir("/etc/sysctl.d", parents=True)
    tree.write(PATH, text.encode())


def render(parameters: Mapping[str, str]) -> str:
    """The drop-in's text, sorted by key: the order in a recipe's map means nothing."""
    lines = ["# Written by goldsmith from the recipe."]
    for key, value in sorted(parameters.items()):
        if not KEY.fullmatch(key):
            raise InputError(
                f"the sysctl key {key!r} is malformed",
                hint="a key is words with dots between, as in net.ipv4.ip_forward",
            )
        if "\n" in value or not value.strip():
            raise InputError(
                f"the value {value!r} of sysctl key {key!r} is not one line of text",
                hint="give the value that the kernel shall have",
            )
        lines.append(f"{key} = {value.strip()}")
    return "\n".join(lines) + "\n"
