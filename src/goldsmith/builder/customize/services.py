"""systemd units by their state at boot; systemctl does it offline, one call for each state."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from goldsmith.builder.customize.nearest import nearest
from goldsmith.builder.customize.run_in_tree import RunInTree
from goldsmith.effects.root import Root
from goldsmith.errors import InputError
from goldsmith.model.recipe import Services

UNIT_DIRECTORIES = (
    "/etc/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
SUFFIXES = (
    ".service", ".socket", ".device", ".mount", ".automount", ".swap",
    ".target", ".path", ".timer", ".slice", ".scope",
)  # fmt: skip
ACTIONS = (("disabled", "disable"), ("masked", "mask"), ("enabled", "enable"))
"""The recipe's words and systemctl's, in the order they are done."""


def apply(tree: Root, services: Services, *, run: RunInTree, also: Sequence[str] = ()) -> None:
    """Enable, disable and mask.

    Args:
        tree: the tree.
        services: what the recipe says.
        run: runs systemctl in the tree.
        also: units that another customization needs enabled.

    Raises:
        InputError: a unit does not exist, or two states contradict each other; no systemd is in the tree.
    """
    wanted = {
        "enabled": _unit_names((*services.enabled, *also)),
        "disabled": _unit_names(services.disabled),
        "masked": _unit_names(services.masked),
    }
    if not any(wanted.values()):
        return
    check_contradictions(wanted, services)
    if not tree.exists("/usr/bin/systemctl"):
        raise InputError(
            "the recipe sets services, but systemd is not installed in the image",
            hint="add systemd-sysv to packages",
            where=services.where,
        )
    check_units(tree, wanted, services)
    for state, verb in ACTIONS:
        if wanted[state]:
            run(["systemctl", verb, *wanted[state]])


def unit_name(name: str) -> str:
    """A unit's full name; one without a suffix is a service."""
    return name if name.endswith(SUFFIXES) else f"{name}.service"


def _unit_names(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(unit_name(name) for name in names))


def check_contradictions(wanted: dict[str, tuple[str, ...]], services: Services) -> None:
    """Refuse a unit that is to be enabled and also disabled or masked."""
    for unit in wanted["enabled"]:
        for state in ("disabled", "masked"):
            if unit in wanted[state]:
                raise InputError(
                    f"the unit {unit!r} is both enabled and {state}",
                    hint="keep the state that is meant; a firewall needs nftables.service enabled",
                    where=services.where,
                )


def check_units(tree: Root, wanted: dict[str, tuple[str, ...]], services: Services) -> None:
    """Refuse units that are not in the tree; masking one that may come later is allowed."""
    units = unit_files(tree)
    for state in ("enabled", "disabled"):
        for unit in wanted[state]:
            if unit in units or _template(unit) in units or _has_init_script(tree, unit):
                continue
            raise InputError(
                f"the unit {unit!r} under services.{state} is not in the image",
                hint=_likely(unit, units),
                where=services.where,
            )


def _likely(unit: str, units: AbstractSet[str]) -> str:
    """Units of the same kind are compared by their names alone: a common suffix makes all of them alike."""
    stem, _, kind = unit.rpartition(".")
    suffix = f".{kind}"
    near = nearest(stem, (known.removesuffix(suffix) for known in units if known.endswith(suffix)))
    if not near:
        return "add the package that has it"
    return f"did you mean {' or '.join(repr(name + suffix) for name in near)}?"


def unit_files(tree: Root) -> frozenset[str]:
    """The names of all units that the tree has files for."""
    found: set[str] = set()
    for directory in UNIT_DIRECTORIES:
        if tree.is_dir(directory):
            found.update(name for name in tree.listdir(directory) if name.endswith(SUFFIXES))
    return frozenset(found)


def _template(unit: str) -> str:
    stem, _, suffix = unit.rpartition(".")
    return f"{stem.split('@', 1)[0]}@.{suffix}" if "@" in stem else unit


def _has_init_script(tree: Root, unit: str) -> bool:
    return unit.endswith(".service") and tree.is_file(f"/etc/init.d/{unit.removesuffix('.service')}")
