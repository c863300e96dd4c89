"""Settings of the SSH server, in a drop-in that is read before all others."""

from goldsmith.builder.customize.installed import is_installed
from goldsmith.effects.root import Root
from goldsmith.errors import InputError
from goldsmith.model.recipe import Sshd

PATH = "/etc/ssh/sshd_config.d/10-goldsmith.conf"
"""In sshd the first value counts; cloud-init writes ``50-cloud-init.conf``."""


def apply(tree: Root, sshd: Sshd) -> None:
    """Write the drop-in.

    Raises:
        InputError: openssh-server is not installed.
    """
    if not is_installed(tree, "openssh-server"):
        raise InputError(
            "the recipe sets the SSH server, but openssh-server is not installed in the image",
            hint="add openssh-server to packages",
            where=sshd.where,
        )
    tree.mkdir("/etc/ssh/sshd_config.d", parents=True)
    tree.write(PATH, render(sshd).encode())


def render(sshd: Sshd) -> str:
    """The drop-in's text."""
    settings = {
        "PasswordAuthentication": _word(sshd.password_authentication),
        "KbdInteractiveAuthentication": _word(sshd.kbd_interactive_authentication),
        "PermitRootLogin": sshd.permit_root_login,
        "ClientAliveInterval": None
        if sshd.client_alive_interval is None
        else str(sshd.client_alive_interval),
    }
    lines = [f"{name} {value}\n" for name, value in settings.items() if value is not None]
    return "# Written by goldsmith from the recipe.\n" + "".join(lines)


def _word(value: bool | None) -> str | None:
    return None if value is None else "yes" if value else "no"
