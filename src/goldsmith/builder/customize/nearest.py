"""The names nearest to one that is not there, for hints."""

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: str, names: Iterable[str], *, most: int = 3) -> tuple[str, ...]:
    """At most ``most`` names like ``name``, the likeliest first."""
    by_folded: dict[str, str] = {}
    for known in sorted(names):
        by_folded.setdefault(known.casefold(), known)
    return tuple(by_folded[match] for match in get_close_matches(name.casefold(), by_folded, most, 0.6))


def did_you_mean(name: str, names: Iterable[str], otherwise: str) -> str:
    """A hint with the nearest names, or ``otherwise`` where there are none."""
    near = nearest(name, names)
    return f"did you mean {' or '.join(repr(match) for match in near)}?" if near else otherwise
