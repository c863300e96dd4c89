"""Run commands and tell their wall time and peak memory; medians of several runs."""

import os
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SAMPLE_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a command."""

    seconds: float
    """Wall time."""
    peak: int
    """The greatest resident memory of the process itself, in bytes; its children are not counted."""
    output: str


def run(
    argv: Sequence[str], *, environment: Mapping[str, str] | None = None, directory: Path | None = None
) -> Run:
    """Run a command to its end; it must succeed."""
    start = time.perf_counter()
    with subprocess.Popen(
        argv,
        env={**os.environ, **(environment or {})},
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        peaks = [0]
        watcher = threading.Thread(target=_watch, args=(process.pid, peaks))
        watcher.start()
        output, errors = process.communicate()
        seconds = time.perf_counter() - start
        watcher.join()
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(argv)} failed:\n{errors[-3000:]}")
    return Run(seconds, peaks[0], output)


def _watch(pid: int, peaks: list[int]) -> None:
    while True:
        try:
            text = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            return
        found = [line.split()[1] for line in text.splitlines() if line.startswith("VmHWM:")]
        if not found:
            return
        peaks[0] = max(peaks[0], int(found[0]) * 1024)
        time.sleep(SAMPLE_SECONDS)


def median(action: Callable[[int], Run], times: int) -> Run:
    """The run with the median time; ``action`` is told which run it is, from 0."""
    runs = [action(number) for number in range(times)]
    middle = statistics.median_low([one.seconds for one in runs])
    return next(one for one in runs if one.seconds == middle)


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows as aligned columns; the first is the heading."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
