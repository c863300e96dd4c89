import json
import re
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from goldsmith.builder.components.result import DocumentResult
from goldsmith.errors import InputError

Runner = Callable[..., DocumentResult]


def bash(name: str, command: str, more: str = "") -> str:
    lines = "".join(f"  {line}\n" for line in more.splitlines())
    return (
        f"- name: {name}\n  action: ExecuteBash\n{lines}  inputs:\n    commands:\n    - |\n      {command}\n"
    )


def phased(**phases: str) -> str:
    inner = "".join(
        f"- name: {name}\n  steps:\n{textwrap.indent(steps, '  ')}" for name, steps in phases.items()
    )
    return f"schemaVersion: 1.0\nphases:\n{inner}"


def stdout(result: DocumentResult, name: str) -> str:
    return next(step for phase in result.phases for step in phase.steps if step.name == name).outputs[0][
        "stdout"
    ]


def statuses(result: DocumentResult) -> str:
    return " ".join(f"{step.name}={step.status}" for phase in result.phases for step in phase.steps)


@pytest.mark.parametrize(
    ("first", "then", "whole"),
    [
        pytest.param("", "A=Failed", "Failed", id="Abort is the default and stops the document"),
        pytest.param("onFailure: Abort", "A=Failed", "Failed", id="Abort stops the document"),
        pytest.param(
            "onFailure: Continue", "A=Failed B=Success C=Success", "Failed", id="Continue goes on and fails"
        ),
        pytest.param(
            "onFailure: Ignore",
            "A=IgnoredFailure B=Success C=Success",
            "SuccessWithIgnoredFailure",
            id="Ignore goes on and succeeds",
        ),
    ],
)
@pytest.mark.parametrize("how", ["exit 3", "false"])
def test_what_a_failure_means(run: Runner, first: str, then: str, whole: str, how: str) -> None:
    text = bash("A", how, first) + bash("B", "true") + "- name: C\n  action: Reboot\n"
    result = run(text)
    assert statuses(result) == then
    assert result.status == whole
    assert result.failed == (whole == "Failed")


def test_an_abort_stops_later_phases_too_and_continue_does_not(run: Runner) -> None:
    for more, phases in (("", ["build"]), ("onFailure: Continue", ["build", "validate"])):
        result = run(phased(build=bash("A", "false", more), validate=bash("B", "true")))
        assert [phase.name for phase in result.phases] == phases
        assert result.phases[0].status == "Failed"


@pytest.mark.parametrize(
    ("attempts", "status", "tries"),
    [
        pytest.param(1, "Failed", 1, id="one attempt is too few"),
        pytest.param(2, "Failed", 2, id="two attempts are too few"),
        pytest.param(3, "Success", 3, id="the third attempt succeeds"),
        pytest.param(9, "Success", 3, id="no more attempts than needed"),
    ],
)
def test_attempts(run: Runner, tmp_path: Path, attempts: int, status: str, tries: int) -> None:
    count = f"echo x >>{tmp_path}/count; test $(wc -l <{tmp_path}/count) -ge 3"
    result = run(bash("A", count, f"maxAttempts: {attempts}"))
    assert statuses(result) == f"A={status}"
    assert result.phases[0].steps[0].attempts == tries
    assert (tmp_path / "count").read_text().count("x") == tries


def test_a_retry_runs_all_rounds_again(run: Runner, tmp_path: Path) -> None:
    command = f"echo {{{{ loop.value }}}} >>{tmp_path}/log2; test {{{{ loop.value }}}} = a || test -e {tmp_path}/again || (touch {tmp_path}/again; false)"
    result = run(bash("A", command, "maxAttempts: 2\nloop: {forEach: [a, b]}"))
    assert statuses(result) == "A=Success"
    assert (tmp_path / "log2").read_text().split() == ["a", "b", "a", "b"]


def test_a_deadline_kills_all_that_the_step_started(run: Runner, tmp_path: Path) -> None:
    began = time.monotonic()
    command = f"(sleep 4; touch {tmp_path}/late) & echo begun; sleep 60"
    result = run(bash("A", command, "timeoutSeconds: 2"))
    assert time.monotonic() - began < 30
    assert (result.status, statuses(result)) == ("TimedOut", "A=TimedOut")
    assert result.failures[0][1].failure == (
        "the time was over (timeoutSeconds); all that it started was killed\n  | begun"
    )
    time.sleep(2.5)
    assert not (tmp_path / "late").exists()


def test_the_deadline_is_for_all_rounds_together(run: Runner) -> None:
    """No round takes as long as the deadline, and all together take twice as long; which is cut is the machine's affair."""
    result = run(bash("A", "sleep 1", "timeoutSeconds: 3\nloop: {forEach: [a, b, c, d, e, f]}"))
    assert statuses(result) == "A=TimedOut"
    assert re.match(r"round [0-4] \('[a-e]'\): the time was over", result.failures[0][1].failure)
    assert result.phases[0].steps[0].rounds == 6


