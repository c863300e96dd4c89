"""What is said of a machine that is not well: pure, from what it reported and wrote on its console."""

import re
from collections.abc import Sequence

from goldsmith.errors import CheckFailed, StepFailed
from goldsmith.machine.watch import CONTEXT_LINES, Trouble, telling
from goldsmith.model.machine import GuestReport, PendingJob

UNFINISHED = (
    "the boot did not end",
    (
        "look at the jobs above that are running; the others wait for them. --slow, or 'slow' of the recipe's 'expect', "
        "names a unit that may rest when it starts; --timeout gives more time"
    ),
)
STATES = {
    "starting": UNFINISHED,
    "initializing": UNFINISHED,
    "maintenance": (
        "the system went into emergency mode",
        "mend what is named above; a mount that fails is often a line too many in /etc/fstab",
    ),
}
"""systemd's states with a meaning of their own: what is wrong, and the hint."""
COMPLAINT = re.compile(r"^\[\s*(FAILED|TIME|DEPEND)\s*\]")
"""What systemd puts before a line on the console that is not well."""


def judge(guest: GuestReport, lines: Sequence[str]) -> GuestReport:
    """The report of a machine that is well.

    Args:
        guest: what it reported.
        lines: its console, shown where it named nothing itself.

    Raises:
        CheckFailed: it is not well; with the failed units and their last lines.
    """
    if guest.is_well:
        return guest
    what, hint = STATES.get(
        guest.state,
        (
            f"systemd says that the system is {guest.state!r}",
            "mend the units above, or disable them in the image",
        ),
    )
    shown = _facts(guest) or _complaints(lines) or _last(lines)
    raise CheckFailed(f"the machine is not well: {what}{_block(shown)}", hint=hint)


def in_trouble(trouble: Trouble) -> CheckFailed:
    """The console showed a sign of trouble."""
    message = f"the machine did not come up: {trouble.sign.name}{_block(trouble.lines)}"
    return CheckFailed(message, hint=trouble.sign.hint)


def ended(code: int, printed: str, lines: Sequence[str]) -> CheckFailed | StepFailed:
    """QEMU is gone before the guest had its say.

    Args:
        code: QEMU's exit code; 0 when the guest switched itself off.
        printed: what QEMU printed last.
        lines: the guest's console.
    """
    if code == 0:
        return CheckFailed(
            f"the machine switched itself off or asked for a reboot before it was up{_block(_last(lines))}",
            hint="look at the console with --console; a reboot at the first boot counts as a failure",
        )
    return StepFailed(
        f"QEMU ended with exit code {code}",
        hint="look at the lines above; --keep keeps its whole log",
        tail=printed,
    )


def silent(words: Sequence[str], lines: Sequence[str], timeout: float) -> CheckFailed:
    """Nothing was reported in time; what was seen tells how far the boot came.

    Args:
        words: what the guest has said under the nonce.
        lines: its console.
        timeout: the seconds it had.
    """
    shown = _block(_last(lines))
    if words:
        return CheckFailed(
            f"the machine started systemd, but its boot did not end within {timeout:g} s{shown}",
            hint="give it more time with --timeout, or look for what hangs with --console",
        )
    if any("login:" in line for line in lines[-CONTEXT_LINES:]):
        return CheckFailed(
            f"the machine shows a login prompt, but nothing inside reported within {timeout:g} s{shown}",
            hint="the report needs systemd 256 or newer, an older one on an ext4 root, or cloud-init with the NoCloud "
            "datasource in the image",
        )
    if not any(lines):
        return CheckFailed(
            f"the machine wrote nothing on its serial console within {timeout:g} s",
            hint="the image needs console=ttyS0 and a boot loader; --firmware chooses uefi or bios, "
            "--accelerator tcg rules out a broken KVM",
        )
    return CheckFailed(
        f"the machine was not up within {timeout:g} s{shown}",
        hint="give it more time with --timeout, or look for what hangs with --console",
    )


def _facts(guest: GuestReport) -> list[str]:
    facts = []
    for unit in guest.failed:
        facts.append(f"{unit.name} failed ({unit.result})")
        facts.extend(f"  {line}" for line in unit.lines)
    facts.extend(
        f"{job.unit}: its {job.kind} job is still {job.progress}" for job in _hanging_first(guest.jobs)
    )
    facts.extend(line for line in guest.complaints if f"  {line}" not in facts)
    return facts


def _hanging_first(jobs: Sequence[PendingJob]) -> list[PendingJob]:
    """The jobs that hang before those that wait for them."""
    return sorted(jobs, key=lambda job: job.progress != "running")


def _complaints(lines: Sequence[str]) -> tuple[str, ...]:
    """What systemd has complained of on the console."""
    return tuple(line for line in lines if COMPLAINT.search(line))[-CONTEXT_LINES:]


def _last(lines: Sequence[str]) -> tuple[str, ...]:
    return telling(lines)[-CONTEXT_LINES:]


def _block(lines: Sequence[str]) -> str:
    """Lines as they stand in a message: indented, and set off from it."""
    return "".join(f"\n  | {line}" for line in lines)
