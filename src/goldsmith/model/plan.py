"""A plan: the ordered steps of a build, each with a key. Pure function of recipe, lock and the content of files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from goldsmith.model.canonical import digest


@dataclass(frozen=True, slots=True)
class Step:
    """What is done once, and what decides its result."""

    name: str
    """Unique in the plan, as a person reads it: ``configure 1``."""
    kind: str
    """Which code runs it."""
    version: int
    """The version of that code; another one is another key."""
    facts: Mapping[str, object]
    """What decides the result, by name; anything that is not here must not matter."""
    below: tuple[str, ...] = ()
    """The steps whose layers it stands on, lowest first; their keys are part of its key."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps in an order in which each comes after those it stands on."""

    steps: tuple[Step, ...]
    """Those of the build stages first, then the image's."""
    tree: tuple[str, ...]
    """The steps whose layers, lowest first, are the finished tree."""

    def step(self, name: str) -> Step:
        """The step of that name."""
        return next(step for step in self.steps if step.name == name)


def keys(steps: Sequence[Step]) -> dict[str, str]:
    """The key of each step: ``sha256:`` over kind, code version, facts and the keys it stands on."""
    found: dict[str, str] = {}
    for step in steps:
        below = [found[name] for name in step.below]
        found[step.name] = digest(
            {"kind": step.kind, "version": step.version, "facts": step.facts, "below": below}
        )
    return found


def difference(old: Mapping[str, object], new: Mapping[str, object], prefix: str = "") -> list[str]:
    """What changed between two steps' facts, one sentence a change, in the order of their names."""
    changes = []
    for name in sorted({*old, *new}):
        label = f"{prefix}{name}"
        before, after = old.get(name), new.get(name)
        if before == after:
            continue
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            changes += difference(before, after, f"{label} ")
        elif isinstance(before, list) and isinstance(after, list):
            changes += _list_difference(label, before, after)
        elif name not in old:
            changes.append(f"{label}: {_short(after)} is new")
        elif name not in new:
            changes.append(f"{label}: {_short(before)} is gone")
        else:
            changes.append(f"{label}: {_short(before)} is now {_short(after)}")
    return changes


def _list_difference(label: str, before: Sequence[object], after: Sequence[object]) -> list[str]:
    gone = [item for item in before if item not in after]
    new = [item for item in after if item not in before]
    if len(gone) == len(new) == 1 and isinstance(gone[0], Mapping) and isinstance(new[0], Mapping):
        return difference(gone[0], new[0], f"{label} {_name(new[0])}")
    changes = [f"{label}: {_short(item)} is gone" for item in gone] + [
        f"{label}: {_short(item)} is new" for item in new
    ]
    return changes or [f"{label}: the order is another"]


def _name(item: Mapping[str, object]) -> str:
    for key in ("path", "name", "destination"):
        if key in item:
            return f"{item[key]} "
    return ""


def _short(value: object) -> str:
    limit = 60
    text = value if isinstance(value, str) else repr(value)
    text = text.replace("\n", "\\n")
    return text if len(text) <= limit else f"{text[:limit]}…"
