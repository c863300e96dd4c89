"""Copy a machine. A linked clone shares what was written so far by hard links; it outlives the machine it came from.

What a machine has become (machine id, host keys, …) must not be two machines' own: a clone of one that was written to
is given an identity of its own at its first start, and that is verified (``identity``).
"""

import os
import shutil
from dataclasses import replace
from pathlib import Path

from goldsmith.effects.files import free_bytes
from goldsmith.effects.process import run
from goldsmith.effects.randomness import new_uuid
from goldsmith.errors import NoSpace
from goldsmith.machine.firmware import VARIABLES
from goldsmith.machine.local.create import check_free, new_directory, new_mac, settle, stamp, with_layer
from goldsmith.machine.local.layers import BASE, LAYERS, is_untouched, layer_path, parents
from goldsmith.machine.local.origin import need_origin
from goldsmith.machine.local.room import all_held, check_name, directory_of
from goldsmith.machine.local.snapshots import find_snapshot, free_name, refuse_running, take
from goldsmith.machine.need import need_space
from goldsmith.model.vm import JUST_CREATED, LocalMachine, Origin, Snapshot
from goldsmith.store.home import Home

CLONED = "clone"


def clone(home: Home, source: LocalMachine, name: str, *, full: bool, snapshot: str = "") -> LocalMachine:
    """Copy a machine that is held; the copy is there whole or not at all.

    Args:
        home: the data directory.
        source: the machine.
        name: that of the copy.
        full: whether the copy has all bytes of its own.
        snapshot: what is copied; without one, the machine as it is, which must not run then.

    Raises:
        UsageError: the name is taken or cannot be one; there is no such snapshot; the machine runs.
        NoSpace: there is no room.
        IntegrityError: the disk that the source was made from is gone.
    """
    check_name(name)
    need_space(home.path)
    need_origin(directory_of(home, source.name), source)
    if not snapshot:
        refuse_running(home, source, "clone")
        source, snapshot = _closed(home, source)
    wanted = find_snapshot(source, snapshot)
    origin_directory = directory_of(home, source.name)
    with all_held(home) as room:
        check_free(room, name)
        directory = new_directory(room)
        renew = wanted.renew or bool(wanted.layer)
        comment = f"{source.name}, {snapshot}"
        made = replace(
            source,
            name=name,
            uuid=new_uuid(),
            mac=new_mac(),
            forwards=(),
            created=stamp(),
            cloned_from=source.name,
            current=JUST_CREATED,
            snapshots=(Snapshot(JUST_CREATED, wanted.layer, "", stamp(), comment, renew),),
            renew=renew,
            foreign=(),
        )
        if full:
            made = _copy(origin_directory, directory, made, wanted.layer)
        else:
            _link(origin_directory, directory, wanted.layer)
        made = with_layer(directory, made, made.snapshots[0].layer)
        if (origin_directory / VARIABLES).exists():
            shutil.copyfile(origin_directory / VARIABLES, directory / VARIABLES)
        settle(directory, made, room / name)
    return made


def _closed(home: Home, source: LocalMachine) -> tuple[LocalMachine, str]:
    """The machine with all it has written in a snapshot, and that snapshot's name."""
    if is_untouched(directory_of(home, source.name), source.layer):
        return source, source.current
    name = free_name(source, CLONED)
    return take(home, source, name, "made by a clone"), name


def _link(source: Path, target: Path, layer: str) -> None:
    """Give the clone its own names for the layers below, and for the image's disk."""
    if (source / BASE).exists():
        os.link(source / BASE, target / BASE)
    (target / LAYERS).mkdir(mode=0o700)
    known = parents(source)
    while layer:
        os.link(layer_path(source, layer), layer_path(target, layer))
        layer = known[layer]


def _copy(source: Path, target: Path, made: LocalMachine, layer: str) -> LocalMachine:
    """Give the clone one disk of its own with all bytes."""
    disk = layer_path(source, layer) if layer else Path(made.origin.path or source / BASE)
    size = (
        sum(path.stat().st_blocks * 512 for path in (source / LAYERS).iterdir()) + disk.stat().st_blocks * 512
    )
    if size > free_bytes(target):
        raise NoSpace(
            f"a full clone of {made.cloned_from!r} needs up to {size >> 20} MiB",
            hint="make a linked clone, which takes next to nothing: leave out --full",
        )
    kind = "qcow2" if layer else made.origin.format
    (target / LAYERS).mkdir(mode=0o700)
    copy = target / BASE
    run(["qemu-img", "convert", "-f", kind, "-O", "qcow2", str(disk), str(copy)])
    facts = copy.stat()
    origin = Origin(
        made.origin.reference,
        made.origin.digest,
        format="qcow2",
        size=facts.st_size,
        modified=facts.st_mtime_ns,
        built=made.origin.built,
    )
    return replace(made, origin=origin, snapshots=(replace(made.snapshots[0], layer=""),))
