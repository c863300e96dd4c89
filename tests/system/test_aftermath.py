"""What a step that fails leaves: what was asked to be kept, a shell, or nothing but a message."""

import os
import pty
import select
import subprocess
import time
from pathlib import Path

import pytest
from tests.system.conftest import Tiny
from tests.system.driver import GOLDSMITH, assert_nothing_is_left, environment, goldsmith
from tests.system.recipes import supply
from tests.system.test_features import component, write

pytestmark = pytest.mark.image
FAILS = component("mkdir -p /opt/made", "echo half >/opt/made/thing", "rm /etc/motd", "false")
PATIENCE = 60


def test_what_a_failing_step_has_done_is_kept_when_asked_for(tiny: Tiny, tmp_path: Path) -> None:
    directory = write(tmp_path / "kept", tiny, "components: [fails.yml]\n", fails=FAILS)
    done = goldsmith("build", "recipe.yaml", "--keep-on-failure", home=tiny.home, cwd=directory)
    kept = tiny.home / "failed/feature"
    assert done.code == 6
    assert (kept / "opt/made/thing").read_text() == "half\n"
    assert f"what the failing step has done is kept in {kept}" in done.stderr
    assert_nothing_is_left(tiny.home, done.pid)
    (kept / "opt/made/thing").unlink()
    again = goldsmith("build", "recipe.yaml", home=tiny.home, cwd=directory)
    assert again.code == 6
    assert not (kept / "opt/made/thing").exists(), "nobody asked for it"
    assert "is kept in" not in again.stderr


def test_a_shell_opens_in_the_tree_of_a_failing_step(tiny: Tiny, tmp_path: Path) -> None:
    directory = write(tmp_path / "shell", tiny, "components: [fails.yml]\n", fails=FAILS)
    pid, terminal = build_on_a_terminal(tiny, directory)
    said = talk(terminal, [("failed step# ", "cat /opt/made/thing; ls /etc/motd; hostname; exit 3\r")])
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code == 6, said
    assert "a shell in the failing step's tree; leave it with exit" in said
    assert "\r\nhalf\r\n" in said
    assert "'/etc/motd': No such file" in said or "/etc/motd: No such file" in said
    assert "fails.yml failed in phase 'build', step 'Do'" in said
    assert_nothing_is_left(tiny.home, pid)


def test_an_interrupt_in_that_shell_is_the_shells(tiny: Tiny, tmp_path: Path) -> None:
    """It ends what runs in the shell; the build's own message and exit code are as without it."""
    directory = write(tmp_path / "shell", tiny, "components: [fails.yml]\n", fails=FAILS)
    pid, terminal = build_on_a_terminal(tiny, directory)
    # What cat has said again it has read, so it runs: a shell may lose an interrupt that comes as it forks.
    turns = [
        ("failed step# ", "cat\r"),
        ("cat\r\n", "again\r"),
        ("again\r\nagain\r\n", "\x03"),
        ("failed step# ", "echo 'o'n; exit\r"),
    ]
    said = talk(terminal, turns)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code == 6, said
    assert "\non\r\n" in said
    assert "fails.yml failed in phase 'build', step 'Do'" in said
    assert "interrupted" not in said
    assert_nothing_is_left(tiny.home, pid)


def build_on_a_terminal(tiny: Tiny, directory: Path) -> tuple[int, int]:
    """A build that opens a shell: its process, and the other end of its terminal."""
    words = [str(GOLDSMITH), "build", "recipe.yaml", "--shell-on-failure"]
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(directory)
        os.execve(words[0], words, {**environment(tiny.home), "TERM": "dumb"})
    return pid, terminal


def talk(terminal: int, turns: list[tuple[str, str]]) -> str:
    """Answer each prompt once, one after the other, and read until the program ends."""
    said, answered, end = "", 0, time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if not select.select([terminal], [], [], 1)[0]:
            continue
        try:
            data = os.read(terminal, 1 << 16)
        except OSError:  # the program has ended
            return said
        said += data.decode(errors="replace")
        if turns and turns[0][0] in said[answered:]:
            answered = len(said)
            os.write(terminal, turns.pop(0)[1].encode())
    raise AssertionError(f"it did not end within {PATIENCE} s:\n{said}")


SAID = """\
goldsmith: no space is left in {}, and the step 'component 1 much.yml' was not done
  hint: free some space there, or set GOLDSMITH_HOME to a larger file system
"""


@pytest.mark.slow
def test_no_space_during_a_step_is_a_message_and_leaves_nothing(tiny: Tiny, tmp_path: Path) -> None:
    """The data directory lies on a file system that is large enough for the packages, and not for what a step writes."""
    writes = component("yes | head -c 3000000000 >/opt/much")
    directory = write(tmp_path / "much", tiny, "components: [much.yml]\n", much=writes)
    room = tmp_path / "small"
    room.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1200m", "none", room], check=True)
    try:
        supply(room, tiny)
        done = goldsmith("build", "recipe.yaml", "--offline", home=room, cwd=directory)
        assert_nothing_is_left(room, done.pid)
    finally:
        subprocess.run(["umount", room], check=True)
    assert (done.code, done.complaint) == (7, SAID.format(room))
