"""What goes through the agent's channel, both ways."""

import os
import socket
from pathlib import Path

import pytest
from tests.fixtures_agent import NONCE

from goldsmith.effects.sockets import Lines
from goldsmith.errors import StepFailed, Unavailable
from goldsmith.machine.channel import TIMED_OUT, Guest
from goldsmith.machine.local.copies import PART, copy_in, copy_out


def test_a_script_runs_and_its_outputs_and_code_come_back(guest: Guest) -> None:
    done = guest.run("echo out; echo err >&2; exit 7")
    assert (done.code, done.stdout, done.stderr) == (7, b"out\n", b"err\n")
    assert guest.run("pwd").text == "/\n"
    assert done.complaint == "err"


@pytest.mark.parametrize("size", [0, 1, 4095, 4096, 300_000])
def test_every_byte_goes_in_and_comes_out(guest: Guest, size: int) -> None:
    data = os.urandom(size)
    assert guest.run("cat", stdin=data).stdout == data


def test_input_that_nobody_reads_disturbs_nothing(guest: Guest) -> None:
    assert guest.run("true", stdin=b"echo no\n" * 10_000).code == 0
    assert guest.run("echo yes").text == "yes\n"


def test_a_script_that_does_not_end_is_ended(guest: Guest) -> None:
    assert guest.run("sleep 60", timeout=1).code == TIMED_OUT
    assert guest.run("echo on").text == "on\n"


def test_a_script_that_must_succeed_says_why_it_does_not(guest: Guest) -> None:
    with pytest.raises(StepFailed, match="exit code 3") as found:
        guest.check("echo because >&2; exit 3")
    assert found.value.tail == "because"


@pytest.mark.usefixtures("guest")
def test_who_does_not_know_the_number_is_not_served(line: socket.socket) -> None:
    line.sendall(b"wrong id 9 0 5\necho hello")
    with line.makefile("rb") as reader:
        stranger = Guest(Lines(line, reader), "wrong")
        with pytest.raises(Unavailable):
            stranger.greet(1)


def test_an_answer_to_somebody_who_left_is_passed_over(guest: Guest, line: socket.socket) -> None:
    line.sendall(f"{NONCE} gone 11 0 5\necho gone; ".encode())
    assert guest.run("echo mine").text == "mine\n"


def test_files_and_directories_are_copied_both_ways(guest: Guest, tmp_path: Path) -> None:
    sent = tmp_path / "sent"
    (sent / "below").mkdir(parents=True)
    (sent / "below/data").write_bytes(os.urandom(50_000))
    (sent / "link").symlink_to("below/data")
    inside = tmp_path / "inside"
    inside.mkdir()
    copy_in(guest, sent, str(inside))
    copy_in(guest, sent / "below/data", str(inside / "other-name"))
    assert (inside / "other-name").read_bytes() == (sent / "below/data").read_bytes()
    copy_out(guest, str(inside / "sent"), tmp_path / "back")
    assert (tmp_path / "back/below/data").read_bytes() == (sent / "below/data").read_bytes()
    assert (tmp_path / "back/link").readlink() == Path("below/data")
    (tmp_path / "room").mkdir()
    copy_out(guest, str(inside / "other-name"), tmp_path / "room")
    assert (tmp_path / "room/other-name").exists()
    with pytest.raises(StepFailed, match="cannot be read inside") as found:
        copy_out(guest, "/nowhere/at-all", tmp_path / "x")
    assert "No such file" in found.value.tail
    assert not (tmp_path / "x").exists()


def test_more_than_a_guest_has_room_for_comes_out_in_parts(guest: Guest, tmp_path: Path) -> None:
    inside = tmp_path / "inside it's"
    inside.mkdir()
    (inside / "large").write_bytes(os.urandom(2 * PART + 12_345))
    (inside / "twin").hardlink_to(inside / "large")
    (inside / "empty").touch()
    copy_out(guest, str(inside), tmp_path / "back")
    for name in ("large", "twin", "empty"):
        assert (tmp_path / "back" / name).read_bytes() == (inside / name).read_bytes()
    assert guest.run("ls -d /run/goldsmith-copy.* /tmp/tmp.*/part").stdout == b""
    with pytest.raises(OSError, match="Not a directory"):
        copy_out(guest, str(inside), tmp_path / "back/empty/below")
    assert guest.run("echo on").text == "on\n"
    assert guest.run("ls -d /run/goldsmith-copy.* /tmp/tmp.*/part").stdout == b""
