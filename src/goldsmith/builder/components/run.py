"""Run a document: phases and steps in order, with conditions, loops, retries, deadlines and what failures mean.

- ``if`` is asked once, before the first attempt.
- ``timeoutSeconds`` is the time of one attempt, all rounds of a loop together; ``maxAttempts`` starts it anew.
- ``onFailure``: Abort stops the document, Continue goes on and fails it at its end, Ignore goes on.
- Exit code 194 asks for a reboot and to be run again: that is recorded, and the step is run again at once, three
  times at most; then it counts as done.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from goldsmith.builder.components.asserting import described, holds
from goldsmith.builder.components.given import complete
from goldsmith.builder.components.host import Host, Outcome
from goldsmith.builder.components.journal import Journal, Report, silent
from goldsmith.builder.components.modules import MODULES
from goldsmith.builder.components.result import DocumentResult, PhaseResult, Status, StepResult
from goldsmith.effects.clock import monotonic, now
from goldsmith.errors import GoldsmithError
from goldsmith.model.component import Document, Inputs, Step
from goldsmith.recipe.component_values import (
    Chain,
    Round,
    UnknownValue,
    render,
    render_inputs,
    rounds,
    variables_of,
)

RERUNS = 3
"""How often exit code 194 runs a step again."""
LONG_LINE = 6
"""How long a line of a secret must be to be hidden by itself."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of one attempt at a step."""

    failure: str = ""
    timed_out: bool = False
    rounds: int = 1
    inputs: tuple[Inputs, ...] = ()
    outputs: tuple[dict[str, str], ...] = ()
    recorded: tuple[str, ...] = ()


def run_document(
    document: Document,
    host: Host,
    *,
    log_directory: Path,
    phases: Sequence[str] | None = None,
    parameters: Mapping[str, str] | None = None,
    earlier: DocumentResult | None = None,
    report: Report = silent,
    hidden: Sequence[str] = (),
) -> DocumentResult:
    """Run a document's phases in the document's order; a failing step makes a result, not an exception.

    Args:
        document: what is run.
        host: where its steps act.
        log_directory: gets the files of ``journal``; made if it is missing.
        phases: the names of the phases to run, all if None; names that the document does not have are passed over.
        parameters: values for the document's parameters; other names are passed over.
        earlier: an earlier run of the same document, whose phases can be referred to.
        report: hears a line for each thing that happens.
        hidden: secrets; where a step prints one, three stars stand in logs, outputs and the result instead.

    Raises:
        InputError: a parameter has no value.
    """
    journal = Journal(log_directory, report)
    runner = _Runner(host, journal, variables_of(document, parameters or {}), _to_hide(hidden))
    journal.begin(document)
    runner.remember(earlier)
    started, results, aborted = now(), [], False
    for phase in document.phases:
        if aborted or (phases is not None and phase.name not in phases):
            continue
        journal.note(f"phase {phase.name}")
        steps: list[StepResult] = []
        for step in phase.steps:
            steps.append(runner.step(phase.name, step))
            runner.done[phase.name, step.name] = steps[-1]
            aborted = steps[-1].status in {"Failed", "TimedOut"} and step.on_failure == "Abort"
            if aborted:
                break
        results.append(PhaseResult(phase.name, tuple(steps)))
    result = DocumentResult(
        document.name, document.path, tuple(results), started, now(), aborted, str(log_directory)
    )
    journal.note(f"document {document.name}: {result.status}")
    journal.end(document, result)
    return result


