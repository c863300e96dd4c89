"""The boot check: a throwaway copy of a disk is booted, and is well only if something inside says so."""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from goldsmith.effects.claims import claimed
from goldsmith.effects.clock import monotonic, sleep
from goldsmith.effects.randomness import nonce
from goldsmith.effects.sockets import Answer, free_port, get
from goldsmith.errors import CheckFailed, StepFailed
from goldsmith.machine.agent import Agent, credentials, is_complete, read_report, said, seed_files
from goldsmith.machine.fat import image
from goldsmith.machine.firmware import place_uefi
from goldsmith.machine.launch import MACHINES, Machine, launched
from goldsmith.machine.overlay import make_overlay
from goldsmith.machine.probe import accelerator as find_accelerator
from goldsmith.machine.watch import CONTEXT_LINES, Trouble, find_trouble, readable
from goldsmith.model.machine import (
    DEFAULT_MEMORY,
    Accelerator,
    BootReport,
    Firmware,
    Forward,
    GuestReport,
    HttpAnswer,
    MachineSpec,
)
from goldsmith.store.home import Home

TIMEOUT = 300.0
"""Seconds for a boot; an emulated one needs 45 to 60."""
PATIENCE = 0.8
"""The part of the timeout after which the guest itself reports what it still waits for."""
ATTEMPTS = {Accelerator.KVM: 1, Accelerator.TCG: 2}
"""How often a kernel may stop with a fault: emulated CPUs have faults of their own, seldom twice in a row."""
LAST_WORDS = 30.0
"""Seconds that a guest in trouble has for its own report, where it can still talk."""
LOOK_AGAIN = 0.25
BODY_LIMIT = 16 << 20
FIRST = 200
HTTP_SECONDS = 10.0
REFUSED = 400
BROKEN = 500

Show = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Page:
    """A page that a machine must serve."""

    port: int
    """The TCP port inside."""
    path: str
    """The path with its leading slash."""


def check(
    disk: Path,
    *,
    home: Home,
    firmware: Firmware = Firmware.UEFI,
    page: Page | None = None,
    timeout: float = TIMEOUT,
    memory: int = DEFAULT_MEMORY,
    accelerator: Accelerator | None = None,
    keep: bool = False,
    show: Show = lambda _line: None,
) -> BootReport:
    """Boot a throwaway copy of a disk and wait until it says that it is well.

    Args:
        disk: a raw or qcow2 disk; it is only read.
        home: where the throwaway machine lives.
        firmware: what starts the boot loader.
        page: a page that must be served as well.
        timeout: seconds for everything.
        memory: the machine's memory in MiB.
        accelerator: KVM or TCG; ``None`` asks the probe.
        keep: whether the machine's directory stays, for a person to look at.
        show: is called with each line of the console as it comes.

    Raises:
        CheckFailed: the machine is not well, or did not say so in time; the console is in the message.
        InputError: ``disk`` is no disk that can be booted.
        MissingTool: QEMU or the firmware is not installed.
    """
    begun = monotonic()
    deadline = begun + timeout
    chosen = accelerator or find_accelerator(home).accelerator
    attempt = 1
    while True:
        agent = Agent(nonce=nonce(), patience=int((deadline - monotonic()) * PATIENCE))
        with claimed(home / MACHINES, keep=keep) as directory:
            spec = MachineSpec(
                disk=make_overlay(disk, directory),
                accelerator=chosen,
                uefi=place_uefi(directory) if firmware is Firmware.UEFI else None,
                memory=memory,
                seed=_write_seed(directory, agent),
                forwards=(Forward(free_port(), page.port),) if page else (),
                credentials=credentials(agent),
            )
            with launched(spec, directory) as machine:
                guest = _wait_until_well(machine, agent, deadline, timeout, show)
                if isinstance(guest, GuestReport):
                    answer = _fetch(page, spec.forwards[0].host, deadline, timeout) if page else None
                    seconds, kept = monotonic() - begun, directory if keep else None
                    return BootReport(disk, chosen, firmware, guest, seconds, attempt, answer, kept)
        if attempt == ATTEMPTS[chosen]:
            raise _in_trouble(guest)
        show(f"goldsmith: {guest.sign.name}; trying once more: {guest.line}")
        attempt += 1


def _write_seed(directory: Path, agent: Agent) -> Path:
    seed = directory / "seed.img"
    seed.write_bytes(image("CIDATA", seed_files(agent)))
    return seed


