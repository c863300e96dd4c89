"""Start and stop a machine. Its QEMU goes on when the command that started it has ended."""

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from goldsmith.effects.clock import monotonic, sleep
from goldsmith.effects.detached import is_locked, kill, reap, start_detached, started_at
from goldsmith.effects.machine_run import boot_id
from goldsmith.effects.process import need, tail
from goldsmith.effects.randomness import nonce
from goldsmith.effects.sockets import free_port, hindrance
from goldsmith.errors import GoldsmithError, StepFailed, Unavailable, UsageError
from goldsmith.machine.agent import Agent
from goldsmith.machine.channel import guest
from goldsmith.machine.firmware import VARIABLES, find_uefi
from goldsmith.machine.local.create import make_key, stamp
from goldsmith.machine.local.layers import collect, layer_path
from goldsmith.machine.local.origin import check_origin
from goldsmith.machine.local.room import RUNNING, directory_of, running, save, save_run
from goldsmith.machine.local.seed import credentials, write_seed
from goldsmith.machine.local.stalled import go_on, refuse_stalled
from goldsmith.machine.need import need_memory, need_space
from goldsmith.machine.probe import accelerator as find_accelerator
from goldsmith.machine.qemu import CONSOLE, FIRMWARE, REPORT, command
from goldsmith.machine.qmp import monitor
from goldsmith.model.machine import Accelerator, Firmware, Forward, MachineSpec, UefiFiles
from goldsmith.model.vm import LocalMachine, Run
from goldsmith.store.home import Home

LOG = "qemu.log"
BEFORE = ".before"
"""What the logs of the start before are called."""
PATIENCE = 240
"""Seconds after which a guest reports its boot as it stands, where nobody waits for it."""
STOP_SECONDS = 120.0
KILL_SECONDS = 10.0
ANSWER_SECONDS = 20.0
ASK_SECONDS = 5.0
LOOK_AGAIN = 0.05
SSH = 22

Show = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Start:
    """How a machine is to be started."""

    accelerator: Accelerator | None = None
    """KVM or TCG; ``None`` asks the probe."""
    patience: int = PATIENCE
    """Seconds after which a guest reports the boot as it stands."""
    slow: tuple[str, ...] = ()
    """Units that may rest when they start."""


def start(home: Home, machine: LocalMachine, how: Start = Start()) -> Run:
    """Start a machine that is held; QEMU answers when this returns, the guest has its boot before it.

    One that stands still for want of room goes on.

    Whatever ends this early, Ctrl-C too, leaves no QEMU running.

    Raises:
        UsageError: it runs already.
        Unavailable: a port that it forwards is in use, or this host has less memory.
        NoSpace: there is no room for what it will write.
        IntegrityError: its image's disk is not what it was.
        StepFailed: QEMU ended; its last lines are shown.
    """
    need("qemu-system-x86_64", "qemu-img")
    directory = directory_of(home, machine.name)
    run = running(directory)
    if run and go_on(directory):
        return run
    if run:
        raise UsageError(f"{machine.name!r} runs already", hint="stop it first: goldsmith vm stop")
    need_space(directory)
    need_memory(machine.memory)
    for forward in machine.forwards:
        check_port(forward)
    machine = check_origin(home, directory, machine)
    with suppress(StepFailed):  # merging saves room, no more; the next start tries again
        collect(directory, machine)
    save(directory, machine)
    for name in (CONSOLE, REPORT, FIRMWARE, LOG):
        _put_aside(directory / name)
    agent = Agent(nonce=nonce(), patience=how.patience, slow=how.slow)
    accelerator = how.accelerator or find_accelerator(home).accelerator
    port = free_port()
    spec = _spec(directory, machine, agent, accelerator, port)
    pid = start_detached(command(spec), log=directory / LOG, cwd=directory, lock=directory / RUNNING)
    began = started_at(pid)
    try:
        run = Run(pid, began, boot_id(), port, accelerator, agent.nonce, stamp())
        save_run(directory, run)
        _wait_for_monitor(directory, pid)
    except BaseException:
        kill(pid, began)
        _gone(directory, pid, KILL_SECONDS)
        raise
    return run


