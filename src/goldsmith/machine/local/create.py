"""Make a machine from an image: a link, an empty layer, a record. No byte of the image is copied."""

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

from goldsmith.effects.clock import now
from goldsmith.effects.files import sync_directory
from goldsmith.effects.process import run
from goldsmith.effects.randomness import new_uuid, nonce
from goldsmith.errors import UsageError
from goldsmith.machine.firmware import firmware_for, place_uefi
from goldsmith.machine.local.layers import below, new_layer
from goldsmith.machine.local.origin import attach, find_origin, virtual_size
from goldsmith.machine.local.room import UNFINISHED, all_held, check_name, save
from goldsmith.machine.need import need_space
from goldsmith.model.machine import DEFAULT_MEMORY, Firmware, Forward
from goldsmith.model.vm import JUST_CREATED, LocalMachine, Snapshot
from goldsmith.store.home import Home

KEY = "ssh-key"
FORWARD = re.compile(r"(?P<host>[0-9]{1,5}):(?P<guest>[0-9]{1,5})")
HIGHEST_PORT = 65535
GROWN = 16 << 40
"""The largest disk."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a machine is to be."""

    memory: int = DEFAULT_MEMORY
    """MiB."""
    cpus: int = 1
    """Virtual CPUs."""
    disk: int = 0
    """Bytes of the disk; 0 is as large as the image's."""
    firmware: Firmware | None = None
    """What starts its boot loader; ``None`` is what fits the disk."""
    forwards: tuple[Forward, ...] = ()
    """Ports into it."""
    user_data: str = ""
    """What cloud-init is given."""


def read_forward(text: str) -> Forward:
    """``HOST:GUEST``.

    Raises:
        UsageError: it is not.
    """
    match = FORWARD.fullmatch(text)
    ports = [int(match["host"]), int(match["guest"])] if match else [0]
    if not all(0 < port <= HIGHEST_PORT for port in ports):
        raise UsageError(
            f"--forward {text!r} is not HOST:GUEST",
            hint="give a port of this host and one inside: --forward 8080:80",
        )
    return Forward(*ports)


def create(home: Home, name: str, ref: str, wanted: Wanted) -> LocalMachine:
    """Make a machine; it is there whole or not at all.

    Raises:
        UsageError: the name is taken or cannot be one, or REF is no image.
        NoSpace: there is no room for what it will write.
    """
    check_name(name)
    check_forwards(wanted.forwards)
    need_space(home.path)
    origin, disk = find_origin(home, ref)
    size = virtual_size(disk, origin)
    if wanted.disk and not size <= wanted.disk <= GROWN:
        raise UsageError(
            f"a disk of {wanted.disk >> 20} MiB is too {'small' if wanted.disk < size else 'large'}: "
            f"that of {ref} has {size >> 20} MiB",
            hint="a machine's disk can be larger than its image's, not smaller",
        )
    size = -(-(wanted.disk or size) // 512) * 512
    firmware = wanted.firmware or firmware_for(disk)
    with all_held(home) as room:
        check_free(room, name)
        directory = new_directory(room)
        made = LocalMachine(
            name=name,
            uuid=new_uuid(),
            mac=new_mac(),
            origin=attach(directory, origin, disk),
            layer="",
            disk_size=size,
            memory=wanted.memory,
            cpus=wanted.cpus,
            firmware=firmware,
            forwards=wanted.forwards,
            user_data=wanted.user_data,
            created=stamp(),
            snapshots=(Snapshot(JUST_CREATED, "", created=stamp(), comment=f"as made from {ref}"),),
        )
        made = with_layer(directory, made)
        if firmware is Firmware.UEFI:
            place_uefi(directory)
        settle(directory, made, room / name)
    return made


def check_forwards(forwards: tuple[Forward, ...]) -> None:
    """Refuse a port that is named twice.

    Raises:
        UsageError: one is.
    """
    ports = [forward.host for forward in forwards]
    twice = next((port for port in ports if ports.count(port) > 1), None)
    if twice:
        raise UsageError(
            f"port {twice} of this host is forwarded twice", hint="name each port of the host once"
        )


def check_free(room: Path, name: str) -> None:
    """Refuse a name that is taken.

    Raises:
        UsageError: it is.
    """
    if os.path.lexists(room / name):
        raise UsageError(
            f"there is a machine {name!r} already",
            hint="choose another name, or delete it: goldsmith vm delete",
        )


def new_directory(room: Path) -> Path:
    """A directory for a machine that is being made; the room must be held."""
    directory = room / f"{UNFINISHED}{nonce()[:8]}"
    directory.mkdir(mode=0o700)
    return directory


def settle(directory: Path, machine: LocalMachine, target: Path) -> None:
    """Give a finished machine its place."""
    save(directory, machine)
    directory.rename(target)
    sync_directory(target.parent)


def with_layer(directory: Path, machine: LocalMachine, over: str = "") -> LocalMachine:
    """The machine with a new empty layer to write to, over another or its origin's disk."""
    return replace(machine, layer=new_layer(directory, below(machine, over), machine.disk_size))


def make_key(directory: Path, name: str) -> Path:
    """The machine's own SSH key, made when it is first wanted; where its private part lies."""
    key = directory / KEY
    if not key.exists():
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"goldsmith-{name}", "-f", str(key)])
    return key


def new_mac() -> str:
    """An address in the range that QEMU's documentation sets aside, 52:54:00."""
    word = nonce()
    return f"52:54:00:{word[:2]}:{word[2:4]}:{word[4:6]}"


def stamp() -> str:
    """The present, as records have it."""
    return now().strftime("%Y-%m-%dT%H:%M:%SZ")