def _wait_until_well(
    machine: Machine, agent: Agent, deadline: float, timeout: float, show: Show
) -> GuestReport | Trouble:
    """Wait for the guest's word, for a sign of trouble, for QEMU's end, or for the deadline.

    A trouble is returned only where it may be the emulator's fault; every other one is raised.
    """
    shown = 0
    last_words = deadline
    while True:
        ended = machine.qemu.code
        lines = readable(machine.console)
        for line in lines[shown:-1]:
            show(line)
        shown = max(shown, len(lines) - 1)
        words = said(machine.report, agent.nonce)
        trouble = find_trouble(lines)
        if is_complete(words):
            return _judge(read_report(words), lines)
        if trouble and trouble.sign.talks:
            last_words = min(last_words, monotonic() + LAST_WORDS)
        if trouble and (not trouble.sign.talks or ended is not None or monotonic() >= last_words):
            if trouble.sign.emulators:
                return trouble
            raise _in_trouble(trouble)
        if ended is not None:
            raise _ended(machine, ended, lines)
        if monotonic() >= deadline:
            raise _silent(words, lines, timeout)
        sleep(LOOK_AGAIN)


def _judge(guest: GuestReport, lines: Sequence[str]) -> GuestReport:
    """The report of a machine that is well.

    Raises:
        CheckFailed: it is not well; with the failed units and their last lines.
    """
    if guest.is_well:
        return guest
    facts = []
    for unit in guest.failed:
        facts.append(f"{unit.name} failed ({unit.result})")
        facts.extend(f"  {line}" for line in unit.lines)
    facts.extend(f"{job.unit}: its {job.kind} job is still {job.progress}" for job in guest.jobs)
    if guest.state in {"starting", "initializing"}:
        what, hint = (
            "the boot did not end",
            "look at the jobs above that are running; the others wait for them",
        )
    elif guest.state == "maintenance":
        what = "the system went into emergency mode"
        hint = "mend the units above; a mount that fails is often a line too many in /etc/fstab"
    else:
        what = f"systemd says that the system is {guest.state!r}"
        hint = "mend the units above, or disable them in the image"
    raise CheckFailed(f"the machine is not well: {what}{_block(facts or lines[-CONTEXT_LINES:])}", hint=hint)


def _in_trouble(trouble: Trouble) -> CheckFailed:
    return CheckFailed(
        f"the machine did not come up: {trouble.sign.name}{_block(trouble.lines)}", hint=trouble.sign.hint
    )


def _ended(machine: Machine, code: int, lines: Sequence[str]) -> CheckFailed | StepFailed:
    """QEMU is gone before the guest had its say."""
    if code == 0:
        return CheckFailed(
            f"the machine switched itself off or asked for a reboot before it was up{_block(_last(lines))}",
            hint="look at the console with --console; a reboot at the first boot counts as a failure",
        )
    return StepFailed(
        f"QEMU ended with exit code {code}",
        hint="look at the lines above; --keep keeps its whole log",
        tail=machine.qemu.tail,
    )


def _silent(words: Sequence[str], lines: Sequence[str], timeout: float) -> CheckFailed:
    """Nothing was reported in time; what was seen tells how far the boot came."""
    shown = _block(_last(lines))
    if words:
        return CheckFailed(
            f"the machine started systemd, but its boot did not end within {timeout:g} s{shown}",
            hint="give it more time with --timeout, or look for what hangs with --console",
        )
    if any("login:" in line for line in lines[-CONTEXT_LINES:]):
        return CheckFailed(
            f"the machine shows a login prompt, but nothing inside reported within {timeout:g} s{shown}",
            hint="the report needs systemd 256 or newer, or cloud-init with the NoCloud datasource in the image",
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


def _fetch(page: Page, port: int, deadline: float, timeout: float) -> HttpAnswer:
    """Ask for a page until it is served.

    Raises:
        CheckFailed: it is refused, or nobody answers in time.
    """
    problem = "nobody answers"
    while monotonic() < deadline:
        with suppress(OSError):
            left = max(deadline - monotonic(), LOOK_AGAIN)
            answer = get(port, page.path, timeout=min(HTTP_SECONDS, left), limit=BODY_LIMIT)
            if answer.status < REFUSED:
                return _answer(page, answer)
            problem = f"the server answers {answer.status}"
            if answer.status < BROKEN:
                break
        sleep(LOOK_AGAIN)
    raise CheckFailed(
        f"the machine is up, but http://127.0.0.1:{page.port}{page.path} inside it is not served "
        f"(within {timeout:g} s): {problem}",
        hint="check that the service is enabled, listens on all addresses, and that the firewall lets it through",
    )


def _answer(page: Page, answer: Answer) -> HttpAnswer:
    return HttpAnswer(
        port=page.port,
        path=page.path,
        status=answer.status,
        size=len(answer.body),
        sha256=hashlib.sha256(answer.body).hexdigest(),
        first=answer.body[:FIRST].decode(errors="replace"),
    )


def _last(lines: Sequence[str]) -> list[str]:
    return [line for line in lines if line][-CONTEXT_LINES:]


def _block(lines: Sequence[str]) -> str:
    """Lines as they stand in a message: indented, and set off from it."""
    return "".join(f"\n  | {line}" for line in lines)
