"""Running programs: what they see, what is told of their end, and deadlines."""

import os
import time
from pathlib import Path

import pytest

from goldsmith.effects.process import run, tail
from goldsmith.effects.umask import ordinary_umask
from goldsmith.errors import MissingTool, StepFailed


def test_outputs_code_and_input() -> None:
    done = run(["sh", "-c", "cat; echo err >&2; exit 3"], stdin=b"in", check=False)
    assert (done.code, done.stdout, done.stderr, done.text) == (3, b"in", b"err\n", "in")


def test_the_callers_variables_are_not_seen() -> None:
    assert "PYTEST_CURRENT_TEST" in os.environ
    names = {line.partition("=")[0] for line in run(["env"], env={"OWN": "1"}).text.splitlines()}
    assert "OWN" in names
    assert "PYTEST_CURRENT_TEST" not in names
    assert names <= {"PATH", "TMPDIR", "LC_ALL", "TZ", "OWN", "PWD", "_", "SHLVL"}


@pytest.mark.parametrize(
    ("program", "package"),
    [
        pytest.param("newuidmap-none", "newuidmap-none", id="an unknown one stands for itself"),
        pytest.param("qemu-img", "qemu-utils", id="a known one by its package"),
    ],
)
def test_a_missing_program_names_its_package(tmp_path: Path, program: str, package: str) -> None:
    with pytest.raises(MissingTool) as caught:
        run([program], env={"PATH": str(tmp_path)})
    assert caught.value.message == f"the program {program!r} is not installed on this host"
    assert caught.value.hint == f"install it: apt-get install --no-install-recommends {package}"


def test_a_missing_directory_is_no_missing_program(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        run(["true"], cwd=tmp_path / "none")


def test_a_failure_shows_the_command_its_last_lines_and_a_hint() -> None:
    script = "for i in $(seq 40); do echo line $i; done; exit 9"
    with pytest.raises(StepFailed) as caught:
        run(["sh", "-c", script], hint="mend it", shown=["sh", "a script"])
    assert caught.value.message == "sh 'a script' failed with exit code 9"
    assert caught.value.tail.splitlines() == [f"line {n}" for n in range(26, 41)]
    assert caught.value.hint == "mend it"


def test_a_log_takes_both_outputs_and_is_added_to(tmp_path: Path) -> None:
    log = tmp_path / "log"
    done = run(["sh", "-c", "echo one; echo two >&2"], log=log)
    assert (done.stdout, done.stderr) == (b"", b"")
    with pytest.raises(StepFailed) as caught:
        run(["sh", "-c", "echo three; exit 1"], log=log)
    assert log.read_text() == "one\ntwo\nthree\n"
    assert caught.value.log == str(log)
    assert caught.value.tail.splitlines()[-1] == "three"


def test_a_deadline_ends_it() -> None:
    start = time.monotonic()
    with pytest.raises(StepFailed, match=r"sleep did not end within 0.2 s"):
        run(["sleep", "30"], timeout=0.2)
    assert time.monotonic() - start < 10


def test_no_shell_reads_the_words(tmp_path: Path) -> None:
    run(["touch", "a b;c", "$HOME", "*"], cwd=tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["$HOME", "*", "a b;c"]


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        pytest.param(b"", "", id="nothing"),
        pytest.param(b"a\nb\n\n\n", "a\nb", id="empty lines at the end go"),
        pytest.param(b"\xff\n", "\ufffd", id="what is no text"),
    ],
)
def test_tail(printed: bytes, expected: str) -> None:
    assert tail(printed) == expected


def test_the_callers_umask_comes_back_even_after_an_error(tmp_path: Path) -> None:
    old = os.umask(0o077)
    try:
        with pytest.raises(FileExistsError), ordinary_umask():
            os.makedirs(tmp_path / "made" / ".." / "made", exist_ok=False)
        assert os.umask(0o077) == 0o077
    finally:
        os.umask(old)
    assert (tmp_path / "made").stat().st_mode & 0o777 == 0o755
