"""The boot check: a throwaway copy of a disk is booted, and is well only if something inside says so."""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from goldsmith.effects.claims import claimed
from goldsmith.effects.clock import monotonic, sleep
from goldsmith.effects.randomness import nonce
from goldsmith.effects.sockets import Answer, free_port, get
from goldsmith.errors import CheckFailed
from goldsmith.machine.agent import Agent, credentials, is_complete, read_report, said, seed_files
from goldsmith.machine.fat import image
from goldsmith.machine.firmware import place_uefi
from goldsmith.machine.launch import MACHINES, Machine, launched
from goldsmith.machine.need import need_memory, need_space
from goldsmith.machine.overlay import make_overlay
from goldsmith.machine.planted import with_agent
from goldsmith.machine.probe import accelerator as find_accelerator
from goldsmith.machine.reading import Growing
from goldsmith.machine.verdict import ended, in_trouble, judge, silent
from goldsmith.machine.watch import WANTS_CX16, Trouble
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
ATTEMPTS = {Accelerator.KVM: 1, Accelerator.TCG: 3}
"""How often a kernel may stop with a fault before it is believed: emulators have faults of their own; QEMU 7.2's worst
is gone around in ``qemu``."""
LAST_WORDS = 30.0
"""Seconds that a guest in trouble has for its own report, where it can still talk."""
SILENT_SECONDS = 60.0
"""Seconds that a machine may ask for a login while nothing inside has said a word: what reports starts long before."""
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
    slow: tuple[str, ...] = (),
    keep: bool = False,
    show: Show = lambda _line: None,
    note: Show = lambda _line: None,
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
        slow: units that may rest when they start.
        keep: whether the machine's directory stays, for a person to look at.
        show: is called with each line of the console as it comes.
        note: is called with what a person should know of the check itself.

    Raises:
        CheckFailed: the machine is not well, or did not say so in time; the console is in the message.
        InputError: ``disk`` is no disk that can be booted.
        NoSpace: there is no room for what it writes.
        Unavailable: this host has less memory.
        MissingTool: QEMU or the firmware is not installed.
    """
    need_space(home.path)
    need_memory(memory)
    begun = monotonic()
    deadline = begun + timeout
    chosen = accelerator or find_accelerator(home).accelerator
    attempt, cx16 = 1, False
    while True:
        agent = Agent(nonce=nonce(), patience=int((deadline - monotonic()) * PATIENCE), slow=slow)
        with claimed(home / MACHINES, keep=keep) as directory:
            if keep:
                note(f"the machine's directory is kept: {directory}")
            spec = MachineSpec(
                disk=make_overlay(with_agent(disk, directory, agent), directory),
                accelerator=chosen,
                uefi=place_uefi(directory) if firmware is Firmware.UEFI else None,
                memory=memory,
                seed=_write_seed(directory, agent),
                forwards=(Forward(free_port(), page.port),) if page else (),
                credentials=credentials(agent),
                cx16=cx16,
            )
            with launched(spec, directory) as machine:
                guest = _wait_until_well(machine, agent, deadline, timeout, show)
                if isinstance(guest, GuestReport):
                    answer = fetch(page, spec.forwards[0].host, deadline, timeout) if page else None
                    seconds, kept = monotonic() - begun, directory if keep else None
                    return BootReport(disk, chosen, firmware, guest, seconds, attempt, answer, kept)
        if attempt == ATTEMPTS[chosen]:
            raise in_trouble(guest)
        note(f"{guest.sign.name}; trying again, since emulated CPUs do that: {guest.line}")
        attempt, cx16 = attempt + 1, cx16 or guest.sign.name == WANTS_CX16


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
    screen, log = Growing(), Growing()
    shown = 0
    last_words = first_words = deadline
    while True:
        code = machine.qemu.code
        screen.feed(machine.console)
        log.feed(machine.firmware)
        for line in screen.lines[shown:]:
            show(line)
        shown = len(screen.lines)
        lines = [*screen.lines, screen.tail]
        trouble = screen.trouble or log.trouble
        words = said(machine.report, agent.nonce)
        if is_complete(words):
            return judge(read_report(words), lines)
        if trouble and trouble.sign.talks:
            last_words = min(last_words, monotonic() + LAST_WORDS)
        if trouble and (not trouble.sign.talks or code is not None or monotonic() >= last_words):
            if trouble.sign.emulators:
                return trouble
            raise in_trouble(trouble)
        if code is not None:
            raise ended(code, machine.qemu.tail, lines)
        if not words and screen.asks_for_login:
            first_words = min(first_words, monotonic() + SILENT_SECONDS)
        if monotonic() >= deadline:
            raise silent(words, lines, timeout)
        if not words and monotonic() >= first_words:
            raise silent(words, lines, SILENT_SECONDS)
        sleep(LOOK_AGAIN)


def fetch(page: Page, port: int, deadline: float, timeout: float) -> HttpAnswer:
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
