"""Snapshots: a tree of states of a machine's disk. One is made by itself when the machine is; one before each revert.

To take one, the layer that is written to is closed and a new one is laid over it; nothing is copied.
"""

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from goldsmith.errors import GoldsmithError, StepFailed, UsageError
from goldsmith.machine.channel import guest
from goldsmith.machine.local.create import stamp
from goldsmith.machine.local.layers import below, collect, is_untouched, layer_path, new_layer
from goldsmith.machine.local.origin import need_origin
from goldsmith.machine.local.room import check_name, directory_of, running, save
from goldsmith.machine.need import need_space
from goldsmith.machine.qmp import monitor
from goldsmith.model.vm import LocalMachine, Run, Snapshot
from goldsmith.store.home import Home

SAFETY = "before-revert"
SYNC_SECONDS = 10.0
DISK = "root"
"""QEMU's name for the disk."""


def find_snapshot(machine: LocalMachine, name: str) -> Snapshot:
    """A machine's snapshot by its name.

    Raises:
        UsageError: there is none.
    """
    for snapshot in machine.snapshots:
        if snapshot.name == name:
            return snapshot
    raise UsageError(
        f"{machine.name!r} has no snapshot {name!r}",
        hint=f"there are: {', '.join(snapshot.name for snapshot in machine.snapshots)}",
    )


def take(home: Home, machine: LocalMachine, name: str, comment: str = "") -> LocalMachine:
    """Take a snapshot of a machine that is held; of one that runs it is what a power cut would leave, synced.

    Raises:
        UsageError: the name is taken or cannot be one, or the comment is no line.
        NoSpace: there is no room for what it will write.
        IntegrityError: the disk that it was made from is gone.
    """
    check_name(name, "a snapshot")
    if not comment.isprintable():
        raise UsageError(f"the comment {comment!r} is not one line of text", hint="leave line breaks out")
    if name in {snapshot.name for snapshot in machine.snapshots}:
        raise UsageError(f"{machine.name!r} has a snapshot {name!r} already", hint="choose another name")
    directory = directory_of(home, machine.name)
    need_space(directory)
    need_origin(directory, machine)
    layer = new_layer(directory, below(machine, machine.layer), machine.disk_size)
    snapshot = Snapshot(name, machine.layer, machine.current, stamp(), comment, machine.renew)
    taken = replace(machine, layer=layer, current=name, snapshots=(*machine.snapshots, snapshot))
    run = running(directory)
    if run is None:
        save(directory, taken)
        return taken
    _let_it_sync(directory, run)
    # QEMU writes to the new layer from here on; the record must not say otherwise, whatever ends us.
    save(directory, taken)
    try:
        with monitor(directory) as qemu:
            qemu.execute(
                "blockdev-snapshot-sync",
                **{
                    "device": DISK,
                    "snapshot-file": str(layer_path(directory, layer)),
                    "format": "qcow2",
                    "mode": "existing",
                },
            )
    except GoldsmithError:
        save(directory, machine)
        layer_path(directory, layer).unlink(missing_ok=True)
        raise
    return taken


def _let_it_sync(directory: Path, run: Run) -> None:
    with suppress(GoldsmithError), guest(directory, run.nonce, SYNC_SECONDS) as inside:
        inside.run("sync", timeout=SYNC_SECONDS)


@dataclass(frozen=True, slots=True)
class Reverted:
    """A machine that was taken back."""

    machine: LocalMachine
    """As it is now."""
    safety: str
    """The snapshot with what it was before; empty where nothing had been written since the last."""


def revert(home: Home, machine: LocalMachine, name: str) -> Reverted:
    """Take a machine that is held back to a snapshot; what it was before is kept in a snapshot of its own.

    A clone that is taken back to before it had an identity of its own gets a new one at its next start.

    Raises:
        UsageError: it runs, or there is no such snapshot.
        IntegrityError: the disk that it was made from is gone.
    """
    target = find_snapshot(machine, name)
    directory = directory_of(home, machine.name)
    refuse_running(home, machine, "revert")
    need_origin(directory, machine)
    safety = ""
    left = machine.layer
    if not is_untouched(directory, machine.layer):
        safety = free_name(machine, SAFETY)
        comment = f"before the revert to {name}"
        kept = Snapshot(safety, left, machine.current, stamp(), comment, machine.renew)
        machine = replace(machine, snapshots=(*machine.snapshots, kept))
    layer = new_layer(directory, below(machine, target.layer), machine.disk_size)
    machine = replace(machine, layer=layer, current=name, renew=target.renew)
    save(directory, machine)
    if not safety:
        layer_path(directory, left).unlink(missing_ok=True)
    return Reverted(machine, safety)


def forget(home: Home, machine: LocalMachine, name: str) -> LocalMachine:
    """Delete a snapshot of a machine that is held; those that grew from it, and the machine, are as before.

    Its bytes go when nothing reads them: at once, or when a machine that runs is started again.

    Raises:
        UsageError: there is no such snapshot, or it is the one that the machine was born with.
    """
    gone = find_snapshot(machine, name)
    if not gone.parent:
        raise UsageError(
            f"{name!r} cannot be deleted: the machine was born with it",
            hint="it takes no room; delete the machine to be rid of it",
        )
    kept = tuple(
        replace(item, parent=gone.parent) if item.parent == name else item
        for item in machine.snapshots
        if item.name != name
    )
    current = gone.parent if machine.current == name else machine.current
    machine = replace(machine, snapshots=kept, current=current)
    directory = directory_of(home, machine.name)
    save(directory, machine)
    if running(directory) is None:
        with suppress(StepFailed):  # the next start tries again
            collect(directory, machine)
    return machine


def rename_snapshot(home: Home, machine: LocalMachine, old: str, new: str) -> LocalMachine:
    """Give a snapshot another name.

    Raises:
        UsageError: there is none, or the name is taken or cannot be one.
    """
    find_snapshot(machine, old)
    check_name(new, "a snapshot")
    if new in {item.name for item in machine.snapshots}:
        raise UsageError(f"{machine.name!r} has a snapshot {new!r} already", hint="choose another name")

    def renamed(name: str) -> str:
        return new if name == old else name

    machine = replace(
        machine,
        current=renamed(machine.current),
        snapshots=tuple(
            replace(item, name=renamed(item.name), parent=renamed(item.parent)) for item in machine.snapshots
        ),
    )
    save(directory_of(home, machine.name), machine)
    return machine


def free_name(machine: LocalMachine, stem: str) -> str:
    """``stem-N`` with the first number that is free."""
    names = {item.name for item in machine.snapshots}
    number = 1
    while f"{stem}-{number}" in names:
        number += 1
    return f"{stem}-{number}"


def refuse_running(home: Home, machine: LocalMachine, what: str) -> None:
    """Refuse what a running machine would not survive.

    Raises:
        UsageError: it runs.
    """
    if running(directory_of(home, machine.name)):
        raise UsageError(
            f"cannot {what} {machine.name!r} while it runs",
            hint=f"stop it first: goldsmith vm stop {machine.name}, or pull its plug: goldsmith vm kill {machine.name}",
        )