def test_each_attempt_has_the_whole_time(run: Runner, tmp_path: Path) -> None:
    command = f"test -e {tmp_path}/second || (touch {tmp_path}/second; sleep 30)"
    result = run(bash("A", command, "timeoutSeconds: 2\nmaxAttempts: 2"))
    assert (statuses(result), result.phases[0].steps[0].attempts) == ("A=Success", 2)


def test_a_timeout_can_be_ignored(run: Runner) -> None:
    result = run(bash("A", "sleep 30", "timeoutSeconds: 1\nonFailure: Ignore"))
    assert (statuses(result), result.failed) == ("A=IgnoredFailure", False)


def test_a_daemon_does_not_hold_up_its_step(run: Runner) -> None:
    began = time.monotonic()
    result = run(bash("A", "sleep 60 & echo done"))
    assert stdout(result, "A") == "done"
    assert time.monotonic() - began < 30


@pytest.mark.parametrize(
    ("times", "reboots", "status"),
    [
        pytest.param(0, 0, "Success", id="no reboot"),
        pytest.param(1, 1, "Success", id="one reboot runs the step once more"),
        pytest.param(2, 2, "Success", id="two reboots"),
        pytest.param(99, 4, "Success", id="a step that always asks is run four times and goes on"),
    ],
)
def test_exit_code_194_is_a_reboot_and_the_same_step_again(
    run: Runner, tmp_path: Path, times: int, reboots: int, status: str
) -> None:
    count = f"echo x >>{tmp_path}/count; test $(wc -l <{tmp_path}/count) -gt {times} || exit 194"
    result = run(bash("A", count) + bash("B", "echo next"))
    assert statuses(result) == f"A={status} B=Success"
    assert result.recorded == ("reboot after 0 s: not done, reboot this machine yourself",) * reboots
    assert (tmp_path / "count").read_text().count("x") == min(times, 3) + 1


def test_after_a_reboot_a_failure_is_a_failure(run: Runner, tmp_path: Path) -> None:
    result = run(bash("A", f"test -e {tmp_path}/x && exit 5; touch {tmp_path}/x; exit 194"))
    assert (statuses(result), result.failures[0][1].failure) == ("A=Failed", "exit code 5")


def test_the_reboot_module_is_recorded_and_the_next_step_follows(run: Runner) -> None:
    result = run("- {name: A, action: Reboot, inputs: {delaySeconds: 60}}\n" + bash("B", "true"))
    assert statuses(result) == "A=Success B=Success"
    assert result.recorded == ("reboot after 60 s: not done, reboot this machine yourself",)


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        pytest.param("{stringEquals: a, value: a}", "Success", id="true runs"),
        pytest.param("{stringEquals: a, value: b}", "Skipped", id="false skips"),
        pytest.param("{stringEquals: a, value: a, then: Skip}", "Skipped", id="true may skip"),
        pytest.param("{stringEquals: a, value: b, else: Execute}", "Success", id="false may run"),
        pytest.param("{stringEquals: a, value: a, then: Abort}", "Failed", id="true may abort"),
        pytest.param("{stringEquals: a, value: b, else: Abort}", "Failed", id="false may abort"),
        pytest.param(
            "{stringEquals: a, value: b, then: Abort}", "Skipped", id="then does not count when false"
        ),
        pytest.param("[{stringEquals: a, value: a}]", "Success", id="one condition in a list"),
    ],
)
def test_if(run: Runner, condition: str, status: str) -> None:
    result = run(bash("A", "echo ran", f"if: {condition}"))
    assert statuses(result) == f"A={status}"
    assert result.phases[0].steps[0].attempts == (1 if status == "Success" else 0)
    assert result.status == ("Failed" if status == "Failed" else "Success")


def test_if_is_asked_once_even_when_the_step_is_tried_again(run: Runner, tree: Path) -> None:
    command = f"test -e {tree}/opt/x && exit 0; touch {tree}/opt/x; exit 1"
    result = run(bash("A", command, "maxAttempts: 2\nif: {not: {fileExists: /opt/x}}"))
    assert (statuses(result), result.phases[0].steps[0].attempts) == ("A=Success", 2)


def test_abort_by_a_condition_obeys_on_failure(run: Runner) -> None:
    result = run(
        bash("A", "true", "onFailure: Ignore\nif: {stringIsEmpty: '', then: Abort}") + bash("B", "true")
    )
    assert statuses(result) == "A=IgnoredFailure B=Success"


