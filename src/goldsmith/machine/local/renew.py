"""Give a clone an identity of its own: forget the old one inside, restart, and compare.

A machine's id is read by its first process before anything else can run, so the start that forgets it cannot be the
one that uses the new one.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from goldsmith.effects.files import write_durably
from goldsmith.errors import CheckFailed
from goldsmith.machine.channel import guest
from goldsmith.machine.identity import PER_BOOT, RENEW, ask_identity, shared
from goldsmith.machine.local.room import directory_of, save
from goldsmith.machine.local.run import PATIENCE, Start, pull_plug, start
from goldsmith.model.vm import LocalMachine, Run
from goldsmith.store.home import Home

IDENTITY = "identity.json"
SETTLED = "systemctl is-system-running --wait >/dev/null 2>&1; sync"


def renew(home: Home, machine: LocalMachine, run: Run, how: Start, show: Callable[[str], None]) -> Run:
    """Renew the identity of a clone that has just been started and is held; the start that it runs in now.

    Raises:
        Unavailable: there is no way in.
        CheckFailed: something of the old identity is still there.
    """
    directory = directory_of(home, machine.name)
    show(f"first start of a clone of {machine.cloned_from}: it gets an identity of its own, and restarts")
    with guest(directory, run.nonce, PATIENCE) as inside:
        old = machine.foreign or tuple(sorted(ask_identity(inside).items()))
        machine = replace(machine, foreign=old)
        save(directory, machine)  # if we are interrupted now, the next try still knows whose it was
        inside.check(RENEW.read_text(), timeout=PATIENCE)
    pull_plug(home, machine)
    run = start(home, machine, how)
    with guest(directory, run.nonce, PATIENCE) as inside:
        inside.run(SETTLED, timeout=PATIENCE)
        new = ask_identity(inside)
    same = shared(dict(old), new)
    if same:
        raise CheckFailed(
            f"{machine.name!r} still has these of {machine.cloned_from!r}: {', '.join(same)}",
            hint="look at what sets them inside: goldsmith vm logs; the machine was ended, and its next start tries again",
        )
    machine = replace(machine, renew=False)
    save(directory, machine)
    note_identity(directory, new)
    return run


def note_identity(directory: Path, identity: dict[str, str]) -> None:
    """Keep what a machine said of itself."""
    kept = {name: value for name, value in sorted(identity.items()) if name not in PER_BOOT}
    write_durably(directory / IDENTITY, json.dumps(kept, indent=1).encode() + b"\n", 0o600)


def known_identity(directory: Path) -> dict[str, str]:
    """What a machine has said of itself; empty where it was never asked."""
    with suppress(OSError, ValueError):
        known = json.loads((directory / IDENTITY).read_bytes())
        return {str(name): str(value) for name, value in known.items()}
    return {}
