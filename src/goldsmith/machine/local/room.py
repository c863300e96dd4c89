"""Where local machines lie, and how what is known of one is written and read.

::

    vms/NAME/machine.json    what the machine is; written last, so a directory without it is no machine
    vms/NAME/base            the image's disk, by a hard link: it stays whatever becomes of the image
    vms/NAME/layers/*.qcow2  what was written: one layer a snapshot, and the one that is written to now
    vms/NAME/run.json        how its QEMU was started
    vms/NAME/running.lock    held by its QEMU
    vms/NAME/*.log, *.sock   its console, its report, its monitor
"""

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from goldsmith.effects.detached import is_locked, started_at
from goldsmith.effects.files import locked, write_durably
from goldsmith.effects.machine_run import boot_id
from goldsmith.errors import IntegrityError, UsageError
from goldsmith.model.canonical import plain
from goldsmith.model.machine import Accelerator, Firmware, Forward
from goldsmith.model.vm import LocalMachine, Origin, Run, Snapshot
from goldsmith.store.home import Home

ROOM = "vms"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
RECORD = "machine.json"
RUN = "run.json"
RUNNING = "running.lock"
UNFINISHED = ".new-"
DELETED = ".gone-"


def check_name(name: str, what: str = "a machine") -> str:
    """The name, if it may be one.

    Raises:
        UsageError: it may not.
    """
    if not NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be the name of {what}",
            hint="use letters, digits, '.', '_' and '-', starting with a letter or digit, at most 63",
        )
    return name


def directory_of(home: Home, name: str) -> Path:
    """A machine's directory, whether it is there or not."""
    return home / ROOM / check_name(name)


@contextmanager
def all_held(home: Home) -> Iterator[Path]:
    """Hold the room of machines, while one comes, goes or changes its name; its path.

    What a process that died has left there half made is removed.
    """
    room = home / ROOM
    room.mkdir(parents=True, exist_ok=True, mode=0o700)
    with locked(room / ".lock"):
        for prefix in (UNFINISHED, DELETED):
            for left in room.glob(f"{prefix}*"):
                shutil.rmtree(left, ignore_errors=True)
        yield room


@contextmanager
def held(home: Home, name: str) -> Iterator[LocalMachine]:
    """Hold a machine while it is changed, started or stopped; other commands on it wait.

    Raises:
        UsageError: there is no machine of this name.
    """
    find_machine(home, name)
    with locked(directory_of(home, name) / ".lock"):
        yield find_machine(home, name)


def find_machine(home: Home, name: str) -> LocalMachine:
    """A machine by its name.

    Raises:
        UsageError: there is none.
        IntegrityError: its record is damaged.
    """
    path = directory_of(home, name) / RECORD
    try:
        return read_machine({**json.loads(path.read_bytes()), "name": name})
    except FileNotFoundError as error:
        names = [machine.name for machine in all_machines(home)]
        raise UsageError(
            f"there is no machine {name!r}",
            hint=f"there are: {', '.join(names)}"
            if names
            else "make one: goldsmith vm create NAME --image REF",
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise IntegrityError(
            f"{path} is damaged: {error}",
            hint="bring it back from a backup, or remove the machine's directory",
        ) from error


def all_machines(home: Home) -> Iterator[LocalMachine]:
    """Every machine, by name."""
    for path in sorted((home / ROOM).glob(f"*/{RECORD}")):
        if not path.parent.name.startswith("."):
            with suppress(FileNotFoundError, ValueError, KeyError, TypeError):
                yield read_machine({**json.loads(path.read_bytes()), "name": path.parent.name})


def damaged(home: Home) -> Iterator[str]:
    """The names of machines whose record cannot be read, which ``all_machines`` leaves out."""
    readable = {machine.name for machine in all_machines(home)}
    for path in sorted((home / ROOM).glob(f"*/{RECORD}")):
        if not path.parent.name.startswith(".") and path.parent.name not in readable:
            yield path.parent.name


def save(directory: Path, machine: LocalMachine) -> None:
    """Write what a machine is."""
    write_durably(directory / RECORD, json.dumps(plain(machine), indent=1).encode() + b"\n", 0o600)


def read_machine(known: Mapping[str, Any]) -> LocalMachine:
    """A machine from its record."""
    return LocalMachine(
        **{
            **known,
            "origin": Origin(**known["origin"]),
            "firmware": Firmware(known["firmware"]),
            "forwards": tuple(Forward(**item) for item in known["forwards"]),
            "snapshots": tuple(Snapshot(**item) for item in known["snapshots"]),
            "foreign": tuple((name, value) for name, value in known["foreign"]),
        }
    )


def save_run(directory: Path, run: Run) -> None:
    """Write how a machine's QEMU was started."""
    write_durably(directory / RUN, json.dumps(plain(run), indent=1).encode() + b"\n", 0o600)


def running(directory: Path) -> Run | None:
    """How a machine runs; ``None`` where it does not.

    The lock that QEMU holds is what counts. The record is believed only where host, process and time agree with it.
    """
    if not is_locked(directory / RUNNING):
        return None
    with suppress(FileNotFoundError, ValueError, KeyError, TypeError):
        known = json.loads((directory / RUN).read_bytes())
        run = Run(**{**known, "accelerator": Accelerator(known["accelerator"])})
        if run.boot == boot_id() and started_at(run.pid) == run.started:
            return run
    return Run(pid=0, started=0, boot=boot_id(), ssh=0, accelerator=Accelerator.TCG, nonce="")