def test_commands_share_one_shell_and_the_last_exit_code_counts(run: Runner) -> None:
    result = run(
        """
        - name: A
          action: ExecuteBash
          inputs:
            commands:
            - cd /etc
            - NAME=value
            - "false"
            - echo "$PWD $NAME"
        """
    )
    assert (result.status, stdout(result, "A")) == ("Success", "/etc value")


def test_a_command_that_reads_finds_nothing_to_read_and_does_not_eat_the_script(run: Runner) -> None:
    assert stdout(run(bash("A", "cat; read -r x; echo end$x")), "A") == "end"


def test_output_is_kept_without_its_last_line_break(run: Runner) -> None:
    result = run(bash("A", "printf ' a\\n\\nb\\n\\n'") + bash("B", "echo '[{{ build.A.outputs.stdout }}]'"))
    assert stdout(result, "A") == " a\n\nb"
    assert stdout(result, "B") == "[ a\n\nb]"


def test_values_of_steps_chain_into_every_kind_of_text(run: Runner, tree: Path) -> None:
    result = run(
        """
        - name: Where
          action: ExecuteBash
          inputs: {commands: [echo /opt/a]}
        - name: Make
          action: CreateFile
          inputs:
          - {path: '{{ build.Where.outputs.stdout }}.txt', content: 'x', permissions: '{{ Mode }}'}
          - {path: /opt/b.txt, content: '{{ build.Make2 }}'}
        - name: Each
          action: ExecuteBash
          loop: {name: it, forEach: {list: '{{ build.Make.inputs[1].path }},{{ build.Make.outputs[0].path }}'}}
          if: {stringEquals: '{{ build.Where.outputs.stdout }}', value: /opt/a}
          inputs: {commands: ['echo {{ it.index }}={{ it.value }}']}
        - name: Check
          action: Assert
          inputs: [{stringEquals: '{{ build.Each.outputs.stdout }}', value: "0=/opt/b.txt\\n1=/opt/a.txt"}]
        """,
        head="constants: [{Mode: {type: string, value: 0600}}]\n",
    )
    assert result.failures == ()
    assert (tree / "opt/a.txt").stat().st_mode & 0o7777 == 0o600
    assert (tree / "opt/b.txt").read_text() == "{{ build.Make2 }}"


@pytest.mark.parametrize(
    ("before", "reference", "failure"),
    [
        pytest.param(
            bash("A", "false", "onFailure: Ignore"),
            "{{ build.A.outputs.stdout }}",
            "{{ build.A.outputs.stdout }}: the step ended as IgnoredFailure",
            id="a failed step has no outputs",
        ),
        pytest.param(
            bash("A", "true", "if: {stringIsEmpty: x}"),
            "{{ build.A.outputs.stdout }}",
            "{{ build.A.outputs.stdout }}: the step ended as Skipped",
            id="a skipped step has no outputs",
        ),
        pytest.param(
            bash("A", "true"),
            "{{ build.A.inputs.commands[7] }}",
            "{{ build.A.inputs.commands }}: there is no such value",
            id="a list that is not so long",
        ),
    ],
)
def test_a_reference_without_a_value_fails_the_step(
    run: Runner, before: str, reference: str, failure: str
) -> None:
    result = run(before + bash("B", f"echo '{reference}'"))
    assert result.failures[-1][1].failure == failure


def test_phases_are_chosen_and_earlier_runs_can_be_referred_to(run: Runner) -> None:
    text = phased(
        build=bash("A", "echo first"),
        validate=bash("B", "echo '{{ build.A.outputs.stdout }} second'"),
        test=bash("C", "exit 9"),
    )
    built = run(text, phases=["build"])
    assert statuses(built) == "A=Success"
    alone = run(text, phases=["validate"])
    assert alone.failures[0][1].failure == "{{ build.A.outputs.stdout }}: the step has not run"
    assert stdout(run(text, phases=["validate"], earlier=built), "B") == "first second"
    assert statuses(run(text, phases=["validate", "build", "nothing"])) == "A=Success B=Success"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        pytest.param({}, "default", id="the default"),
        pytest.param(
            {"Word": "other", "Unknown": "x"}, "other", id="the caller's value; unknown names are passed over"
        ),
        pytest.param({"Word": "{{ Fixed }}"}, "{{ Fixed }}", id="a value is not searched for references"),
        pytest.param({"Word": ""}, "", id="an empty value is a value"),
    ],
)
def test_parameters(run: Runner, given: dict[str, str], said: str) -> None:
    head = "parameters: [{Word: {type: string, default: default}}]\nconstants: [{Fixed: {type: string, value: 1.0}}]\n"
    result = run(bash("A", "echo '{{ Word }}-{{ Fixed }}'"), head=head, parameters=given)
    assert stdout(result, "A") == f"{said}-1.0"


