"""What this host has to spare for guests."""

import os
import re
from pathlib import Path

from goldsmith.effects.clock import sleep

SPARE_MEMORY = 512 << 20
"""Bytes that stay free for the host when guests run."""
MEMORY = Path("/proc/meminfo")
PROCESSORS = Path("/proc/stat")
SAMPLE = 0.5
"""Seconds: the load average remembers a minute of what is over, such as the build just before."""
TAKEN = 0.6
"""The part of a processor that may be in use where an emulated guest is to have it."""
PRESSURE = Path("/proc/pressure/cpu")
WAITED = re.compile(r"^some .*\bavg60=([0-9.]+)", re.MULTILINE)
MUCH = 30.0
"""Percent of the last minute in which somebody waited for a processor; two guests on two processors: below 10."""
MANY = 1.5
"""Threads that want each processor, where the kernel does not tell how long they waited."""
IDLE = slice(3, 5)
"""Where ``idle`` and ``iowait`` stand in a line of /proc/stat; proc(5)."""


def has_room(guests: int, memory: int, *, emulated: bool) -> bool:
    """Whether guests can run side by side.

    Emulated CPUs need a processor each: a guest that gets too little of one gives up waiting for its own devices.

    Args:
        guests: how many.
        memory: MiB of each.
        emulated: whether their CPUs are.
    """
    if free_memory() < guests * (memory << 20) + SPARE_MEMORY:
        return False
    return not emulated or idle_processors() >= guests - TAKEN


def free_memory(told: Path = MEMORY) -> int:
    """Bytes of memory that this host can give."""
    for line in told.read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) << 10
    return 0


def idle_processors() -> float:
    """How many of the processors that we may use do nothing at present."""
    before = _times(PROCESSORS.read_text())
    sleep(SAMPLE)
    return idle_between(before, _times(PROCESSORS.read_text()))


def idle_between(before: dict[str, list[int]], after: dict[str, list[int]]) -> float:
    """The processors that did nothing between two readings."""
    idle = 0.0
    for name in before.keys() & after.keys() & {f"cpu{number}" for number in os.sched_getaffinity(0)}:
        spent = [late - early for early, late in zip(before[name], after[name], strict=True)]
        idle += sum(spent[IDLE]) / sum(spent) if sum(spent) else 1.0
    return idle


def _times(text: str) -> dict[str, list[int]]:
    """Hundredths of seconds by processor and kind; without those of guests, which stand in others too."""
    lines = (line.split() for line in text.splitlines() if line.startswith("cpu"))
    return {name: [int(number) for number in numbers[:8]] for name, *numbers in lines}


def is_busy(told: Path = PRESSURE) -> bool:
    """Whether processors were wanted by more than there are: emulated guests then miss their deadlines."""
    try:
        found = WAITED.search(told.read_text())
    except OSError:  # a kernel without pressure stall information
        found = None
    if found:
        return float(found[1]) > MUCH
    return os.getloadavg()[0] > MANY * len(os.sched_getaffinity(0))