def _spec(
    directory: Path, machine: LocalMachine, agent: Agent, accelerator: Accelerator, port: int
) -> MachineSpec:
    key = make_key(directory, machine.name).with_suffix(".pub").read_text().strip()
    uefi = UefiFiles(find_uefi().code, directory / VARIABLES) if machine.firmware is Firmware.UEFI else None
    return MachineSpec(
        disk=layer_path(directory, machine.layer),
        accelerator=accelerator,
        uefi=uefi,
        memory=machine.memory,
        cpus=machine.cpus,
        seed=write_seed(directory, machine, agent, key),
        forwards=(*machine.forwards, Forward(port, SSH)),
        credentials=credentials(agent),
        reboots=True,
        agent=True,
        cx16=not machine.origin.built,  # Debian and Ubuntu do without it, somebody else's system may not
        stays=True,
        name=machine.name,
        uuid=machine.uuid,
        mac=machine.mac,
    )


def check_port(forward: Forward) -> None:
    """Refuse a port of this host that somebody listens on, or that is not for this user.

    Raises:
        Unavailable: it is one.
    """
    found = hindrance(forward.host)
    if found in {errno.EACCES, errno.EPERM}:
        raise Unavailable(
            f"port {forward.host} of this host is not for this user to listen on: {os.strerror(found)}",
            hint="ports below 1024 are root's: take a higher one with goldsmith vm set NAME --forward HOST:GUEST",
        )
    if found:
        raise Unavailable(
            f"port {forward.host} of this host is in use, and the machine forwards it to its port {forward.guest}",
            hint=f"stop what listens there (ss -tlnp 'sport = {forward.host}'), "
            "or change the port: goldsmith vm set NAME --forward HOST:GUEST",
        )


def _put_aside(log: Path) -> None:
    with suppress(FileNotFoundError):
        log.rename(log.with_name(log.name + BEFORE))


def _wait_for_monitor(directory: Path, pid: int) -> None:
    deadline = monotonic() + ANSWER_SECONDS
    while True:
        reap(pid)
        if not is_locked(directory / RUNNING):
            raise StepFailed(
                "QEMU ended as soon as it was started",
                hint="look at the lines above",
                log=str(directory / LOG),
                tail=tail((directory / LOG).read_bytes()),
            )
        with suppress(StepFailed), monitor(directory, timeout=LOOK_AGAIN) as qemu:
            qemu.execute("query-status")
            return
        if monotonic() > deadline:
            raise StepFailed("QEMU does not answer", hint="look at its log", log=str(directory / LOG))


def stop(
    home: Home, machine: LocalMachine, *, timeout: float = STOP_SECONDS, show: Show = lambda _line: None
) -> bool:
    """Shut a machine down as its power button does; whether it ran.

    Raises:
        Unavailable: it did not end in time; it still runs.
        NoSpace: it stands still.
    """
    directory = directory_of(home, machine.name)
    run = running(directory)
    if run is None:
        return False
    refuse_stalled(directory, machine.name)
    if not _asked_inside(directory, run):
        show("nothing inside answers; pressing the power button")
        with suppress(StepFailed), monitor(directory) as qemu:
            qemu.execute("system_powerdown")
    if not _gone(directory, run.pid, timeout):
        raise Unavailable(
            f"{machine.name!r} did not shut down within {timeout:g} s",
            hint="wait longer with --timeout, look at goldsmith vm logs, or pull the plug: goldsmith vm kill",
        )
    return True


def _asked_inside(directory: Path, run: Run) -> bool:
    """Ask the guest's systemd to shut down: a power button needs logind, which small images lack."""
    if not run.nonce:
        return False
    with suppress(GoldsmithError), guest(directory, run.nonce, ASK_SECONDS) as inside:
        return inside.run("systemctl poweroff --no-block", timeout=ASK_SECONDS).code == 0
    return False


def pull_plug(home: Home, machine: LocalMachine) -> bool:
    """End a machine at once, as a power cut does; whether it ran.

    Raises:
        Unavailable: QEMU cannot be ended.
    """
    directory = directory_of(home, machine.name)
    run = running(directory)
    if run is None:
        return False
    with suppress(GoldsmithError), monitor(directory, timeout=ASK_SECONDS) as qemu:
        qemu.execute("quit")
    if not _gone(directory, run.pid, ASK_SECONDS):
        kill(run.pid, run.started)
        if not _gone(directory, run.pid, KILL_SECONDS):
            raise Unavailable(
                f"the QEMU of {machine.name!r} does not end",
                hint=f"look for it: ps -ef | grep {machine.uuid}",
            )
    return True


def _gone(directory: Path, pid: int, seconds: float) -> bool:
    deadline = monotonic() + seconds
    while True:
        if pid:
            reap(pid)
        if not is_locked(directory / RUNNING):
            return True
        if monotonic() >= deadline:
            return False
        sleep(LOOK_AGAIN)
