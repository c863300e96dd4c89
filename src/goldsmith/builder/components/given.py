"""A step's inputs when it runs: rendered, checked, completed by their defaults."""

from pathlib import PurePosixPath

from goldsmith.errors import StepFailed
from goldsmith.model.action import Action
from goldsmith.model.component import Inputs, Value
from goldsmith.recipe.component_inputs import mistake


def complete(action: Action, inputs: Inputs, cwd: str) -> Inputs:
    """The inputs with defaults filled in and paths made absolute.

    Raises:
        StepFailed: a text that came from a variable is not what its input must be.
    """
    found: dict[str, Value] = {}
    for row in action.inputs:
        value = inputs.get(row.name)
        if value is None:
            found[row.name] = () if row.kind == "list" else row.default
            continue
        if isinstance(value, str):
            problem = mistake(row, value)
            if problem:
                raise StepFailed(problem, hint="check the variables it is made of")
            value = absolute(value, cwd) if row.kind == "path" else value
        found[row.name] = value
    return found


def absolute(path: str, cwd: str) -> str:
    """A path from ``/``; a slash at its end is kept, since it says that a folder is meant.

    Raises:
        StepFailed: no path can look so.
    """
    if "\0" in path:
        raise StepFailed(f"{path!r} is no path", hint="check the variables it is made of")
    whole = path if path.startswith("/") else f"{cwd.rstrip('/')}/{path}"
    clean = "/" + str(PurePosixPath(whole)).lstrip("/")
    return f"{clean}/" if whole.endswith("/") and clean != "/" else clean


def word(inputs: Inputs, name: str) -> str:
    """One text."""
    value = inputs.get(name, "")
    return value if isinstance(value, str) else " ".join(value)


def words(inputs: Inputs, name: str) -> tuple[str, ...]:
    """A list of texts."""
    value = inputs.get(name, ())
    return (value,) if isinstance(value, str) else tuple(value)


def flag(inputs: Inputs, name: str) -> bool:
    """True or false."""
    return word(inputs, name).lower() == "true"


def mode(inputs: Inputs, default: int) -> int:
    """The permission bits; a missing one is ``default``."""
    text = word(inputs, "permissions")
    return int(text, 8) if text else default
