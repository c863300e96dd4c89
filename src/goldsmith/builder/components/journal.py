"""The log directory of a document, with the names that awstoe gives its files.

::

    document.yaml         the document as it was run
    console.log           what the steps printed
    application.log       what the engine did, a line each
    detailedoutput.json   status, inputs, outputs and failures of each phase and step
    chaining.json         what later steps can refer to
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from goldsmith.builder.components.result import DocumentResult, StepResult
from goldsmith.effects.clock import now
from goldsmith.model.component import Document

Report = Callable[[str], None]


def silent(_: str) -> None:
    """A report that nobody reads."""


@dataclass(frozen=True, slots=True)
class Journal:
    """Writes the log directory of one document while it runs."""

    directory: Path
    """Made if it is missing."""
    report: Report = silent
    """Hears every line of the application log."""

    def begin(self, document: Document) -> None:
        """Make the directory, and keep the document; a run before this one is forgotten."""
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / "document.yaml").write_text(document.text, encoding="utf-8")
        for name in ("console.log", "application.log"):
            (self.directory / name).write_text("")

    def note(self, line: str) -> None:
        """A line of the application log."""
        with (self.directory / "application.log").open("a", encoding="utf-8", errors="replace") as stream:
            stream.write(f"{stamp(now())} {line}\n")
        self.report(line)

    def printed(self, text: str) -> None:
        """What a step printed."""
        if text:
            with (self.directory / "console.log").open("a", encoding="utf-8", errors="replace") as stream:
                stream.write(text if text.endswith("\n") else f"{text}\n")

    def end(self, document: Document, result: DocumentResult) -> None:
        """The two JSON files."""
        _write(self.directory / "detailedoutput.json", detailed(document, result))
        _write(self.directory / "chaining.json", chaining(result))


def _write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def stamp(moment: datetime) -> str:
    """A moment as it is written in logs."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def detailed(document: Document, result: DocumentResult) -> dict[str, object]:
    """A document's outcome as JSON."""
    steps = {(phase.name, step.name): step for phase in document.phases for step in phase.steps}

    def one(phase: str, step: StepResult) -> dict[str, object]:
        asked = steps[phase, step.name]
        return {
            "name": step.name,
            "action": step.action,
            "status": step.status,
            "failureMessage": step.failure,
            "startTime": stamp(step.started),
            "endTime": stamp(step.ended),
            "timeoutSeconds": -1 if asked.timeout_seconds is None else asked.timeout_seconds,
            "onFailure": asked.on_failure,
            "maxAttempts": asked.max_attempts,
            "attempts": step.attempts,
            "rounds": step.rounds,
            "inputs": [dict(inputs) for inputs in step.inputs],
            "outputs": list(step.outputs),
            "recorded": list(step.recorded),
        }

    return {
        "name": result.name,
        "description": document.description,
        "filePath": result.path,
        "status": result.status,
        "failureMessage": "; ".join(
            f"{phase}.{step.name}: {step.failure}" for phase, step in result.failures
        ),
        "startTime": stamp(result.started),
        "endTime": stamp(result.ended),
        "phases": [
            {
                "name": phase.name,
                "status": phase.status,
                "startTime": stamp(phase.steps[0].started) if phase.steps else "",
                "endTime": stamp(phase.steps[-1].ended) if phase.steps else "",
                "steps": [one(phase.name, step) for step in phase.steps],
            }
            for phase in result.phases
        ],
        "recorded": list(result.recorded),
    }


def chaining(result: DocumentResult) -> dict[str, object]:
    """What ``{{ phase.step.inputs.x }}`` and ``{{ phase.step.outputs.x }}`` can refer to."""
    return {
        phase.name: {
            step.name: {"inputs": [dict(inputs) for inputs in step.inputs], "outputs": list(step.outputs)}
            for step in phase.steps
            if step.status == "Success"
        }
        for phase in result.phases
    }
