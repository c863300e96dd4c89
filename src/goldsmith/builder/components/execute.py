"""ExecuteBash and ExecuteBinary: programs, their output and their exit codes."""

from goldsmith.builder.components.given import word, words
from goldsmith.builder.components.host import Host, Outcome, Ran
from goldsmith.effects.process import tail
from goldsmith.model.component import Inputs

REBOOT = 194
"""The exit code that asks for a reboot, and to be run again after it."""


def execute_bash(inputs: Inputs, host: Host, seconds: float | None) -> Outcome:
    """All commands in one script, so that ``cd`` and variables last; the exit code is the last command's."""
    script = "\n".join(words(inputs, "commands")) + "\n"
    return told(host.run(["bash"], script=script, timeout=seconds))


def execute_binary(inputs: Inputs, host: Host, seconds: float | None) -> Outcome:
    """A program by its path."""
    return told(host.run([word(inputs, "path"), *words(inputs, "arguments")], timeout=seconds))


def told(ran: Ran) -> Outcome:
    """What a program's end means for the step."""
    failure = ""
    if ran.timed_out:
        failure = "the time was over (timeoutSeconds); all that it started was killed"
    elif ran.code not in {0, REBOOT}:
        failure = f"exit code {ran.code}"
    if failure:
        last = tail(ran.stderr or ran.stdout)
        failure += "".join(f"\n  | {line}" for line in last.splitlines())
    stdout = ran.stdout.decode(errors="replace")
    return Outcome(
        outputs={"stdout": stdout.rstrip("\r\n")},
        printed=stdout + ran.stderr.decode(errors="replace"),
        failure=failure,
        timed_out=ran.timed_out,
        reboot=ran.code == REBOOT,
        recorded=ran.recorded,
    )
