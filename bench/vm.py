"""What machines cost beside the guest's own time: created, cloned, snapshotted, reverted.

    script/bench vm --image REF [--home GOLDSMITH_HOME] [--times N]

Times the work within one process, without Python's start, on machines that have been written to; medians.
"""

import argparse
import os
import statistics
import subprocess
from collections.abc import Callable
from pathlib import Path

from goldsmith.effects.clock import monotonic
from goldsmith.machine.local.clone import clone
from goldsmith.machine.local.create import Wanted, create
from goldsmith.machine.local.layers import layer_path
from goldsmith.machine.local.lifecycle import delete
from goldsmith.machine.local.room import all_machines, directory_of, find_machine
from goldsmith.machine.local.snapshots import revert, take
from goldsmith.store.home import Home, find_home
from measure import table

WRITTEN = "write -q -P 7 1M 64M"
PREFIX = f"bench{os.getpid()}"


def timed(act: Callable[[], object]) -> float:
    """Seconds of one act."""
    begun = monotonic()
    act()
    return monotonic() - begun


def write(home: Home, name: str) -> None:
    """Let a machine have written 64 MiB."""
    path = layer_path(directory_of(home, name), find_machine(home, name).layer)
    subprocess.run(["qemu-io", "-f", "qcow2", "-c", WRITTEN, str(path)], check=True)


def one_round(home: Home, image: str, number: int) -> dict[str, float]:
    """Every act once."""
    name, other = f"{PREFIX}-{number}", f"{PREFIX}-{number}-clone"
    found = {"create": timed(lambda: create(home, name, image, Wanted()))}
    write(home, name)
    found["snapshot"] = timed(lambda: take(home, find_machine(home, name), "a"))
    write(home, name)
    found["linked clone"] = timed(lambda: clone(home, find_machine(home, name), other, full=False))
    write(home, name)
    found["revert"] = timed(lambda: revert(home, find_machine(home, name), "a"))
    found["delete"] = timed(lambda: delete(home, find_machine(home, name), force=True))
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--image", required=True)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--times", type=int, default=9)
    asked = parser.parse_args()
    home = Home(asked.home.absolute()) if asked.home else find_home()
    try:
        one_round(home, asked.image, 0)  # the image's disk may have to be made first
        rounds = [one_round(home, asked.image, number) for number in range(1, asked.times + 1)]
    finally:
        for machine in list(all_machines(home)):
            if machine.name.startswith(PREFIX):
                delete(home, machine, force=True)
    goals = {"create": 0.1, "linked clone": 0.1, "revert": 1.0}
    rows = [
        (
            act,
            f"{statistics.median(item[act] for item in rounds):.3f} s",
            f"{goals[act]:g} s" if act in goals else "",
        )
        for act in rounds[0]
    ]
    print(table([("act", "median", "goal"), *rows]))


if __name__ == "__main__":
    main()
