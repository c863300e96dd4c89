"""The command line's reference page, made from its commands: ``python -m goldsmith.cli.reference``."""

import inspect
import sys
from collections.abc import Iterator

import click

from goldsmith import errors
from goldsmith.cli.main import VERBS, goldsmith
from goldsmith.errors import GoldsmithError

WIDTH = 100
HEAD = """# The command line

<!-- Made from the commands by `python -m goldsmith.cli.reference`; a test compares it. -->

`goldsmith VERB`. An image is named as `web` (its newest version), `web:1.2.0`, `web:1.2.0-b2`, or by the path of a
disk. With `--json` a command prints one JSON object on standard output and nothing else there, errors included;
progress and messages go to standard error. Data lives in `$GOLDSMITH_HOME`, else in the XDG data directory.

"""
EXITS = """## Exit codes

| code | when | error |
|---|---|---|
| 0 | It is done. | |
"""
SIGNALS = (
    "| 128 + N | Signal N ended it (130: Ctrl-C); nothing is left mounted, running or half-stored. | |\n"
)


def reference() -> str:
    """The whole page, in Markdown."""
    return HEAD + EXITS + "".join(_exits()) + SIGNALS + "".join(_commands())


def _exits() -> Iterator[str]:
    classes = [item for item in vars(errors).values() if inspect.isclass(item)]
    kinds = [item for item in classes if issubclass(item, GoldsmithError) and item is not GoldsmithError]
    for kind in sorted(kinds, key=lambda kind: kind.exit_code):
        first = inspect.cleandoc(kind.__doc__ or "").splitlines()[0].replace("``", "`")
        yield f"| {kind.exit_code} | {first} | `{kind.__name__}` |\n"


def _commands() -> Iterator[str]:
    root = click.Context(goldsmith, info_name="goldsmith", terminal_width=WIDTH, **goldsmith.context_settings)
    for verb in VERBS:
        command = goldsmith.get_command(root, verb)
        assert command is not None
        yield from _page(command, click.Context(command, root, verb, terminal_width=WIDTH))


def _page(command: click.Command, context: click.Context) -> Iterator[str]:
    yield f"\n## {context.command_path}\n\n```\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from _page(below, click.Context(below, context, name, terminal_width=WIDTH))


if __name__ == "__main__":
    sys.stdout.write(reference())
