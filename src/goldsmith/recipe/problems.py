"""Many mistakes of one file as one error, and the nearest right word."""

import difflib
from collections.abc import Iterable, Sequence

from goldsmith.errors import InputError, Place

SHOWN = 10


def one_error(problems: Sequence[InputError], file: str) -> InputError:
    """The only problem as it is, or all of them as one, in the file's order, the first ten in full."""
    # Equal ones come from one mistake that is reached twice, as through an alias.
    first: dict[tuple[Place | None, str], InputError] = {}
    for problem in problems:
        first.setdefault((problem.where, problem.message), problem)
    distinct = sorted(first.values(), key=lambda problem: problem.where or Place(""))
    if len(distinct) == 1:
        return distinct[0]
    lines = [f"\n  {problem.where}: {problem.message}\n    {problem.hint}" for problem in distinct[:SHOWN]]
    more = len(distinct) - SHOWN
    if more > 0:
        lines.append(f"\n  and {more} more")
    return InputError(
        f"{len(distinct)} mistakes{''.join(lines)}",
        hint="mend them from the top; one mistake may have caused others",
        where=Place(file),
    )


def elsewhere(problems: Iterable[InputError], earlier: Iterable[InputError]) -> list[InputError]:
    """The problems at places that have none yet: a later check often stumbles over the same thing again."""
    taken = {problem.where for problem in earlier}
    return [problem for problem in problems if problem.where not in taken]


def nearest(word: str, words: Iterable[str]) -> str | None:
    """The word that was probably meant, if one is near enough."""
    known = {item.lower(): item for item in words}
    found = difflib.get_close_matches(word.lower().replace("-", "_"), known, n=1, cutoff=0.6)
    if not found:
        found = difflib.get_close_matches(word.lower(), known, n=1, cutoff=0.6)
    return known[found[0]] if found else None


def suggestion(word: str, words: Iterable[str], noun: str) -> str:
    """A hint: the nearest word, or all of them."""
    known = list(words)
    near = nearest(word, known)
    if near:
        return f"did you mean {near!r}?"
    return f"the {noun} here are: {', '.join(known)}" if known else f"there are no {noun} here"
