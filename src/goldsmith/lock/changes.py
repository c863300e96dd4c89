"""What is different between two locks. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from goldsmith.model.lock import Lock, LockedPackage


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """One package, file or tools lock that is different."""

    name: str
    """The package's name, ``STAGE/NAME`` for one of a stage, or an address."""
    old: str
    """The version of before; empty if it is new."""
    new: str
    """The version of now; empty if it is gone."""

    @property
    def kind(self) -> str:
        """``added``, ``removed`` or ``changed``."""
        return "added" if not self.old else "removed" if not self.new else "changed"

    def __str__(self) -> str:
        """One line for a person."""
        if self.kind == "changed":
            return f"{self.name} {self.old} → {self.new}"
        return f"{'+' if self.kind == 'added' else '-'} {self.name} {self.new or self.old}"


def changes(old: Lock, new: Lock) -> tuple[Change, ...]:
    """Packages, files and tools that are different; groups, reasons and dates of indices do not count."""
    return tuple(sorted(_different(_contents(old), _contents(new))))


def _different(old: dict[str, tuple[str, str]], new: dict[str, tuple[str, str]]) -> Iterable[Change]:
    for name in old.keys() | new.keys():
        before, now = old.get(name), new.get(name)
        if before == now:
            continue
        first, second = before[0] if before else "", now[0] if now else ""
        if first == second and before and now:
            # A version that was built again has other bytes under the same name.
            first, second = f"{first} ({before[1][:12]})", f"{second} ({now[1][:12]})"
        yield Change(name, first, second)


def _contents(lock: Lock) -> dict[str, tuple[str, str]]:
    found = _packages("", lock.packages)
    for stage in lock.stages:
        found |= _packages(f"{stage.name}/", stage.packages)
    found |= {file.url: (file.sha256[:12], file.sha256) for file in lock.downloads}
    found["the tools"] = (lock.tools.removeprefix("sha256:")[:12], lock.tools)
    return found


def _packages(prefix: str, packages: Iterable[LockedPackage]) -> dict[str, tuple[str, str]]:
    return {f"{prefix}{package.name}": (package.version, package.sha256) for package in packages}
