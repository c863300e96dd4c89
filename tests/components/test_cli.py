"""``goldsmith component`` as a program."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

GOOD = """
name: Hello
schemaVersion: 1.0
parameters:
- Word: {type: string, default: hello}
- Folder: {type: string}
phases:
- name: build
  steps:
  - {name: Make, action: CreateFolder, inputs: [{path: '{{ Folder }}/made', permissions: 0700}]}
  - name: Write
    action: CreateFile
    inputs:
    - {path: '{{ build.Make.outputs.path }}/a', content: "{{ Word }}\\n"}
    - {path: made/b, content: second}
  - name: Restart
    action: Reboot
- name: validate
  steps:
  - name: Read
    action: ExecuteBash
    inputs: {commands: ["cat made/a; echo to stderr >&2"]}
  - {name: Check, action: Assert, inputs: [{stringEquals: '{{ validate.Read.outputs.stdout }}', value: hello}]}
"""


def call(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Path(sys.executable).with_name("goldsmith")), "component", *arguments],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def good(tmp_path: Path) -> Path:
    (tmp_path / "hello.yml").write_text(GOOD)
    return tmp_path


def test_validate_says_what_is_in_a_document(good: Path) -> None:
    done = call("validate", "hello.yml", cwd=good)
    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        "hello.yml: ok: Hello: build (3), validate (2)\n",
        "",
    )


def test_validate_as_json(good: Path) -> None:
    (one,) = json.loads(call("validate", "hello.yml", "--json", cwd=good).stdout)["documents"]
    assert (one["path"], one["name"]) == ("hello.yml", "Hello")
    assert one["parameters"][1] == {"name": "Folder", "default": None, "description": ""}
    assert one["phases"][1]["steps"][1] == {"name": "Check", "action": "Assert"}


@pytest.mark.parametrize("verb", ["validate", "run"])
def test_a_bad_document_is_exit_code_2_with_its_place(good: Path, verb: str) -> None:
    (good / "bad.yml").write_text(
        "schemaVersion: 1.0\nphases:\n- name: build\n  steps:\n  - {name: A, action: Ecexute}\n"
    )
    done = call(verb, "hello.yml", "bad.yml", cwd=good)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "goldsmith: bad.yml:5:23: unknown action 'Ecexute'\n"
        "  hint: use one of: " + done.stderr.partition("use one of: ")[2]
    )
    assert sorted(path.name for path in good.iterdir()) == ["bad.yml", "hello.yml"]


def test_a_bad_document_as_json(good: Path) -> None:
    (good / "bad.yml").write_text("schemaVersion: 2.0\nphases: []\n")
    done = call("validate", "bad.yml", "--json", cwd=good)
    assert json.loads(done.stdout)["where"] == "bad.yml:1:16"
    assert done.returncode == 2


def test_run_runs_all_phases_and_says_what_was_not_done(good: Path) -> None:
    done = call("run", "hello.yml", "--parameters", f"Folder={good}", "--log-directory", "log", cwd=good)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.splitlines()[-3:] == [
        "document Hello: Success",
        "not done: reboot after 0 s: not done, reboot this machine yourself",
        "logs: log",
    ]
    assert (good / "made/a").read_text() == "hello\n"
    assert (good / "made").stat().st_mode & 0o7777 == 0o700
    assert (good / "log/console.log").read_text() == "hello\nto stderr\n"


def test_run_as_json_prints_one_object(good: Path) -> None:
    done = call("run", "hello.yml", "--parameters", f"Folder={good}", "--json", "--phases", "build", cwd=good)
    printed = json.loads(done.stdout)
    assert (done.returncode, printed["status"]) == (0, "Success")
    assert [phase["name"] for phase in printed["documents"][0]["phases"]] == ["build"]
    log = good / printed["documents"][0]["log"]
    assert log.name.startswith("TOE_")
    assert json.loads((log / "detailedoutput.json").read_text())["name"] == "Hello"


def test_a_failed_run_is_exit_code_1_and_stops_at_the_document(good: Path) -> None:
    (good / "after.yml").write_text(GOOD.replace("Hello", "After").replace("made", "never"))
    done = call(
        "run",
        "hello.yml",
        "after.yml",
        "--parameters",
        f"Word=other,Folder={good}",
        "--log-directory",
        "log",
        cwd=good,
    )
    assert done.returncode == 1
    assert "failed: validate.Check: this does not hold: stringEquals('other', 'hello')" in done.stderr
    assert [path.name for path in (good / "log").iterdir()] == ["1-hello"]
    assert not (good / "never").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["--phases", "biuld"], "no document has a phase 'biuld'\n  hint: did you mean 'build'?", id="an unknown phase"),
        pytest.param(["--phases", ","], "--phases names no phase: ','\n  hint: use one of: build, validate", id="no phase"),
        pytest.param(["--parameters", "Wrod=x"], "no document has a parameter 'Wrod'\n  hint: did you mean 'Word'?", id="an unknown parameter"),
        pytest.param(["--parameters", "Word"], "--parameters wants NAME=VALUE, not 'Word'\n  hint: write it as NAME=VALUE,NAME=VALUE", id="no value"),
        pytest.param(["--parameters", "Folder=/x", "--log-directory", "hello.yml/log"], "cannot make the log directory 'hello.yml/log': Not a directory\n  hint: name another with --log-directory", id="a log directory that cannot be"),
        pytest.param([], "hello.yml:6:3: the parameter 'Folder' has no default, and no value is given\n  hint: give one (--parameters Folder=VALUE, or 'parameters:' of the recipe's component), or add a 'default:'", id="a parameter without a value"),
    ],
)  # fmt: skip
def test_wrong_words_are_exit_code_2(good: Path, arguments: list[str], message: str) -> None:
    done = call("run", "hello.yml", *arguments, cwd=good)
    assert (done.returncode, done.stderr) == (2, f"goldsmith: {message}\n")
    assert [path.name for path in good.iterdir()] == ["hello.yml"]


def test_a_comma_that_no_name_follows_belongs_to_the_value(good: Path) -> None:
    call("run", "hello.yml", "--phases", "build", "--parameters", f"Word=a,b,Folder={good}", cwd=good)
    assert (good / "made/a").read_text() == "a,b\n"
