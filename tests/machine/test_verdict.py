"""What is said of a guest that reports that it is not well."""

import pytest

from goldsmith.errors import CheckFailed
from goldsmith.machine.verdict import judge
from goldsmith.model.machine import FailedUnit, GuestReport, PendingJob


def test_a_guest_that_is_well_passes() -> None:
    guest = GuestReport(state="running", kernel="6.12")
    assert judge(guest, ["login:"]) is guest


@pytest.mark.parametrize(
    ("guest", "message"),
    [
        pytest.param(
            GuestReport(
                state="degraded", kernel="6", failed=(FailedUnit("a.service", "exit-code", ("boom",)),)
            ),
            "the machine is not well: systemd says that the system is 'degraded'"
            "\n  | a.service failed (exit-code)\n  |   boom",
            id="a failed unit is named with its lines",
        ),
        pytest.param(
            GuestReport(state="running", kernel="6", failed=(FailedUnit("a.service", "timeout"),)),
            "the machine is not well: systemd says that the system is 'running'\n  | a.service failed (timeout)",
            id="a unit that failed while the report was made counts",
        ),
        pytest.param(
            GuestReport(
                state="starting",
                kernel="6",
                jobs=(
                    PendingJob("multi-user.target", "start", "waiting"),
                    PendingJob("h.service", "start", "running"),
                ),
            ),
            "the machine is not well: the boot did not end"
            "\n  | h.service: its start job is still running\n  | multi-user.target: its start job is still waiting",
            id="what hangs stands before what waits for it",
        ),
        pytest.param(
            GuestReport(
                state="maintenance", kernel="6", complaints=("Dependency failed for data.mount - /data.",)
            ),
            "the machine is not well: the system went into emergency mode"
            "\n  | Dependency failed for data.mount - /data.",
            id="emergency mode is explained by systemd's complaints",
        ),
        pytest.param(
            GuestReport(state="stopping", kernel="6"),
            "the machine is not well: systemd says that the system is 'stopping'\n  | last line",
            id="without any fact the console is shown",
        ),
        pytest.param(
            GuestReport(state="", kernel=""),
            "the machine is not well: systemd says that the system is ''\n  | last line",
            id="a guest that cannot name its state is not well",
        ),
    ],
)
def test_a_guest_that_is_not_well_is_told_why(guest: GuestReport, message: str) -> None:
    with pytest.raises(CheckFailed) as caught:
        judge(guest, ["", "last line", ""])
    assert caught.value.message == message
    assert caught.value.hint


def test_what_systemd_complained_of_on_the_console_stands_for_what_the_guest_did_not_name() -> None:
    console = [
        "[  OK  ] Reached a.",
        "[ TIME ] Timed out waiting for b.",
        "[DEPEND] Dependency failed for c.",
        "login:",
    ]
    with pytest.raises(CheckFailed, match="Timed out waiting for b") as caught:
        judge(GuestReport(state="maintenance", kernel="6"), console)
    assert caught.value.message.splitlines()[1:] == [f"  | {line}" for line in console[1:3]]
