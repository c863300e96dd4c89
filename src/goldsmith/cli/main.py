"""``goldsmith VERB``: finds the verb's file, runs it, and turns errors into exit codes."""

import importlib
import json
import os
import signal
import sys
from types import FrameType, ModuleType
from typing import NoReturn

import click

from goldsmith import __version__
from goldsmith.cli.units import visible
from goldsmith.errors import GoldsmithError, UsageError

VERBS = {
    "init": ("goldsmith.cli.init", "Start a recipe in a directory."),
    "schema": ("goldsmith.cli.schema", "Print the recipe's JSON Schema, for editors."),
    "lock": ("goldsmith.cli.lock", "Resolve a recipe's inputs to exact versions."),
    "build": ("goldsmith.cli.build", "Build a golden image from a recipe."),
    "explain": ("goldsmith.cli.explain", "Say which steps would run, and why."),
    "seal": ("goldsmith.cli.seal", "List what sealing removes; show an image's seal certificate."),
    "leaks": ("goldsmith.cli.leaks", "Search an image for identities, secrets and what was deleted."),
    "boot": ("goldsmith.cli.boot", "Boot a throwaway copy of an image and check that it is well."),
    "test": ("goldsmith.cli.test", "Boot two clones of an image and prove it."),
    "export": ("goldsmith.cli.export", "Write an image's disk in the format of a cloud or hypervisor."),
    "list": ("goldsmith.cli.list", "List the images."),
    "show": ("goldsmith.cli.show", "Show one image."),
    "diff": ("goldsmith.cli.diff", "Say what differs between two images."),
    "tree": ("goldsmith.cli.tree", "List what is in an image."),
    "cat": ("goldsmith.cli.cat", "Print a file of an image."),
    "tag": ("goldsmith.cli.tag", "Give an image one more name."),
    "delete": ("goldsmith.cli.delete", "Forget an image or a tag."),
    "store": ("goldsmith.cli.store", "Look after the store: path, check, gc, usage."),
    "import": ("goldsmith.cli.import_", "Take a vendor's disk or archive into the store."),
    "push": ("goldsmith.cli.push", "Send an image to a registry or a directory."),
    "pull": ("goldsmith.cli.pull", "Take an image from a registry, a directory or a web server."),
    "copy": ("goldsmith.cli.copy", "Copy an image from anywhere to anywhere."),
    "serve": ("goldsmith.cli.serve", "Serve the local store over HTTP, read only."),
    "vm": ("goldsmith.cli.vm", "Make local machines from images, and use them."),
    "component": ("goldsmith.cli.component", "Validate or run component documents."),
}
"""Every verb: the module whose ``command`` it is, and its line in the help. Modules are imported when they are used."""


class Verbs(click.Group):
    """A group whose commands are imported one at a time, so that ``--help`` stays fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """In the order of the chain, not of the alphabet."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click
        """Import the verb's file."""
        if cmd_name not in VERBS:
            return None
        command = importlib.import_module(VERBS[cmd_name][0]).command
        if not isinstance(command, click.Command):
            raise TypeError(f"{VERBS[cmd_name][0]}.command is no click command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The table of verbs, without importing any."""
        with formatter.section("Verbs"):
            formatter.write_dl([(verb, summary) for verb, (_, summary) in VERBS.items()])


@click.command(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(version)s")
def goldsmith() -> None:
    """Golden images as code: recipe, lock, build, seal, prove, publish, watch."""


def fail(error: GoldsmithError) -> NoReturn:
    """Print an error where its reader looks, and leave with its exit code."""
    if "--json" in sys.argv:
        print(json.dumps(error.as_json(), indent=2))
    print("\n".join(map(visible, f"goldsmith: {error}".split("\n"))), file=sys.stderr)
    sys.exit(error.exit_code)


def misused(error: click.ClickException) -> NoReturn:
    """Say what is wrong with the words of a command line, in click's way, and to machines as any other error."""
    if "--json" in sys.argv:
        of = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "goldsmith"
        said = UsageError(error.format_message(), hint=f"see: {of} --help")
        print(json.dumps(said.as_json(), indent=2))
    error.show()
    sys.exit(UsageError.exit_code)


class Ended(KeyboardInterrupt):
    """The system asked this process to end; cleaned up after as Ctrl-C is."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def end(number: int, _frame: FrameType | None) -> NoReturn:
    """Leave as Ctrl-C does, so that nothing stays behind."""
    raise Ended(number)


def interrupted(number: int) -> NoReturn:
    """Say so, and leave with the code that shells give a signal."""
    print("goldsmith: interrupted", file=sys.stderr)
    sys.exit(128 + number)


def main() -> None:
    """The console script."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup sets it
            signal.signal(number, end)
    if sys.stderr is None or sys.stdout is None:  # closed by whoever started us; nobody listens
        sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115 - for the whole run
        sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115
    try:
        run()
    except (click.Abort, KeyboardInterrupt) as error:
        # click puts its own error around a KeyboardInterrupt.
        cause = error.__cause__ if isinstance(error, click.Abort) else error
        interrupted(cause.number if isinstance(cause, Ended) else signal.SIGINT)
    except BrokenPipeError:
        # Whoever read our output has enough; Python's own last flush must not complain either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(128 + signal.SIGPIPE)


def run() -> None:
    """Run the verb; every error ends in its message and exit code."""
    try:
        goldsmith(prog_name="goldsmith", standalone_mode=False)
    except GoldsmithError as error:
        fail(error)
    except click.ClickException as error:
        misused(error)
    except (click.Abort, BrokenPipeError):
        raise
    except OSError as error:
        fail(unforeseen().of_system(error))
    except Exception as error:  # noqa: BLE001 - a person is told in one line; the traceback is in a file
        fail(unforeseen().of_mistake(error))


def unforeseen() -> ModuleType:
    """What is imported only when something goes wrong."""
    return importlib.import_module("goldsmith.cli.unforeseen")
