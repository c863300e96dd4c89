"""How a build tells what it does: live on a terminal, plain lines in a log. Always on standard error."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from goldsmith.builder.execute import Listener
from goldsmith.cli.units import bytes_of

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

MEGABYTE = 1_000_000


class Lines:
    """Plain lines, for a log."""

    def __init__(self) -> None:
        self._shown = (-1, 0)

    def say(self, text: str) -> None:
        """One line."""
        print(text, file=sys.stderr, flush=True)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave the terminal to somebody else: nothing to do."""
        yield

    def step_started(self, name: str) -> None:
        """Nothing: the end of a step is a line."""

    def step_ended(self, name: str, *, seconds: float, cached: bool) -> None:
        """A line for the step."""
        self.say(f"{name}: {'unchanged' if cached else f'{seconds:.1f} s'}")

    def downloading(self, done: int, total: int) -> None:
        """A line for each tenth."""
        self.moving("downloads", done, total)

    def moving(self, what: str, done: int, total: int) -> None:
        """A line for each tenth of ``what``, or for each megabyte if that is more; and one at the end."""
        if not total:
            return
        tenth, (before, shown) = 10 * done // total, self._shown
        if tenth != before and (done == total or not 0 < done - shown < MEGABYTE):
            self._shown = tenth, done
            self.say(f"{what}: {bytes_of(done)} of {bytes_of(total)}")

    def warn(self, message: str) -> None:
        """A warning."""
        self.say(f"warning: {message}")


class Live:
    """Running steps with their time, and a bar with an estimate for downloads, on a terminal."""

    def __init__(self, progress: "Progress") -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}
        self._cached = 0

    def say(self, text: str) -> None:
        """One line above the live part."""
        self._progress.console.print(text, highlight=False, markup=False)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave the terminal to somebody else."""
        self._progress.stop()
        try:
            yield
        finally:
            self._progress.start()

    def step_started(self, name: str) -> None:
        """A running line."""
        self._tasks[name] = self._progress.add_task(name, total=None)

    def step_ended(self, name: str, *, seconds: float, cached: bool) -> None:
        """The running line becomes a printed one."""
        task = self._tasks.pop(name, None)
        if task is not None:
            self._progress.remove_task(task)
        self.say(f"  {name:<40} {'unchanged' if cached else f'{seconds:6.1f} s'}")

    def downloading(self, done: int, total: int) -> None:
        """The bar."""
        self.moving("downloads", done, total)

    def moving(self, what: str, done: int, total: int) -> None:
        """A bar for ``what``."""
        if not total:
            return
        if what not in self._tasks:
            self._tasks[what] = self._progress.add_task(what, total=total)
        self._progress.update(self._tasks[what], completed=done, total=total)
        if done >= total:
            self._progress.remove_task(self._tasks.pop(what))

    def warn(self, message: str) -> None:
        """A warning."""
        self.say(f"warning: {message}")


class Teller(Listener):
    """A listener that can also say a line."""

    def say(self, text: str) -> None:
        """One line."""


@contextmanager
def progress_on_stderr() -> Iterator[Lines | Live]:
    """A live display if standard error is a terminal, else plain lines."""
    if not sys.stderr.isatty():
        yield Lines()
        return
    from goldsmith.cli.live import live_progress  # noqa: PLC0415 - a log does without it

    with live_progress() as progress:
        yield Live(progress)
