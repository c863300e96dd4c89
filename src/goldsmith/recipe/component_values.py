"""``{{ references }}`` in a component's texts, and the rounds of its loops.

- ``{{ Name }}`` is a parameter or constant.
- ``{{ phase.step.outputs.stdout }}``, ``{{ phase.step.inputs[1].source }}`` is what an earlier step was given or gave.
- ``{{ loop.index }}``, ``{{ name.value }}`` belongs to the step's loop; without such a loop it stays as it is.
- Anything else in double braces (``{{.Names}}``, ``{{ json . }}``) is no reference and stays as it is.

Case counts, spaces inside the braces do not, and a value that is put in is not searched again.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from goldsmith.errors import InputError, Place
from goldsmith.model.component import Counting, Document, Inputs, Listing, Loop, Splitting, Value

REFERENCE = re.compile(
    r"""\{\{\s*(?:
        (?P<phase>[^\s.{}\[\]][^.{}\[\]]*)\.(?P<step>[^.{}\[\]]+)
            \.(?P<side>inputs|outputs)(?:\[(?P<set>\d{1,6})\])?\.(?P<field>[A-Za-z0-9_-]+)(?:\[(?P<item>\d{1,6})\])?
        |(?P<loop>[A-Za-z0-9_-]+)\.(?P<part>index|value)
        |(?P<name>[A-Za-z0-9_-]+)
    )\s*\}\}""",
    re.VERBOSE,
)
MAX_ROUNDS = 10_000


@dataclass(frozen=True, slots=True)
class Chain:
    """A reference to what another step was given or gave."""

    phase: str
    """The phase's name."""
    step: str
    """The step's name."""
    side: str
    """``inputs`` or ``outputs``."""
    field: str
    """Which input or output."""
    set: int = 0
    """Which set of inputs, from 0."""
    item: int | None = None
    """Which text of a list, from 0."""


def references(text: str) -> Iterator[tuple[str, str | Chain]]:
    """Every reference to a variable (its name) or to a step, with the text in its braces."""
    for match in REFERENCE.finditer(text):
        if match["name"]:
            yield match.group(), match["name"]
        elif match["phase"]:
            yield match.group(), _chain(match)


def _chain(match: re.Match[str]) -> Chain:
    return Chain(
        match["phase"].strip(),
        match["step"].strip(),
        match["side"],
        match["field"],
        int(match["set"] or 0),
        int(match["item"]) if match["item"] else None,
    )


def has_reference(text: str) -> bool:
    """Whether a text is only known when it is used."""
    return REFERENCE.search(text) is not None


@dataclass(frozen=True, slots=True)
class Round:
    """One round of a loop."""

    index: int
    """Which round, from 0."""
    value: str
    """The round's value; for ``for`` loops, the number."""


class UnknownValue(Exception):
    """A reference has no value (yet); the text says which."""


def render(
    text: str,
    variables: Mapping[str, str],
    chained: Callable[[Chain], str],
    *,
    loop: str | None = None,
    current: Round | None = None,
) -> str:
    """Put values where references stand.

    Args:
        text: what may hold references.
        variables: parameters and constants by name.
        chained: finds what a step was given or gave; raises ``UnknownValue`` where there is none.
        loop: the name of the step's loop.
        current: the round of the step's loop.

    Raises:
        UnknownValue: a variable or a step's value is not there.
    """

    def value(match: re.Match[str]) -> str:
        if match["name"]:
            if match["name"] not in variables:
                raise UnknownValue(f"{match.group()} is no parameter or constant")
            return variables[match["name"]]
        if match["loop"]:
            if current is None or match["loop"] not in {"loop", loop}:
                return match.group()
            return str(current.index) if match["part"] == "index" else current.value
        return chained(_chain(match))

    return REFERENCE.sub(value, text)


def render_inputs(inputs: Inputs, put: Callable[[str], str]) -> Inputs:
    """The same inputs with every text rendered by ``put``."""

    def one(value: Value) -> Value:
        return put(value) if isinstance(value, str) else tuple(put(text) for text in value)

    return {name: one(value) for name, value in inputs.items()}


def rounds(loop: Loop, put: Callable[[str], str]) -> tuple[Round, ...]:
    """The rounds of a loop; its texts are rendered once, by ``put``.

    Raises:
        InputError: the loop does not count to its end, or counts too far.
    """
    over = loop.over
    if isinstance(over, Listing):
        values: list[str] = [put(value) for value in over.values]
    elif isinstance(over, Splitting):
        values = put(over.text).split(over.delimiter)
    else:
        values = [str(number) for number in _count(over, put, loop.where)]
    return tuple(Round(index, value) for index, value in enumerate(values))


def _count(over: Counting, put: Callable[[str], str], where: Place | None) -> range:
    def number(name: str, text: str) -> int:
        shown = put(text)
        if not re.fullmatch(r"[+-]?\d{1,15}", shown):
            raise InputError(
                f"{name!r} of a loop must be a whole number, not {shown!r}",
                hint="write a number, as in 'start: 1'",
                where=where,
            )
        return int(shown)

    start, end = number("start", over.start), number("end", over.end)
    step = number("updateBy", over.update_by)
    if step == 0 or (end - start) * step < 0:
        raise InputError(
            f"the loop from {start} to {end} by {step} has no end",
            hint="let 'updateBy' lead from 'start' to 'end': above 0 to count up, below 0 to count down",
            where=where,
        )
    numbers = range(start, end + (1 if step > 0 else -1), step)
    if len(numbers) > MAX_ROUNDS:
        raise InputError(
            f"the loop has {len(numbers)} rounds, and {MAX_ROUNDS} are the most",
            hint="count inside one ExecuteBash step instead",
            where=where,
        )
    return numbers


def variables_of(document: Document, given: Mapping[str, str]) -> Mapping[str, str]:
    """Parameters and constants by name; values for names that are no parameter of the document are left out.

    Raises:
        InputError: a parameter has neither a value nor a default.
    """
    values = {constant.name: constant.value for constant in document.constants}
    for parameter in document.parameters:
        value = given.get(parameter.name, parameter.default)
        if value is None:
            raise InputError(
                f"the parameter {parameter.name!r} has no default, and no value is given",
                hint=f"give one (--parameters {parameter.name}=VALUE, or 'parameters:' of the recipe's component), "
                "or add a 'default:'",
                where=parameter.where,
            )
        values[parameter.name] = value
    return values
