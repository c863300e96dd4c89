"""The console keyboard: console-setup's file where it is installed, else kbd's key maps by systemd."""

from collections.abc import Iterator

from goldsmith.builder.customize.installed import installed_packages
from goldsmith.builder.customize.nearest import did_you_mean
from goldsmith.effects.root import Root
from goldsmith.errors import InputError, Place

SETTINGS = "/etc/default/keyboard"
LAYOUTS = "/usr/share/X11/xkb/rules/base.lst"
CACHES = "/etc/console-setup"
VCONSOLE = "/etc/vconsole.conf"
VCONSOLE_PROGRAM = "/usr/lib/systemd/systemd-vconsole-setup"
KEYMAPS = ("/usr/share/keymaps", "/usr/share/kbd/keymaps")


def apply(tree: Root, layout: str, *, where: Place | None) -> None:
    """Set the layout.

    Raises:
        InputError: nothing in the tree can use it, or the layout is unknown there.
    """
    packages = installed_packages(tree)
    if {"console-setup", "keyboard-configuration"} <= packages:
        _check(layout, xkb_layouts(tree.read_text(LAYOUTS)) if tree.is_file(LAYOUTS) else (), where=where)
        old = tree.read_text(SETTINGS) if tree.is_file(SETTINGS) else ""
        tree.write(SETTINGS, with_layout(old, layout).encode(errors="surrogateescape"))
        _forget_caches(tree)
    elif "kbd" in packages and tree.exists(VCONSOLE_PROGRAM):
        _check(layout, tuple(keymaps(tree)), where=where)
        tree.remove(VCONSOLE)
        tree.write(VCONSOLE, f"KEYMAP={layout}\n".encode())
    else:
        raise InputError(
            f"the keyboard {layout!r} needs console-setup, which is not installed in the image",
            hint="add console-setup and keyboard-configuration to packages",
            where=where,
        )


def _check(layout: str, known: tuple[str, ...], *, where: Place | None) -> None:
    if known and layout not in known:
        raise InputError(
            f"the keyboard layout {layout!r} is not in the image",
            hint=did_you_mean(layout, known, "layouts are short, as in de, fr or us"),
            where=where,
        )


def _forget_caches(tree: Root) -> None:
    """At boot, what ``setupcon`` cached at installation would win over the new layout."""
    if tree.is_dir(CACHES):
        for name in tree.listdir(CACHES):
            if name.startswith("cached_"):
                tree.remove(f"{CACHES}/{name}")


def xkb_layouts(text: str) -> tuple[str, ...]:
    """The layouts of an xkb rules list."""
    _, _, rest = text.partition("! layout\n")
    section, _, _ = rest.partition("\n!")
    return tuple(line.split()[0] for line in section.splitlines() if line.strip())


def with_layout(text: str, layout: str) -> str:
    """A ``keyboard`` text with this layout and no variant; other settings stay."""
    settings = {"XKBLAYOUT": f'"{layout}"', "XKBVARIANT": '""'}
    lines = []
    for line in text.splitlines():
        name = line.split("=", 1)[0].strip()
        lines.append(f"{name}={settings.pop(name)}" if name in settings else line)
    if not text:
        settings = {"XKBMODEL": '"pc105"', **settings, "XKBOPTIONS": '""', "BACKSPACE": '"guess"'}
    return "\n".join([*lines, *(f"{name}={value}" for name, value in settings.items())]) + "\n"


def keymaps(tree: Root) -> Iterator[str]:
    """The names of kbd's key maps."""
    for top in KEYMAPS:
        if tree.is_dir(top):
            for path, _ in tree.walk(top):
                name = path.rsplit("/", 1)[1]
                if name.endswith((".kmap", ".kmap.gz", ".map", ".map.gz")):
                    yield name.removesuffix(".gz").rsplit(".", 1)[0]
