"""Seal a tree, and prove that it is sealed."""

from collections.abc import Iterator
from dataclasses import dataclass

from goldsmith.builder.customize.nearest import did_you_mean
from goldsmith.builder.match import Sight
from goldsmith.builder.seal.homes import home_directories
from goldsmith.builder.seal.machine_id import CONTENT, MODE, PATH
from goldsmith.builder.seal.operation import Operation, Spared, Traces, traces
from goldsmith.builder.seal.table import OPERATIONS
from goldsmith.effects.root import Root
from goldsmith.errors import UsageError
from goldsmith.model.seal import Operated


@dataclass(frozen=True, slots=True, order=True)
class Residue:
    """A trace that is still there."""

    operation: str
    """The operation that should have removed it."""
    path: str
    """Where it is."""


def seal(
    tree: Root, keep: frozenset[str] = frozenset(), declared: frozenset[str] = frozenset()
) -> tuple[Operated, ...]:
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
    for operation, seen in survey(tree, declared):
        kept = operation.name in keep or not operation.default
        removed = () if kept else seen.found
        for path in removed:
            operation.remove(tree, path)
        report.append(Operated(operation.name, seen.found, removed, seen.declared, kept=kept))
    return tuple(report)


def prove(
    tree: Sight, keep: frozenset[str] = frozenset(), declared: frozenset[str] = frozenset()
) -> tuple[Residue, ...]:
    """What a sealed tree should not have and has; nothing, if it is well sealed. The tree is only read."""
    check_names(keep)
    return tuple(
        Residue(operation.name, path)
        for operation, seen in survey(tree, declared)
        if operation.default and operation.name not in keep
        for path in seen.found
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


def survey(tree: Sight, declared: frozenset[str] = frozenset()) -> Iterator[tuple[Operation, Traces]]:
    """Each operation with its traces; what one has found is no matter of a later, more general one."""
    homes = home_directories(tree)
    claimed: frozenset[str] = frozenset()
    for operation in OPERATIONS:
        seen = traces(tree, operation, homes=homes, spared=Spared(claimed, declared))
        claimed |= frozenset(seen.found)
        yield operation, seen
