"""The live display: a spinner and the time for steps; bytes, speed and an estimate for downloads."""

from rich.console import Console
from rich.progress import (
    DownloadColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

REFRESH_PER_SECOND = 5


class OfDownloads(ProgressColumn):
    """A column that steps, whose end nobody knows, leave empty."""

    def __init__(self, column: ProgressColumn) -> None:
        self._column = column
        super().__init__()

    def render(self, task: Task) -> Text:
        """The column, or nothing."""
        if task.total is None:
            return Text()
        shown = self._column.render(task)
        return shown if isinstance(shown, Text) else Text(str(shown))


def live_progress() -> Progress:
    """The display, on standard error; it vanishes when it is done."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        OfDownloads(DownloadColumn()),
        OfDownloads(TransferSpeedColumn()),
        OfDownloads(TimeRemainingColumn()),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
        refresh_per_second=REFRESH_PER_SECOND,
    )
