"""What a model field says of itself: one sentence, and the rules for its text."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Says:
    """Rides in ``Annotated[T, Says(...)]``; the reader, the JSON Schema and the reference page all use it."""

    doc: str
    """One sentence for the recipe reference; starts with a capital, ends with a full stop."""
    key: str = ""
    """The key in YAML where it is not the field's name (``from`` is a Python word)."""
    pattern: str = ""
    """A regular expression that the whole text must match."""
    wants: str = ""
    """The pattern, or what many choices are, in words for the error message: ``three numbers, as in 1.2.0``."""
    choices: tuple[str, ...] = ()
    """The only texts that are accepted."""
    minimum: int | None = None
    """The least number that is accepted."""
    maximum: int | None = None
    """The greatest number that is accepted."""
    scalar: str = ""
    """Names the parser that turns one scalar into this value (``package``, ``size``, ``mode`` ...)."""
    example: str = ""
    """A value for the reference page, as YAML."""
