"""``goldsmith vm ssh``, ``exec``, ``copy``, ``console``, ``screenshot``: into a machine that runs."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from goldsmith.cli.seconds import Seconds
from goldsmith.effects.clock import monotonic
from goldsmith.effects.process import interact, need
from goldsmith.effects.terminal import join
from goldsmith.errors import Unavailable, UsageError
from goldsmith.machine.channel import TIMED_OUT, Guest, guest
from goldsmith.machine.local.access import (
    execute,
    need_running,
    ssh_command,
    wait_for_ssh,
)
from goldsmith.machine.local.copies import copy_in, copy_out, read_side
from goldsmith.machine.local.room import directory_of, find_machine
from goldsmith.machine.local.stalled import refuse_stalled
from goldsmith.machine.qemu import TERMINAL
from goldsmith.machine.qmp import monitor
from goldsmith.machine.reach import connected
from goldsmith.model.vm import LocalMachine, Run
from goldsmith.store.home import Home, find_home

NAME = click.argument("name")
WAIT = click.option(
    "--wait",
    type=Seconds(0),
    default=60.0,
    show_default=True,
    help="Seconds until it must answer.",
)
PASSED_ON = {"ignore_unknown_options": True}


@contextmanager
def inside(home: Home, name: str, wait: float) -> Iterator[tuple[LocalMachine, Run, Guest]]:
    """A running machine and a connection to its agent."""
    machine = find_machine(home, name)
    run = need_running(home, machine)
    try:
        with guest(directory_of(home, name), run.nonce, wait) as found:
            yield machine, run, found
    except Unavailable:
        refuse_stalled(directory_of(home, name), name)
        raise


@click.command("ssh", context_settings=PASSED_ON)
@NAME
@click.option(
    "--user", default="", help="The account; root, or the first one of a person where root may not log in."
)
@WAIT
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[COMMAND]...")
def ssh_command_(name: str, user: str, wait: float, words: tuple[str, ...]) -> None:
    """Log into a machine by SSH, with a key of its own; its host keys are known from inside."""
    need("ssh", "ssh-keygen")
    home = find_home()
    with inside(home, name, wait) as (machine, run, found):
        command = ssh_command(home, machine, run, found, user, words)
    wait_for_ssh(run, wait)
    sys.exit(interact(command))


@click.command("exec", context_settings=PASSED_ON)
@NAME
@WAIT
@click.option("--timeout", type=Seconds(), default=600.0, show_default=True, help="Seconds it has.")
@click.option("--stdin", "reads", is_flag=True, help="Let it read our standard input.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output.")
@click.argument("words", nargs=-1, type=click.UNPROCESSED, required=True, metavar="COMMAND...")
def exec_command(
    name: str, wait: float, timeout: float, words: tuple[str, ...], *, reads: bool, as_json: bool
) -> None:
    """Run a command inside as root, without network or SSH; its exit code is ours."""
    data = sys.stdin.buffer.read() if reads else b""
    with inside(find_home(), name, wait) as (_, _, found):
        begun = monotonic()
        done = execute(found, words, stdin=data, timeout=timeout)
        if done.code == TIMED_OUT and monotonic() - begun >= timeout:
            print(f"goldsmith: it was ended: it had {timeout:g} s (--timeout)", file=sys.stderr)
    if as_json:
        errors = done.stderr.decode(errors="replace")
        print(json.dumps({"code": done.code, "stdout": done.text, "stderr": errors}, indent=2))
    else:
        sys.stdout.buffer.write(done.stdout)
        sys.stdout.flush()
        sys.stderr.buffer.write(done.stderr)
        sys.stderr.flush()
    sys.exit(done.code)


@click.command("copy")
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@WAIT
def copy_command(source: str, target: str, wait: float) -> None:
    """Copy a file or a directory: NAME:/path is inside a machine, anything else on this host."""
    sides = read_side(source), read_side(target)
    if bool(sides[0].machine) == bool(sides[1].machine):
        raise UsageError(
            "one side of a copy must be inside a machine, the other one on this host",
            hint="as in goldsmith vm copy report.txt web1:/root/",
        )
    name = sides[0].machine or sides[1].machine
    with inside(find_home(), name, wait) as (_, _, found):
        if sides[1].machine:
            copy_in(found, Path(source), sides[1].path)
        else:
            copy_out(found, sides[0].path, Path(target))


@click.command("console")
@NAME
def console_command(name: str) -> None:
    """Join the terminal to a machine's serial console; Ctrl-] leaves."""
    home = find_home()
    need_running(home, find_machine(home, name))
    if not sys.stdin.isatty():
        raise UsageError(
            "the console wants a terminal", hint=f"to read what it has written: goldsmith vm logs {name}"
        )
    print(f"the console of {name}; Ctrl-] leaves", file=sys.stderr)
    try:
        with connected(directory_of(home, name), TERMINAL) as socket:
            join(socket)
    except OSError as error:
        raise Unavailable("the console cannot be reached", hint="is it open elsewhere?") from error


@click.command("screenshot")
@NAME
@click.argument("output", type=click.Path(path_type=Path, dir_okay=False))
def screenshot_command(name: str, output: Path) -> None:
    """Write what a machine's screen shows as a PNG."""
    home = find_home()
    need_running(home, find_machine(home, name))
    shot = directory_of(home, name) / "screenshot.png"
    with monitor(shot.parent) as qemu:
        qemu.execute("screendump", filename=str(shot), format="png")
    output.write_bytes(shot.read_bytes())
    shot.unlink()
    print(output)


COMMANDS = (ssh_command_, exec_command, copy_command, console_command, screenshot_command)
