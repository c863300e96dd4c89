"""Wait until a machine that was started says from inside that it is well."""

from collections.abc import Callable
from pathlib import Path

from goldsmith.effects.clock import monotonic, sleep
from goldsmith.effects.detached import is_locked
from goldsmith.errors import CheckFailed
from goldsmith.machine.agent import is_complete, read_report, said
from goldsmith.machine.launch import read
from goldsmith.machine.local.room import RUNNING
from goldsmith.machine.local.stalled import refuse_stalled
from goldsmith.machine.qemu import CONSOLE, FIRMWARE, REPORT
from goldsmith.machine.reading import Growing
from goldsmith.machine.verdict import in_trouble, judge, silent
from goldsmith.model.machine import GuestReport
from goldsmith.model.vm import Run

LOOK_AGAIN = 0.5


def wait_until_well(
    directory: Path, run: Run, timeout: float, show: Callable[[str], None] = lambda _line: None
) -> GuestReport:
    """Wait for the guest's own word.

    Args:
        directory: the machine's.
        run: its start.
        timeout: seconds.
        show: is called with each line of the console as it comes.

    Raises:
        CheckFailed: it is not well, ended, or said nothing in time.
        NoSpace: it stands still.
    """
    deadline = monotonic() + timeout
    shown = 0
    screen, log = Growing(), Growing()
    while True:
        lives = is_locked(directory / RUNNING)
        screen.feed(read(directory / CONSOLE))
        log.feed(read(directory / FIRMWARE))
        lines = [*screen.lines, screen.tail]
        for line in screen.lines[shown:]:
            show(line)
        shown = len(screen.lines)
        words = last_boot(said(read(directory / REPORT), run.nonce))
        if is_complete(words):
            return judge(read_report(words), lines)
        trouble = screen.trouble or log.trouble
        if trouble and not (trouble.sign.talks and monotonic() < deadline):
            raise in_trouble(trouble)
        if not lives:
            raise CheckFailed(
                "the machine switched itself off before it was up", hint="look at goldsmith vm logs"
            )
        if monotonic() >= deadline:
            refuse_stalled(directory, directory.name)
            raise silent(words, lines, timeout)
        sleep(LOOK_AGAIN)


def last_boot(words: tuple[str, ...]) -> tuple[str, ...]:
    """What was said since the guest last started: every report begins with the kernel."""
    starts = [number for number, line in enumerate(words) if line.startswith("kernel ")]
    return words[starts[-1] :] if starts else words
