"""The first boot of a machine: nobody is asked anything, and units keep the state that the image gives them.

A machine-id of ``uninitialized`` makes systemd ask for locale, time zone and root password on the console, for
ever, and enable every unit that presets name, which on Debian means nearly all.
"""

import stat
from collections.abc import Set as AbstractSet

from goldsmith.builder.customize.services import SUFFIXES, UNIT_DIRECTORIES
from goldsmith.builder.match import find
from goldsmith.effects.root import Root

WIZARD = "/usr/lib/systemd/system/systemd-firstboot.service"
WIZARD_DROP_IN = "/etc/systemd/system/systemd-firstboot.service.d/50-goldsmith.conf"
WIZARD_TEXT = """\
# Written by goldsmith: credentials are applied, but nobody is asked.
[Service]
ExecStart=
ExecStart=/usr/bin/systemd-firstboot
StandardInput=null
StandardOutput=journal
StandardError=journal
"""
LINKS = "/etc/systemd/system"
PRESETS = "/etc/systemd/system-preset/00-goldsmith.preset"


def silence_wizard(tree: Root) -> None:
    """Let systemd's first boot wizard apply what it was given, without questions."""
    if tree.exists(WIZARD):
        tree.mkdir(WIZARD_DROP_IN.rsplit("/", 1)[0], parents=True)
        tree.write(WIZARD_DROP_IN, WIZARD_TEXT.encode())


def keep_unit_states(tree: Root) -> None:
    """Write presets by which the first boot enables nothing that is disabled now.

    To be called when nothing will enable or disable units any more. Only units that exist are named: a package
    that is installed on the machine later is enabled as usual.
    """
    tree.remove(PRESETS)
    text = render_presets(disabled_units(tree))
    if text:
        tree.mkdir(PRESETS.rsplit("/", 1)[0], parents=True)
        tree.write(PRESETS, text.encode())


def disabled_units(tree: Root) -> frozenset[str]:
    """The units that can be enabled, and to which no link in ``/etc/systemd/system`` leads."""
    linked: set[str] = set()
    for match in find(tree, f"{LINKS}/**"):
        if not match.is_directory and stat.S_ISLNK(tree.lstat(match.path).st_mode):
            linked |= {match.path.rsplit("/", 1)[1], tree.readlink(match.path).rsplit("/", 1)[-1]}
    units = set()
    for directory in UNIT_DIRECTORIES:
        for match in find(tree, f"{directory}/*.*"):
            name = match.path.rsplit("/", 1)[1]
            regular = stat.S_ISREG(tree.lstat(match.path).st_mode)
            if (
                regular
                and name.endswith(SUFFIXES)
                and name not in linked
                and can_be_enabled(tree.read_text(match.path))
            ):
                units.add(name)
    return frozenset(units)


def can_be_enabled(unit: str) -> bool:
    """Whether a unit file's text has an ``[Install]`` section with a line in it."""
    _, _, section = f"\n{unit}".partition("\n[Install]")
    return any("=" in line and not line.startswith(("#", ";")) for line in section.splitlines())


def render_presets(units: AbstractSet[str]) -> str:
    """The preset file that leaves these units disabled; empty if there is none."""
    if not units:
        return ""
    lines = "".join(f"disable {unit}\n" for unit in sorted(units))
    return f"# Written by goldsmith: what the image has disabled stays so on the first boot.\n{lines}"