@dataclass(slots=True)
class _Runner:
    """What the steps of one document share: where they act, and what the ones before gave."""

    host: Host
    journal: Journal
    variables: Mapping[str, str]
    hidden: tuple[str, ...] = ()
    done: dict[tuple[str, str], StepResult] = field(default_factory=dict)

    def remember(self, earlier: DocumentResult | None) -> None:
        """Let references find the steps of an earlier run."""
        if earlier is not None:
            self.done.update(
                {(phase.name, step.name): step for phase in earlier.phases for step in phase.steps}
            )

    def step(self, phase: str, step: Step) -> StepResult:
        """Run one step to its end."""
        started, attempts, attempt, skipped = now(), 0, Attempt(), False
        try:
            branch = self._branch(step)
        except (UnknownValue, GoldsmithError, OSError) as error:
            branch, attempt = "Abort", Attempt(failure=f"its condition cannot be told: {_said(error)}")
        if branch == "Skip":
            skipped = True
        elif branch == "Abort":
            attempt = attempt if attempt.failure else Attempt(failure="its condition says Abort")
        else:
            recorded: tuple[str, ...] = ()
            while attempts < step.max_attempts:
                attempts += 1
                self.journal.note(
                    f"step {phase}.{step.name}: {step.action}"
                    + (f", attempt {attempts}" if attempts > 1 else "")
                )
                attempt = self._attempt(step)
                recorded += attempt.recorded
                if not attempt.failure:
                    break
                self.journal.note(f"step {phase}.{step.name}: {attempt.failure}")
            attempt = replace(attempt, recorded=recorded)
        status = _status(attempt, step, skipped=skipped)
        self.journal.note(f"step {phase}.{step.name}: {status}")
        return StepResult(
            step.name, step.action, status, started, now(), attempt.failure, attempts, attempt.rounds,
            attempt.inputs, attempt.outputs, attempt.recorded,
        )  # fmt: skip

    def _branch(self, step: Step) -> str:
        """Execute, Skip or Abort."""
        if step.condition is None:
            return "Execute"
        true = holds(step.condition.condition, self.host, self._put(step, None))
        return step.condition.then if true else step.condition.otherwise

    def _put(self, step: Step, current: Round | None) -> Callable[[str], str]:
        """Renders the texts of a step."""
        name = step.loop.name if step.loop else None
        return lambda text: render(text, self.variables, self._chained, loop=name, current=current)

    def _chained(self, chain: Chain) -> str:
        """What a step was given or gave."""
        shown = f"{{{{ {chain.phase}.{chain.step}.{chain.side}.{chain.field} }}}}"
        result = self.done.get((chain.phase, chain.step))
        if result is None or result.status != "Success":
            how = "has not run" if result is None else f"ended as {result.status}"
            raise UnknownValue(f"{shown}: the step {how}")
        sets: Sequence[Mapping[str, str | tuple[str, ...]]]
        sets = result.inputs if chain.side == "inputs" else result.outputs
        value = sets[chain.set].get(chain.field) if chain.set < len(sets) else None
        if isinstance(value, tuple):
            if chain.item is None:
                return "\n".join(value)
            value = value[chain.item] if chain.item < len(value) else None
        if value is None:
            raise UnknownValue(f"{shown}: there is no such value")
        return value

    def _attempt(self, step: Step) -> Attempt:
        """All rounds of a step, once."""
        end = None if step.timeout_seconds is None else monotonic() + step.timeout_seconds
        try:
            turns: Sequence[Round | None] = rounds(step.loop, self._put(step, None)) if step.loop else (None,)
        except (UnknownValue, GoldsmithError) as error:
            return Attempt(failure=_said(error))
        whole = Attempt(rounds=len(turns))
        for current in turns:
            one = self._round(step, current, end)
            where = (
                f"round {current.index} ({current.value!r}): " if current is not None and one.failure else ""
            )
            whole = Attempt(
                where + one.failure,
                one.timed_out,
                len(turns),
                one.inputs,
                _joined(whole.outputs, one.outputs),
                whole.recorded + one.recorded,
            )
            if one.failure:
                break
        return whole

    def _round(self, step: Step, current: Round | None, end: float | None) -> Attempt:
        """All sets of inputs of a step, once."""
        module, put = MODULES[step.action], self._put(step, current)
        given: list[Inputs] = []
        outputs: list[dict[str, str]] = []
        recorded: tuple[str, ...] = ()
        outcome = Outcome()
        try:
            if step.action == "Assert":
                false = tuple(described(one, put) for one in step.asserted if not holds(one, self.host, put))
                sets: tuple[Inputs, ...] = ({"false": false},)
            else:
                sets = tuple(render_inputs(inputs, put) for inputs in step.inputs)
            for inputs in sets:
                given.append(
                    inputs if step.action == "Assert" else complete(module.action, inputs, self.host.cwd)
                )
                outcome = self._settled(step, given[-1], end)
                recorded += outcome.recorded
                if outcome.failure:
                    break
                outputs.append(dict(outcome.outputs))
        except (UnknownValue, GoldsmithError, OSError, ValueError, RecursionError) as error:
            outcome = self._censored(Outcome(failure=_said(error)))
        return Attempt(outcome.failure, outcome.timed_out, 1, tuple(given), tuple(outputs), recorded)

    def _censored(self, outcome: Outcome) -> Outcome:
        """The outcome without secrets."""
        if not self.hidden:
            return outcome

        def clean(text: str) -> str:
            for secret in self.hidden:
                text = text.replace(secret, "***")
            return text

        return replace(
            outcome,
            outputs={name: clean(value) for name, value in outcome.outputs.items()},
            printed=clean(outcome.printed),
            failure=clean(outcome.failure),
            recorded=tuple(clean(line) for line in outcome.recorded),
        )

    def _settled(self, step: Step, inputs: Inputs, end: float | None) -> Outcome:
        """One set of inputs, run again for as long as it asks for reboots."""
        recorded: tuple[str, ...] = ()
        outcome = Outcome()
        for _ in range(1 + RERUNS):
            seconds = None if end is None else end - monotonic()
            if seconds is not None and seconds <= 0:
                return Outcome(
                    failure="the time was over (timeoutSeconds)", timed_out=True, recorded=recorded
                )
            outcome = self._censored(MODULES[step.action].run(inputs, self.host, seconds))
            self.journal.printed(outcome.printed)
            recorded += outcome.recorded
            if not outcome.reboot:
                break
            recorded += (self.host.reboot(0),)
        return replace(outcome, recorded=recorded)


def _to_hide(secrets: Sequence[str]) -> tuple[str, ...]:
    """What is looked for: each secret, and its longer lines, since they may be printed one by one; longest first."""
    texts = {secret.strip() for secret in secrets}
    texts |= {
        line.strip() for secret in secrets for line in secret.splitlines() if len(line.strip()) >= LONG_LINE
    }
    return tuple(sorted(texts - {""}, key=lambda text: (-len(text), text)))


def _joined(
    before: tuple[dict[str, str], ...], after: tuple[dict[str, str], ...]
) -> tuple[dict[str, str], ...]:
    """The outputs of rounds: each output's texts joined by line breaks."""
    if not before:
        return after
    pairs = zip(before, after, strict=False)
    return tuple({name: f"{old[name]}\n{new[name]}" for name in old if name in new} for old, new in pairs)


def _status(attempt: Attempt, step: Step, *, skipped: bool) -> Status:
    if skipped:
        return "Skipped"
    if not attempt.failure:
        return "Success"
    if step.on_failure == "Ignore":
        return "IgnoredFailure"
    return "TimedOut" if attempt.timed_out else "Failed"


def _said(error: Exception) -> str:
    """An error as one failure message."""
    if isinstance(error, OSError):
        return f"{error.strerror or error}: {error.filename!r}" if error.filename else str(error)
    if isinstance(error, GoldsmithError):
        return f"{error.message}\n  hint: {error.hint}"
    return str(error)
