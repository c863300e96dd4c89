"""Times on the command line."""

import math
from typing import Any

import click

LONGEST = 30 * 86_400.0


class Seconds(click.FloatRange):
    """Seconds, of which there is an end: with ``inf`` or ``nan`` nothing would ever be over."""

    name = "number of seconds"

    def __init__(self, least: float = 1.0) -> None:
        super().__init__(min=least, max=LONGEST)

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:  # noqa: ARG002 - as click has it
        """As it stands in the help."""
        return "SECONDS"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number; anything else is an error of the option's."""
        seconds: float = super().convert(value, param, ctx)
        if math.isnan(seconds):
            self.fail(f"{value!r} is not a valid {self.name}.", param, ctx)
        return seconds
