"""Rename, change and delete machines."""

import shutil
from dataclasses import replace

from goldsmith.effects.files import sync_directory
from goldsmith.effects.randomness import nonce
from goldsmith.machine.local.create import check_forwards, check_free
from goldsmith.machine.local.room import DELETED, all_held, check_name, directory_of, save
from goldsmith.machine.local.run import pull_plug
from goldsmith.machine.local.snapshots import refuse_running
from goldsmith.model.machine import Forward
from goldsmith.model.vm import LocalMachine
from goldsmith.store.home import Home


def rename(home: Home, machine: LocalMachine, name: str) -> LocalMachine:
    """Give a machine that is held another name; its identity stays.

    Raises:
        UsageError: it runs, or the name is taken or cannot be one.
    """
    check_name(name)
    refuse_running(home, machine, "rename")
    with all_held(home) as room:
        check_free(room, name)
        renamed = replace(machine, name=name)
        save(directory_of(home, machine.name), renamed)
        (room / machine.name).rename(room / name)
        sync_directory(room)
    return renamed


def change(
    home: Home,
    machine: LocalMachine,
    *,
    memory: int | None = None,
    cpus: int | None = None,
    forwards: tuple[Forward, ...] | None = None,
) -> LocalMachine:
    """Change a machine that is held; what is ``None`` stays. It takes effect at the next start.

    Raises:
        UsageError: a port of the host is named twice.
    """
    check_forwards(forwards or ())
    changed = replace(
        machine,
        memory=machine.memory if memory is None else memory,
        cpus=machine.cpus if cpus is None else cpus,
        forwards=machine.forwards if forwards is None else forwards,
    )
    save(directory_of(home, machine.name), changed)
    return changed


def delete(home: Home, machine: LocalMachine, *, force: bool) -> None:
    """Delete a machine that is held, with its snapshots; clones of it and the image stay.

    Args:
        home: the data directory.
        machine: the machine.
        force: whether one that runs is ended first.

    Raises:
        UsageError: it runs.
    """
    if force:
        pull_plug(home, machine)
    refuse_running(home, machine, "delete")
    with all_held(home) as room:
        gone = room / f"{DELETED}{nonce()[:8]}"
        (room / machine.name).rename(gone)
        sync_directory(room)
        shutil.rmtree(gone, ignore_errors=True)
