"""The first boot of a machine: nobody is asked anything, and units keep the state that the image gives them.

A machine-id of ``uninitialized`` makes systemd ask for locale, time zone and root password on the console, for
ever, and enable every unit that presets name, which on Debian means nearly all.
"""

from goldsmith.builder.customize.run_in_tree import RunInTree
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
PRESETS = "/etc/systemd/system-preset/00-goldsmith.preset"


def silence_wizard(tree: Root) -> None:
    """Let systemd's first boot wizard apply what it was given, without questions."""
    if tree.exists(WIZARD):
        tree.mkdir(WIZARD_DROP_IN.rsplit("/", 1)[0], parents=True)
        tree.write(WIZARD_DROP_IN, WIZARD_TEXT.encode())


def keep_unit_states(tree: Root, *, run: RunInTree) -> None:
    """Write presets by which the first boot enables nothing that is disabled now.

    To be called when nothing will enable or disable units any more. Only units that exist are named: a package
    that is installed on the machine later is enabled as usual.
    """
    if not tree.exists("/usr/bin/systemctl"):
        return
    tree.remove(PRESETS)
    listed = run(["systemctl", "list-unit-files", "--no-legend", "--no-pager", "--state=disabled"]).text
    text = render_presets(listed)
    if text:
        tree.mkdir(PRESETS.rsplit("/", 1)[0], parents=True)
        tree.write(PRESETS, text.encode())


def render_presets(listed: str) -> str:
    """The preset file for what ``systemctl list-unit-files`` printed: unit, state, preset; empty if not needed."""
    rows = [line.split() for line in listed.splitlines()]
    units = sorted(row[0] for row in rows if row[1:] == ["disabled", "enabled"])
    if not units:
        return ""
    lines = "".join(f"disable {unit}\n" for unit in units)
    return f"# Written by goldsmith: what the image has disabled stays so on the first boot.\n{lines}"
