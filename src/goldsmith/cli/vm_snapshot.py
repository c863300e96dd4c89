"""``goldsmith vm snapshot``: states of a machine's disk that can be gone back to."""

import json

import click

from goldsmith.cli.vm_words import as_object, snapshot_object, tree
from goldsmith.machine.local.room import find_machine, held
from goldsmith.machine.local.snapshots import find_snapshot, forget, free_name, rename_snapshot, revert, take
from goldsmith.store.home import find_home

JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output.")
NAME = click.argument("name")
SNAPSHOT = click.argument("snapshot")


@click.group("snapshot")
def command() -> None:
    """Keep states of a machine's disk, and go back to them."""


@command.command("create")
@NAME
@click.argument("snapshot", default="")
@click.option("--comment", default="", help="What it is good for.")
@JSON
def create_command(name: str, snapshot: str, comment: str, *, as_json: bool) -> None:
    """Take a snapshot; of a running machine it is what a power cut would leave after a sync."""
    home = find_home()
    with held(home, name) as machine:
        taken = take(home, machine, snapshot or free_name(machine, "snapshot"), comment)
        made = find_snapshot(taken, taken.current)
        told = snapshot_object(home, taken, made)
    print(json.dumps(told, indent=2) if as_json else f"{name} has the snapshot {made.name}")


@command.command("list")
@NAME
@JSON
def list_command(name: str, *, as_json: bool) -> None:
    """List a machine's snapshots as a tree."""
    home = find_home()
    machine = find_machine(home, name)
    told = {"snapshots": [snapshot_object(home, machine, item) for item in machine.snapshots]}
    print(json.dumps(told, indent=2) if as_json else "\n".join(tree(machine)))


@command.command("revert")
@NAME
@SNAPSHOT
@JSON
def revert_command(name: str, snapshot: str, *, as_json: bool) -> None:
    """Go back to a snapshot. What the machine was before is kept in a snapshot of its own."""
    home = find_home()
    with held(home, name) as machine:
        done = revert(home, machine, snapshot)
        told = {**as_object(home, done.machine), "safety": done.safety or None}
    kept = f"; what it was before is in {done.safety}" if done.safety else ""
    print(json.dumps(told, indent=2) if as_json else f"{name} is as in {snapshot}{kept}")


@command.command("delete")
@NAME
@SNAPSHOT
@JSON
def delete_command(name: str, snapshot: str, *, as_json: bool) -> None:
    """Delete a snapshot; those that grew from it stay as they are."""
    home = find_home()
    with held(home, name) as machine:
        told = as_object(home, forget(home, machine, snapshot))
    print(json.dumps(told, indent=2) if as_json else f"{name} has no snapshot {snapshot} any more")


@command.command("rename")
@NAME
@SNAPSHOT
@click.argument("new")
@JSON
def rename_command(name: str, snapshot: str, new: str, *, as_json: bool) -> None:
    """Give a snapshot another name."""
    home = find_home()
    with held(home, name) as machine:
        told = as_object(home, rename_snapshot(home, machine, snapshot, new))
    print(json.dumps(told, indent=2) if as_json else f"{snapshot} of {name} is {new} now")
