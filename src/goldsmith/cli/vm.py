"""``goldsmith vm``: local machines; made, started, stopped, changed and deleted."""

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from goldsmith.cli import vm_access, vm_snapshot
from goldsmith.cli.firmware import FIRMWARE
from goldsmith.cli.seconds import Seconds
from goldsmith.cli.vm_words import as_object, in_words, listing
from goldsmith.effects.process import need
from goldsmith.errors import GoldsmithError, InputError, Place, UsageError
from goldsmith.machine.boot import PATIENCE
from goldsmith.machine.launch import read
from goldsmith.machine.local import clone as cloning
from goldsmith.machine.local.create import Wanted, create, read_forward
from goldsmith.machine.local.lifecycle import change, delete, rename
from goldsmith.machine.local.renew import renew
from goldsmith.machine.local.room import all_machines, damaged, directory_of, find_machine, held
from goldsmith.machine.local.run import STOP_SECONDS, Start, pull_plug, start, stop
from goldsmith.machine.local.well import wait_until_well
from goldsmith.machine.qemu import CONSOLE
from goldsmith.model.machine import DEFAULT_MEMORY, Accelerator, Firmware
from goldsmith.model.vm import Run
from goldsmith.store.home import Home, find_home

LEAST_MEMORY = 128
AUTO = "auto"
WELL_SECONDS = 300.0
SIZE = re.compile(r"(?P<number>\d+)\s*(?P<unit>[MGT])(iB)?", re.IGNORECASE)
UNITS = {"m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
USER_DATA_LIMIT = 1 << 20

JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output.")
NAME = click.argument("name")
MEMORY = click.IntRange(min=LEAST_MEMORY)
FORWARD = click.option(
    "--forward",
    "forwards",
    multiple=True,
    metavar="HOST:GUEST",
    help="A port of 127.0.0.1 that leads into it: 8080:80.",
)


@click.group()
def command() -> None:
    """Make local machines from images, and use them: QEMU without root, by KVM where it works."""


for found in (*vm_access.COMMANDS, vm_snapshot.command):
    command.add_command(found)


def read_size(text: str) -> int:
    """``20G`` or ``20 GiB`` in bytes.

    Raises:
        UsageError: it is neither.
    """
    match = SIZE.fullmatch(text)
    if match is None or not int(match["number"]):
        raise UsageError(f"--disk {text!r} is no size", hint="write a number and M, G or T: --disk 20G")
    return int(match["number"]) * UNITS[match["unit"].lower()]


def read_user_data(path: Path) -> str:
    """What cloud-init is to be given.

    Raises:
        InputError: the file cannot be read, or is no text that cloud-init takes.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"--user-data cannot be read: {error.strerror}", hint="name a file", where=Place(str(path))
        ) from error
    if len(data) > USER_DATA_LIMIT:
        raise InputError(
            f"these are {len(data)} bytes of user data, and a machine can be given {USER_DATA_LIMIT}",
            hint="let cloud-init fetch the rest: '#include' and an address",
            where=Place(str(path)),
        )
    if not data.startswith((b"#", b"Content-Type", b"MIME")):
        raise InputError(
            "this is no user data: its first line must begin with '#cloud-config', '#!' or a MIME header",
            hint="see cloud-init's documentation of user data formats",
            where=Place(str(path)),
        )
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise InputError(
            f"this is no user data: byte {error.start} is no UTF-8",
            hint="binary parts stand in a MIME message in base64",
            where=Place(str(path)),
        ) from error


@command.command("create")
@NAME
@click.option(
    "--image", "ref", required=True, metavar="REF", help="An image, or the path of a raw or qcow2 disk."
)
@click.option("--memory", type=MEMORY, default=DEFAULT_MEMORY, show_default=True, help="MiB.")
@click.option("--cpus", type=click.IntRange(1, 64), default=1, show_default=True, help="One without KVM.")
@click.option("--disk", metavar="SIZE", help="How large its disk is, as in 20G; the image's size by default.")
@click.option("--user-data", type=click.Path(path_type=Path), help="A file for cloud-init.")
@FORWARD
@FIRMWARE
@JSON
def create_command(
    name: str,
    ref: str,
    memory: int,
    cpus: int,
    disk: str | None,
    user_data: Path | None,
    forwards: Sequence[str],
    firmware: str,
    *,
    as_json: bool,
) -> None:
    """Make a machine from an image. Nothing is copied: it writes to a layer of its own."""
    need("qemu-img")
    wanted = Wanted(
        memory=memory,
        cpus=cpus,
        disk=read_size(disk) if disk else 0,
        firmware=None if firmware == AUTO else Firmware(firmware),
        forwards=tuple(map(read_forward, forwards)),
        user_data=read_user_data(user_data) if user_data else "",
    )
    home = find_home()
    made = create(home, name, ref, wanted)
    told = as_object(home, made)
    print(json.dumps(told, indent=2) if as_json else f"{name} made from {made.origin.reference}")


@command.command("start")
@NAME
@click.option("--wait", is_flag=True, help="Wait until it says from inside that it is well.")
@click.option("--timeout", type=Seconds(), default=WELL_SECONDS, show_default=True, help="Of --wait.")
@click.option("--slow", multiple=True, metavar="UNIT", help="A unit that may rest when it starts: not hung.")
@click.option(
    "--accelerator",
    type=click.Choice([AUTO, *(item.value for item in Accelerator)]),
    default=AUTO,
    show_default=True,
)
@JSON
def start_command(
    name: str, timeout: float, slow: Sequence[str], accelerator: str, *, wait: bool, as_json: bool
) -> None:
    """Start a machine. A clone's first start gives it an identity of its own, and waits for that."""
    home = find_home()
    how = Start(None if accelerator == AUTO else Accelerator(accelerator), slow=tuple(slow))
    if wait:
        how = replace(how, patience=int(timeout * PATIENCE))
    with held(home, name) as machine:
        run = start(home, machine, how)
        try:
            if machine.renew:
                run = renewed(home, name, run, how)
            guest = wait_until_well(directory_of(home, name), run, timeout) if wait else None
        except KeyboardInterrupt:
            pull_plug(home, machine)
            raise
    told = as_object(home, find_machine(home, name))
    state = f"is well: systemd says {guest.state!r}" if guest else "is started"
    print(json.dumps(told, indent=2) if as_json else f"{name} {state} ({run.accelerator.value})")


def renewed(home: Home, name: str, run: Run, how: Start) -> Run:
    """Give a clone its identity; one that has still another machine's is not left running."""
    try:
        return renew(home, find_machine(home, name), run, how, say)
    except GoldsmithError:
        pull_plug(home, find_machine(home, name))
        raise


@command.command("stop")
@NAME
@click.option("--timeout", type=Seconds(0), default=STOP_SECONDS, show_default=True, help="Seconds.")
@JSON
def stop_command(name: str, timeout: float, *, as_json: bool) -> None:
    """Shut a machine down."""
    home = find_home()
    with held(home, name) as machine:
        ran = stop(home, machine, timeout=timeout, show=say)
        told = as_object(home, machine)
    print(json.dumps(told, indent=2) if as_json else f"{name} {'is stopped' if ran else 'did not run'}")


@command.command("kill")
@NAME
@JSON
def kill_command(name: str, *, as_json: bool) -> None:
    """End a machine at once, as a power cut does."""
    home = find_home()
    # Not held: whoever holds it may be waiting for this very machine.
    machine = find_machine(home, name)
    ran = pull_plug(home, machine)
    told = as_object(home, machine)
    print(json.dumps(told, indent=2) if as_json else f"{name} {'is ended' if ran else 'did not run'}")


@command.command("list")
@JSON
def list_command(*, as_json: bool) -> None:
    """List the machines."""
    home = find_home()
    machines = list(all_machines(home))
    for name in damaged(home):
        say(f"warning: {name} is not listed, its record is damaged: goldsmith vm show {name}")
    if as_json:
        print(json.dumps({"machines": [as_object(home, machine) for machine in machines]}, indent=2))
    else:
        print(listing(home, machines))


@command.command("show")
@NAME
@JSON
def show_command(name: str, *, as_json: bool) -> None:
    """Show a machine: what it was made from, how it runs, its snapshots."""
    home = find_home()
    machine = find_machine(home, name)
    print(json.dumps(as_object(home, machine), indent=2) if as_json else in_words(home, machine))


@command.command("logs")
@NAME
@click.option("--before", is_flag=True, help="Of the start before.")
@click.option("--qemu", is_flag=True, help="What QEMU printed, not the guest.")
def logs_command(name: str, *, before: bool, qemu: bool) -> None:
    """Print what a machine has written on its serial console."""
    home = find_home()
    find_machine(home, name)
    file = ("qemu.log" if qemu else CONSOLE) + (".before" if before else "")
    sys.stdout.buffer.write(read(directory_of(home, name) / file))
    sys.stdout.flush()


@command.command("set")
@NAME
@click.option("--memory", type=MEMORY, help="MiB.")
@click.option("--cpus", type=click.IntRange(1, 64), help="One without KVM.")
@FORWARD
@click.option("--no-forward", is_flag=True, help="No port leads into it any more.")
@JSON
def set_command(
    name: str,
    memory: int | None,
    cpus: int | None,
    forwards: Sequence[str],
    *,
    no_forward: bool,
    as_json: bool,
) -> None:
    """Change a machine; from its next start on. --forward replaces all that were there."""
    home = find_home()
    ports = tuple(map(read_forward, forwards))
    if ports and no_forward:
        raise UsageError("--forward and --no-forward exclude each other", hint="leave one of them out")
    with held(home, name) as machine:
        wanted = ports if ports or no_forward else None
        changed = change(home, machine, memory=memory, cpus=cpus, forwards=wanted)
        told = as_object(home, changed)
    print(json.dumps(told, indent=2) if as_json else f"{name} is changed")


@command.command("rename")
@NAME
@click.argument("new")
@JSON
def rename_command(name: str, new: str, *, as_json: bool) -> None:
    """Give a machine another name."""
    home = find_home()
    with held(home, name) as machine:
        renamed = rename(home, machine, new)
        told = as_object(home, renamed)
    print(json.dumps(told, indent=2) if as_json else f"{name} is {new} now")


@command.command("clone")
@NAME
@click.argument("new")
@click.option("--full", is_flag=True, help="Copy all bytes, not only those written from now on.")
@click.option("--snapshot", default="", help="Clone this snapshot, not the machine as it is.")
@JSON
def clone_command(name: str, new: str, snapshot: str, *, full: bool, as_json: bool) -> None:
    """Copy a machine under a new name. The copy gets an identity of its own at its first start."""
    home = find_home()
    with held(home, name) as machine:
        made = cloning.clone(home, machine, new, full=full, snapshot=snapshot)
        told = as_object(home, made)
    kind = "a full" if full else "a linked"
    print(json.dumps(told, indent=2) if as_json else f"{new} is {kind} clone of {name}")


@command.command("delete")
@NAME
@click.option("--force", is_flag=True, help="End it first if it runs.")
@JSON
def delete_command(name: str, *, force: bool, as_json: bool) -> None:
    """Delete a machine with its snapshots; its image and its clones stay."""
    home = find_home()
    with held(home, name) as machine:
        delete(home, machine, force=force)
    print(json.dumps({"name": name, "deleted": True}, indent=2) if as_json else f"{name} is deleted")


def say(line: str) -> None:
    """Tell a person something on standard error."""
    print(line, file=sys.stderr, flush=True)
