"""What came of a document, its phases and its steps."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from goldsmith.model.component import Inputs

Status = Literal["Success", "Failed", "TimedOut", "IgnoredFailure", "Skipped"]
DocumentStatus = Literal["Success", "SuccessWithIgnoredFailure", "Failed", "TimedOut"]


@dataclass(frozen=True, slots=True)
class StepResult:
    """What came of a step."""

    name: str
    """The step's name."""
    action: str
    """Its action module."""
    status: Status
    """How it ended."""
    started: datetime
    """When it began, in UTC."""
    ended: datetime
    """When it ended, in UTC."""
    failure: str = ""
    """Why it failed; empty if it did not."""
    attempts: int = 0
    """How often it was tried."""
    rounds: int = 1
    """How many rounds its loop had."""
    inputs: tuple[Inputs, ...] = ()
    """Its sets of inputs, rendered; those of the last round of a loop."""
    outputs: tuple[dict[str, str], ...] = ()
    """The outputs of each set; those of several rounds are joined by line breaks."""
    recorded: tuple[str, ...] = ()
    """What was asked for and not done, as reboots and started services."""


@dataclass(frozen=True, slots=True)
class PhaseResult:
    """What came of a phase."""

    name: str
    """The phase's name."""
    steps: tuple[StepResult, ...]
    """The steps that were reached."""

    @property
    def status(self) -> DocumentStatus:
        """The worst of its steps."""
        return worst(tuple(step.status for step in self.steps))


@dataclass(frozen=True, slots=True)
class DocumentResult:
    """What came of a document."""

    name: str
    """The document's name."""
    path: str
    """Its file."""
    phases: tuple[PhaseResult, ...]
    """The phases that were reached."""
    started: datetime
    """When it began, in UTC."""
    ended: datetime
    """When it ended, in UTC."""
    aborted: bool = False
    """Whether a failure stopped it before its end."""
    log: str = field(default="", compare=False)
    """The directory of its logs."""

    @property
    def status(self) -> DocumentStatus:
        """The worst of its steps."""
        return worst(tuple(step.status for phase in self.phases for step in phase.steps))

    @property
    def failed(self) -> bool:
        """Whether it failed; ignored failures do not count."""
        return self.status in {"Failed", "TimedOut"}

    @property
    def failures(self) -> tuple[tuple[str, StepResult], ...]:
        """The steps that failed, with their phase's name, without the ignored ones."""
        return tuple(
            (phase.name, step)
            for phase in self.phases
            for step in phase.steps
            if step.status in {"Failed", "TimedOut"}
        )

    @property
    def recorded(self) -> tuple[str, ...]:
        """All that was asked for and not done."""
        return tuple(line for phase in self.phases for step in phase.steps for line in step.recorded)


def worst(statuses: tuple[Status, ...]) -> DocumentStatus:
    """What steps make of the whole: skipped ones are successes."""
    if "Failed" in statuses:
        return "Failed"
    if "TimedOut" in statuses:
        return "TimedOut"
    return "SuccessWithIgnoredFailure" if "IgnoredFailure" in statuses else "Success"
