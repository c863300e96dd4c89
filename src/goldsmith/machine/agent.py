"""The way into a guest: a small script that reports from inside, how it gets there, and how its report is read.

The script is handed over from outside at every boot and never stored in an image. Two ways lead in, and both are
offered, since which one the image understands is not known beforehand; the second stands back for the first. A third,
for images with an older systemd, stands in ``planted.py``.

1. systemd credentials in the firmware's SMBIOS tables. From version 256 on, ``systemd.extra-unit.*`` adds a unit and
   ``systemd.unit-dropin.*`` a drop-in that wants it (systemd.system-credentials(7)): works without cloud-init, network
   or ssh, and in emergency mode.
2. A NoCloud seed whose ``bootcmd`` starts the same script, where cloud-init is installed.

Every line of the report starts with a nonce made for this boot: words that an image has learned by heart count for
nothing. (What runs as root inside can read the nonce too: the report is a witness against accidents and replays, not
against a hostile kernel.)
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from goldsmith.model.machine import Credential, FailedUnit, GuestReport, PendingJob

SCRIPT = Path(__file__).with_name("report.sh")
CREDENTIAL = "goldsmith.report"
UNIT = "goldsmith-report.service"
SEEDED = "/run/goldsmith-report.sh"
# Wanted by sysinit.target without any order, so that it runs before the first thing that can hang, and not isolated
# away by emergency.target.
UNIT_TEXT = """\
[Unit]
Description=Report the state of the boot to goldsmith
DefaultDependencies=no
IgnoreOnIsolate=yes

[Service]
Type=exec
ExecStart=/bin/sh {script}
"""
DROP_IN = f"[Unit]\nWants={UNIT}\n"


@dataclass(frozen=True, slots=True)
class Agent:
    """The script for one boot."""

    nonce: str
    """What every line of its report starts with."""
    patience: int
    """Seconds of guest uptime after which a boot that has not ended is reported as it stands."""

    beside: str = ""
    """A shell script that is to run beside it for as long as it likes."""
    slow: tuple[str, ...] = ()
    """Units that may rest when they start; others without a time limit are taken for hung."""

    @property
    def script(self) -> str:
        """The shell script."""
        given = f"nonce={self.nonce}\npatience={self.patience}\nslow={quote(' '.join(self.slow))}\n"
        report = given + SCRIPT.read_text()
        # systemd ends what a unit has started when its first process ends.
        return f"(\n{self.beside}\n) &\n{report}\nexec 3>&-\nwait\n" if self.beside else report


def unit_text(script: str) -> str:
    """The unit that runs the script at this path of the guest."""
    return UNIT_TEXT.format(script=script)


def credentials(agent: Agent) -> tuple[Credential, ...]:
    """The first way: what the firmware tables carry."""
    return (
        Credential(CREDENTIAL, agent.script.encode()),
        Credential(
            f"systemd.extra-unit.{UNIT}", unit_text(f"/run/credentials/@system/{CREDENTIAL}").encode()
        ),
        Credential("systemd.unit-dropin.sysinit.target", DROP_IN.encode()),
    )


def boot_command(agent: Agent) -> list[str]:
    """The script as a command of cloud-init's ``bootcmd``."""
    start = (
        f"systemctl --quiet is-active {UNIT} && exit 0; "
        f"printf '%s' \"$0\" >{SEEDED} && "
        f"systemd-run --quiet --no-block --unit={UNIT} --property=DefaultDependencies=no /bin/sh {SEEDED}"
    )
    return ["/bin/sh", "-c", start, agent.script]


def seed_files(agent: Agent) -> Mapping[str, bytes]:
    """The second way: the files of a NoCloud seed.

    The script is started beside cloud-init, not by it: it waits for the end of the boot, of which cloud-init is a part.
    JSON is YAML, so the user data needs no quoting of its own.
    """
    user_data = {"bootcmd": [boot_command(agent)]}
    return {
        "meta-data": f"instance-id: goldsmith-{agent.nonce}\n".encode(),
        "user-data": f"#cloud-config\n{json.dumps(user_data, indent=1)}\n".encode(),
    }


def said(report: bytes, nonce: str) -> tuple[str, ...]:
    """The complete lines that carry the nonce, without it."""
    lines = report.decode(errors="replace").split("\n")[:-1]
    return tuple(
        line.removeprefix(f"{nonce} ").rstrip() for line in lines if line.rstrip().startswith(f"{nonce} ")
    )


def is_complete(lines: Sequence[str]) -> bool:
    """Whether the guest has said its last word."""
    return bool(lines) and lines[-1] == "end"


def read_report(lines: Sequence[str]) -> GuestReport:
    """What the guest said, as a value; what it has not said (yet) stays empty."""
    by_topic: dict[str, list[str]] = {}
    for line in lines:
        topic, _, rest = line.partition(" ")
        by_topic.setdefault(topic, []).append(rest)
    size, used = _numbers(by_topic.get("root", [""])[0])
    return GuestReport(
        state=by_topic.get("state", [""])[0],
        kernel=by_topic.get("kernel", [""])[0],
        failed=tuple(_failed_unit(unit, by_topic.get("log", [])) for unit in by_topic.get("failed", [])),
        jobs=tuple(_pending_job(job) for job in by_topic.get("job", [])),
        complaints=tuple(by_topic.get("complaint", [])),
        times=tuple(by_topic.get("time", [])),
        root_bytes=size,
        root_used=used,
        first_boot="first-boot" in by_topic,
        machine_id=by_topic.get("machine-id", [""])[0],
        cloud_init=tuple(by_topic.get("cloud-init", [])),
    )


def _failed_unit(words: str, log: Sequence[str]) -> FailedUnit:
    name, _, result = words.partition(" ")
    return FailedUnit(
        name, result, tuple(line.removeprefix(f"{name} ") for line in log if line.startswith(f"{name} "))
    )


def _pending_job(words: str) -> PendingJob:
    unit, kind, progress = [*words.split(), "", "", ""][:3]
    return PendingJob(unit, kind, progress)


def _numbers(words: str) -> tuple[int | None, int | None]:
    numbers = [int(word) for word in words.split() if word.isdigit()]
    return (numbers[0], numbers[1]) if len(numbers) == len(("size", "used")) else (None, None)
