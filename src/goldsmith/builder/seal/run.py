"""Seal a tree, and prove that it is sealed."""

from collections.abc import Iterator
from dataclasses import dataclass

from goldsmith.builder.customize.nearest import did_you_mean
from goldsmith.builder.seal.homes import home_directories
from goldsmith.builder.seal.machine_id import CONTENT, MODE, PATH
from goldsmith.builder.seal.operation import Operation, Spared, traces
from goldsmith.builder.seal.table import OPERATIONS
from goldsmith.effects.root import Root
from goldsmith.errors import UsageError


@dataclass(frozen=True, slots=True)
class Sealed:
    """What one operation did."""

    operation: str
    """Its name."""
    removed: tuple[str, ...]
    """The traces it did away with; what is below a removed directory is not listed."""
    kept: bool = False
    """Whether it was switched off."""


@dataclass(frozen=True, slots=True, order=True)
class Residue:
    """A trace that is still there."""

    operation: str
    """The operation that should have removed it."""
    path: str
    """Where it is."""


def seal(
    tree: Root, keep: frozenset[str] = frozenset(), declared: frozenset[str] = frozenset()
) -> tuple[Sealed, ...]:
    """Do away with everything that makes this build unique.

    Args:
        tree: the finished tree.
        keep: names of operations that are switched off.
        declared: paths that the recipe made, which stay (``customize.declared``).

    Returns:
        What each operation found and removed, in the order of the table.

    Raises:
        UsageError: ``keep`` has a name that no operation has.
    """
    check_names(keep)
    if "machine-id" not in keep and not tree.lexists(PATH):
        tree.write(PATH, CONTENT, mode=MODE, uid=0, gid=0)
    report = []
    for operation, found in _survey(tree, declared):
        kept = operation.name in keep or not operation.default
        for path in () if kept else found:
            operation.remove(tree, path)
        report.append(Sealed(operation.name, () if kept else found, kept=kept))
    return tuple(report)


def prove(
    tree: Root, keep: frozenset[str] = frozenset(), declared: frozenset[str] = frozenset()
) -> tuple[Residue, ...]:
    """What a sealed tree should not have and has; nothing, if it is well sealed. The tree is only read."""
    check_names(keep)
    return tuple(
        Residue(operation.name, path)
        for operation, found in _survey(tree, declared)
        if operation.default and operation.name not in keep
        for path in found
    )


def check_names(keep: frozenset[str]) -> None:
    """Refuse names that no operation has.

    Raises:
        UsageError: with the nearest names.
    """
    names = [operation.name for operation in OPERATIONS]
    for name in sorted(keep - set(names)):
        raise UsageError(
            f"there is no seal operation {name!r}",
            hint=did_you_mean(name, names, "`goldsmith seal list` names them all"),
        )


def _survey(tree: Root, declared: frozenset[str]) -> Iterator[tuple[Operation, tuple[str, ...]]]:
    """Each operation with its traces; what one has found is no matter of a later, more general one."""
    homes = home_directories(tree)
    claimed: frozenset[str] = frozenset()
    for operation in OPERATIONS:
        found = traces(tree, operation, homes=homes, spared=Spared(claimed, declared))
        claimed |= frozenset(found)
        yield operation, found
