"""The tables of ``docs/components.md``, made from the rows that documents are checked by."""

from goldsmith.model.action import ACTIONS, COMPARISONS, LATER_ACTIONS, WINDOWS_ACTIONS, Action, Input


def modules_table() -> str:
    """Every action module: what it does, its inputs with defaults, and its outputs."""
    lines = ["| module | what it does | inputs | outputs |", "|---|---|---|---|"]
    lines += [
        f"| {row.name} | {row.does} | {_inputs(row)} | {_names(row.outputs)} |" for row in ACTIONS.values()
    ]
    return "\n".join(lines)


def comparisons_table() -> str:
    """Every comparison: how many texts it takes, and when it holds."""
    lines = ["| comparison | `value` | when it holds |", "|---|---|---|"]
    lines += [
        f"| {row.name} | {'yes' if row.operands > 1 else ''} | {row.does} |" for row in COMPARISONS.values()
    ]
    return "\n".join(lines)


def refused_list() -> str:
    """The action modules that are refused by name."""
    return f"Not supported yet: {_names(LATER_ACTIONS)}. Windows only: {_names(WINDOWS_ACTIONS)}."


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _inputs(row: Action) -> str:
    if row.name == "Assert":
        return "conditions"
    shape = "list of: " if row.listed else ""
    return shape + ", ".join(_input(one) for one in row.inputs)


def _input(one: Input) -> str:
    if one.required:
        return f"**{one.name}**"
    return f"{one.name} ({one.default})" if one.default else one.name
