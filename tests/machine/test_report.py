"""The script that reports from inside, run here: systemctl and journalctl are stand-ins that print what a guest's would."""

import os
import subprocess
import threading
import tty
from pathlib import Path

import pytest

from goldsmith.machine.agent import SCRIPT, is_complete, read_report, said
from goldsmith.model.machine import GuestReport, PendingJob

NONCE = "cafe"
SYSTEMCTL = """\
#!/bin/sh
cd {room}
case "$*" in
  "is-system-running --wait") cat state; [ "$(cat state)" != starting ] || sleep 2 ;;
  is-system-running) cat state ;;
  "list-units --state=failed "*) cat failed ;;
  "list-units --state=activating "*) cat activating ;;
  list-jobs*) cat jobs ;;
  "show -P NRestarts "*) cat restarts ;;
  "show -P TimeoutStartUSec "*) cat limit ;;
  "show --property=Result --value "*) echo exit-code ;;
esac
"""
RESTING = "cpu  100 0 100 9000 0 0 0 0 0 0\n"
JOBS = "12 slow.service start running\n13 multi-user.target start waiting\n"
RESTARTING = "ssh.service loaded activating auto-restart OpenBSD Secure Shell server\n"


def report(room: Path, patience: int, **told: str) -> GuestReport:
    """What the script says on a machine whose systemctl says ``told``."""
    (room / "bin").mkdir()
    for name, text in (("systemctl", SYSTEMCTL.format(room=room)), ("journalctl", "#!/bin/sh\n")):
        (room / "bin" / name).write_text(text)
        (room / "bin" / name).chmod(0o755)
    given = {
        "state": "running",
        "failed": "",
        "activating": "",
        "jobs": "",
        "restarts": "0",
        "limit": "infinity",
    }
    for name, text in {**given, "stat": RESTING, **told}.items():
        (room / name).write_text(text)
    master, slave = os.openpty()
    tty.setraw(slave)
    uptime = int(float(Path("/proc/uptime").read_text().split()[0]))
    text = SCRIPT.read_text()
    changes = {
        "PATH=": f"PATH={room}/bin:",
        "/dev/ttyS1": os.ttyname(slave),
        "/proc/stat": str(room / "stat"),
        "window=15": "window=1",
        "tries=10": "tries=1",
    }
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    printed = bytearray()

    def read() -> None:
        while not is_complete(said(bytes(printed), NONCE)):
            printed.extend(os.read(master, 1 << 16))

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    slow = told.get("slow", "")
    script = f"nonce={NONCE}\npatience={uptime + patience}\nslow='{slow}'\n{text}"
    subprocess.run(["sh", "-c", script], check=True, timeout=60, stderr=subprocess.DEVNULL)
    reader.join(10)
    os.close(slave)
    os.close(master)
    return read_report(said(bytes(printed), NONCE))


@pytest.mark.parametrize(
    ("told", "state", "failed"),
    [
        pytest.param({}, "running", [], id="a machine that is well"),
        pytest.param(
            {"activating": RESTARTING}, "running", [], id="a unit that starts later on a timer is not broken"
        ),
        pytest.param(
            {"activating": RESTARTING, "restarts": "3"},
            "running",
            ["ssh.service"],
            id="a unit that fails and is started again and again is broken",
        ),
        pytest.param(
            {"state": "degraded", "failed": "a.service loaded failed failed A\n"},
            "degraded",
            ["a.service"],
            id="a failed unit",
        ),
    ],
)
def test_what_is_said_of_units(tmp_path: Path, told: dict[str, str], state: str, failed: list[str]) -> None:
    found = report(tmp_path, 60, **told)
    assert found.state == state
    assert [unit.name for unit in found.failed] == failed
    assert found.is_well is (state == "running" and not failed)


@pytest.mark.parametrize(
    ("told", "early"),
    [
        pytest.param({}, True, id="nothing is done, and a job has no limit: hung"),
        pytest.param({"limit": "1min 30s"}, False, id="a job with a limit comes to its own end"),
        pytest.param({"slow": "slow.service"}, False, id="a unit that may rest is not hung"),
        pytest.param({"slow": "a slow b.mount"}, False, id="a name without a suffix is a service"),
        pytest.param({"slow": "very-slow.service slow.mount"}, True, id="names are whole names"),
        pytest.param(
            {"slow": "slow", "jobs": f"{JOBS}14 other.service start running\n"},
            True,
            id="another unit that rests beside it is hung",
        ),
        pytest.param(
            {"jobs": "13 a.target start waiting\n"}, False, id="without a running job nothing hangs"
        ),
    ],
)
def test_a_boot_that_does_not_end(tmp_path: Path, told: dict[str, str], early: bool) -> None:
    patience = 60 if early else 6
    found = report(tmp_path, patience, **{"state": "starting", "jobs": JOBS, **told})
    assert (found.state, found.is_well) == ("starting", False)
    assert (PendingJob("slow.service", "start", "running") in found.jobs) is (
        "slow" in (told.get("jobs") or JOBS)
    )
