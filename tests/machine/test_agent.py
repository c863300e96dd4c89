"""What is handed to a guest, and how its words are read."""

import json
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldsmith.machine.agent import Agent, credentials, is_complete, read_report, said, seed_files
from goldsmith.model.machine import FailedUnit, GuestReport, PendingJob

AGENT = Agent(nonce="5eed", patience=240)

WELL = b"""\
5eed kernel 6.12.107+deb13-cloud-amd64\r
5eed state running\r
5eed time Startup finished in 9.343s (kernel) + 28.441s (userspace) = 37.785s \r
5eed root 1020702720 203358208\r
5eed machine-id d5254c68418646ee8e0c50a3dc1596e0\r
5eed cloud-init status: done\r
5eed end\r
"""


def test_a_report_becomes_a_value() -> None:
    lines = said(WELL, "5eed")
    assert is_complete(lines)
    assert read_report(lines) == GuestReport(
        state="running",
        kernel="6.12.107+deb13-cloud-amd64",
        times=("Startup finished in 9.343s (kernel) + 28.441s (userspace) = 37.785s",),
        root_bytes=1020702720,
        root_used=203358208,
        machine_id="d5254c68418646ee8e0c50a3dc1596e0",
        cloud_init=("status: done",),
    )
    assert read_report(lines).is_well


def test_failed_units_come_with_their_own_lines() -> None:
    lines = said(
        b"n state degraded\nn failed a.service exit-code\nn log a.service boom: n end\nn failed b.mount timeout\n"
        b"n log b.mount slow\nn log a.service again\nn end\n",
        "n",
    )
    report = read_report(lines)
    assert not report.is_well
    assert report.failed == (
        FailedUnit("a.service", "exit-code", ("boom: n end", "again")),
        FailedUnit("b.mount", "timeout", ("slow",)),
    )


def test_complaints_of_systemd_are_kept() -> None:
    report = read_report(["state maintenance", "complaint Dependency failed for data.mount - /data."])
    assert report.complaints == ("Dependency failed for data.mount - /data.",)
    assert not report.is_well


def test_a_running_system_with_a_failed_unit_is_not_well() -> None:
    assert not read_report(["state running", "failed a.service exit-code"]).is_well


def test_jobs_that_never_ended_are_named() -> None:
    report = read_report(
        ["state starting", "job slow.service start running", "job multi-user.target start waiting"]
    )
    assert report.jobs == (
        PendingJob("slow.service", "start", "running"),
        PendingJob("multi-user.target", "start", "waiting"),
    )


@pytest.mark.parametrize(
    ("report", "complete"),
    [
        pytest.param(
            WELL.replace(b"5eed", b"0000"), False, id="a report under another nonce counts for nothing"
        ),
        pytest.param(b"state running\nend\n", False, id="a report without a nonce counts for nothing"),
        pytest.param(b"x 5eed state running\nx 5eed end\n", False, id="the nonce must come first"),
        pytest.param(b"5eedstate running\n5eedend\n", False, id="the nonce is a word"),
        pytest.param(WELL[:-6], False, id="a report without its last word is not complete"),
        pytest.param(
            b"5eed state running\n5eed end", False, id="a line that is still being written does not count"
        ),
        pytest.param(b"", False, id="silence is no report"),
        pytest.param(
            b"garbage\xff\xfe\n" + WELL + b"garbage", True, id="garbage around a report is passed over"
        ),
    ],
)
def test_only_a_whole_report_under_the_nonce_counts(report: bytes, complete: bool) -> None:
    assert is_complete(said(report, "5eed")) is complete


@given(st.binary())
def test_an_image_that_does_not_know_the_nonce_cannot_say_anything(report: bytes) -> None:
    assert said(report, "c0ffee00c0ffee00") == ()


@given(st.lists(st.text()))
def test_any_lines_can_be_read(lines: list[str]) -> None:
    read_report(lines)


def test_the_credentials_are_a_script_a_unit_and_who_wants_it() -> None:
    named = {credential.name: credential.data.decode() for credential in credentials(AGENT)}
    assert sorted(named) == [
        "goldsmith.report",
        "systemd.extra-unit.goldsmith-report.service",
        "systemd.unit-dropin.sysinit.target",
    ]
    assert named["goldsmith.report"].startswith("nonce=5eed\npatience=240\n")
    assert "/run/credentials/@system/goldsmith.report" in named["systemd.extra-unit.goldsmith-report.service"]
    assert named["systemd.unit-dropin.sysinit.target"] == "[Unit]\nWants=goldsmith-report.service\n"


def test_the_seed_is_a_new_instance_that_starts_the_same_script() -> None:
    files = seed_files(AGENT)
    assert files["meta-data"] == b"instance-id: goldsmith-5eed\n"
    header, _, body = files["user-data"].decode().partition("\n")
    assert header == "#cloud-config"
    ((shell, option, start, script),) = json.loads(body)["bootcmd"]
    assert (shell, option, script) == ("/bin/sh", "-c", AGENT.script)
    assert "systemd-run" in start


def test_the_script_is_correct_for_a_plain_shell(tmp_path: Path) -> None:
    script = tmp_path / "report"
    script.write_text(AGENT.script)
    done = subprocess.run(["/bin/dash", "-n", str(script)], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_the_script_ends_at_once_where_there_is_no_port(tmp_path: Path) -> None:
    script = tmp_path / "report"
    script.write_text(AGENT.script.replace("/dev/ttyS1", str(tmp_path / "none")))
    assert subprocess.run(["/bin/dash", str(script)], check=False, timeout=5).returncode == 0
