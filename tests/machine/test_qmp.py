"""The client of QMP, against a real QEMU without a machine."""

import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest

from goldsmith.effects.background import started
from goldsmith.errors import StepFailed
from goldsmith.machine.qemu import MONITOR
from goldsmith.machine.qmp import monitor

pytestmark = pytest.mark.usefixtures("qemu")


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """A QEMU in a directory whose path is longer than a socket's may be."""
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    argv = [
        "qemu-system-x86_64",
        "-S",
        "-machine",
        "none",
        "-display",
        "none",
        "-qmp",
        "unix:qmp.sock,server=on,wait=off",
    ]
    with started(argv, log=deep / "qemu.log", cwd=deep):
        yield deep


def test_commands_are_answered_in_turn(directory: Path) -> None:
    with monitor(directory) as qemu:
        status = qemu.execute("query-status")
        assert isinstance(status, dict)
        assert status["running"] is False
        assert isinstance(qemu.execute("query-name"), dict)


def test_events_in_between_are_passed_over(directory: Path) -> None:
    with monitor(directory) as qemu:
        qemu.execute("cont")
        status = qemu.execute("query-status")
        assert isinstance(status, dict)
        assert status["status"] == "running"


def test_arguments_reach_the_command(directory: Path) -> None:
    with monitor(directory) as qemu:
        listed = qemu.execute("qom-list", path="/machine")
        assert isinstance(listed, list)


def test_a_refusal_is_an_error_with_qemus_words(directory: Path) -> None:
    with monitor(directory) as qemu, pytest.raises(StepFailed) as caught:
        qemu.execute("no-such-command")
    assert (
        caught.value.message
        == "QEMU refused 'no-such-command': The command no-such-command has not been found"
    )


def test_a_second_visit_finds_it_ready(directory: Path) -> None:
    for _ in range(2):
        with monitor(directory) as qemu:
            qemu.execute("query-version")


def test_quit_ends_qemu(tmp_path: Path) -> None:
    argv = [
        "qemu-system-x86_64",
        "-S",
        "-machine",
        "none",
        "-display",
        "none",
        "-qmp",
        "unix:qmp.sock,server=on,wait=off",
    ]
    with started(argv, log=tmp_path / "qemu.log", cwd=tmp_path) as running:
        with monitor(tmp_path) as qemu:
            qemu.execute("quit")
        assert running.wait(5) == 0


def test_nobody_there_is_an_error_after_the_timeout(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match=r"no QEMU answers at .*qmp\.sock"), monitor(tmp_path, timeout=0.2):
        pass


def test_a_listener_that_says_nothing_is_an_error_after_the_timeout(tmp_path: Path) -> None:
    listen = "import socket, time\ns = socket.socket(socket.AF_UNIX)\ns.bind('qmp.sock')\ns.listen()\ntime.sleep(60)\n"
    silent = subprocess.Popen(["/usr/bin/env", "python3", "-c", listen], cwd=tmp_path)
    try:
        with pytest.raises(StepFailed, match="no QEMU answers at"), monitor(tmp_path, timeout=1):
            pass
    finally:
        silent.kill()
        silent.wait()


def test_a_qemu_that_has_no_time_to_listen_is_silent_and_no_accident(tmp_path: Path) -> None:
    """On a busy host a start asks QEMU's monitor so often before it answers that its queue is full."""
    with closing(socket.socket(socket.AF_UNIX)) as listener, ExitStack() as stack:
        listener.bind(str(tmp_path / MONITOR))
        listener.listen(1)
        with suppress(BlockingIOError):
            while True:
                waiting = stack.enter_context(closing(socket.socket(socket.AF_UNIX)))
                waiting.settimeout(0)
                waiting.connect(str(tmp_path / MONITOR))
        with pytest.raises(StepFailed, match="no QEMU answers"), monitor(tmp_path, timeout=0.05):
            pass


def test_a_qemu_that_goes_away_while_it_is_asked(tmp_path: Path) -> None:
    with closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(str(tmp_path / MONITOR))
        listener.listen(1)
        leaving = threading.Thread(target=_greet_and_go, args=(listener,))
        leaving.start()
        with pytest.raises(StepFailed, match=r"no QEMU answers|closed its monitor"):
            _ask_for_ever(tmp_path)
        leaving.join()


def _ask_for_ever(directory: Path) -> None:
    with monitor(directory, timeout=10) as qemu:
        while True:
            qemu.execute("query-status")


def _greet_and_go(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    connection.sendall(b'{"QMP": {}}\n{"return": {}}\n')
    connection.close()