def test_a_missing_parameter_is_an_error_before_anything_runs(run: Runner, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the parameter 'Word' has no default, and no value is given"):
        run(bash("A", f"touch {tmp_path}/ran"), head="parameters: [{Word: {type: string}}]\n")
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "log").exists()


@pytest.mark.parametrize(
    ("step", "failure"),
    [
        pytest.param(
            "- {name: A, action: CreateFile, inputs: [{path: /opt/a, permissions: '{{ Bad }}'}]}",
            "'permissions' must be permission bits in octal, as in 0644, not 'bad'\n  hint: check the variables it is made of",
            id="permissions",
        ),
        pytest.param(
            "- {name: A, action: CreateFile, inputs: [{path: /opt/a, overwrite: '{{ Bad }}'}]}",
            "'overwrite' must be true or false, not 'bad'\n  hint: check the variables it is made of",
            id="a boolean",
        ),
        pytest.param(
            "- {name: A, action: Reboot, loop: {for: {start: 1, end: '{{ Bad }}', updateBy: 1}}}",
            "'end' of a loop must be a whole number, not 'bad'\n  hint: write a number, as in 'start: 1'",
            id="a loop's end",
        ),
        pytest.param(
            "- {name: A, action: Assert, inputs: [{patternMatches: x, value: '({{ Bad }}'}]}",
            "the pattern '(bad' is no regular expression: missing ), unterminated subpattern at position 0\n"
            "  hint: escape special characters with '\\'",
            id="a pattern",
        ),
    ],
)
def test_variables_are_checked_when_they_are_used(run: Runner, step: str, failure: str) -> None:
    result = run(step, head="constants: [{Bad: {type: string, value: bad}}]\n")
    assert result.failures[0][1].failure == failure


def test_the_log_directory_has_awstoes_files(run: Runner, tmp_path: Path) -> None:
    result = run(
        bash("A", "echo out; echo err >&2")
        + bash("B", "echo why >&2; exit 7", "onFailure: Continue")
        + bash("C", "true", "if: {stringIsEmpty: x}\ntimeoutSeconds: -1")
    )
    log = tmp_path / "log"
    assert sorted(path.name for path in log.iterdir()) == [
        "application.log", "chaining.json", "console.log", "detailedoutput.json", "document.yaml",
    ]  # fmt: skip
    assert (log / "document.yaml").read_text().startswith("schemaVersion: 1.0\n")
    assert (log / "console.log").read_text() == "out\nerr\nwhy\n"
    assert "step build.B: exit code 7" in (log / "application.log").read_text()
    detailed = json.loads((log / "detailedoutput.json").read_text())
    assert (detailed["status"], detailed["failureMessage"]) == ("Failed", "build.B: exit code 7\n  | why")
    steps = detailed["phases"][0]["steps"]
    assert [step["status"] for step in steps] == ["Success", "Failed", "Skipped"]
    assert steps[0]["outputs"] == [{"stdout": "out"}]
    assert steps[2]["timeoutSeconds"] == -1
    assert json.loads((log / "chaining.json").read_text()) == {
        "build": {
            "A": {"inputs": [{"commands": ["echo out; echo err >&2\n"]}], "outputs": [{"stdout": "out"}]}
        }
    }
    assert result.log == str(log)


def test_secrets_reach_neither_logs_nor_outputs(run: Runner, tmp_path: Path) -> None:
    secret = "first-line\nsecond-line\n"
    (tmp_path / "secret").write_text(secret)
    result = run(
        bash("A", f"cat {tmp_path}/secret; tail -1 {tmp_path}/secret >&2; exit 3", "onFailure: Ignore")
        + bash("B", f'echo "it is $(head -1 {tmp_path}/secret)"')
        + bash("C", "echo '{{ build.B.outputs.stdout }}'"),
        hidden=[secret, "", "\n"],
    )
    assert result.phases[0].steps[0].failure == "exit code 3\n  | ***"
    assert stdout(result, "C") == "it is ***"
    files = {path.name: path.read_text() for path in (tmp_path / "log").iterdir()}
    assert len(files) == 5
    assert not [name for name, text in files.items() if "-line" in text]
    assert files["console.log"] == "***\n***\nit is ***\nit is ***\n"


def test_what_a_failed_attempt_asked_for_is_still_told(run: Runner, tmp_path: Path) -> None:
    command = f"echo x >>{tmp_path}/n; case $(wc -l <{tmp_path}/n) in 1) exit 194;; 2) exit 5;; esac"
    result = run(bash("A", command, "maxAttempts: 2"))
    assert statuses(result) == "A=Success"
    assert len(result.recorded) == 1
