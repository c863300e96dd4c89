"""Clones of an image that are started, watched and restarted; each with an agent inside."""

import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from goldsmith.assay.prove.capacity import is_busy
from goldsmith.effects.clock import monotonic, sleep
from goldsmith.effects.process import run
from goldsmith.effects.randomness import nonce
from goldsmith.errors import CheckFailed, GoldsmithError
from goldsmith.machine import channel
from goldsmith.machine.agent import Agent, credentials, is_complete, read_report, said, seed_files
from goldsmith.machine.boot import ATTEMPTS, SILENT_SECONDS
from goldsmith.machine.channel import Guest
from goldsmith.machine.fat import image
from goldsmith.machine.firmware import place_uefi
from goldsmith.machine.launch import Machine, launched
from goldsmith.machine.overlay import OVERLAY, disk_format
from goldsmith.machine.planted import with_agent
from goldsmith.machine.reading import Growing
from goldsmith.machine.verdict import ended, in_trouble, judge, silent
from goldsmith.machine.watch import WANTS_CX16, Sign, Trouble
from goldsmith.model.machine import Accelerator, Firmware, GuestReport, MachineSpec, UefiFiles

PATIENCE_ENDED = re.compile(r"Timed out waiting for device")
GROWN = 1 << 30
"""Bytes that a clone's disk is larger than the image's: the root must grow into them."""
PATIENCE = 0.8
LAST_WORDS = 20.0
LAST_WORDS_OF_THE_SLOW = 120.0
"""Seconds after a device that did not come in time; the machine may be well without it."""
LOOK_AGAIN = 1.0
OLD = "\n  | systemd did not take this for a first boot: the image has a machine-id, or an empty one"
AGENT_SECONDS = 5.0
END_SECONDS = 60.0
FAILED = Sign(
    "a unit failed",
    re.compile(r"\[\s*FAILED\s*\] Failed to (start|mount) "),
    "mend the unit, or disable it in the image",
    talks=True,
)
"""A sign that ends a proof: nothing that comes later makes the machine well."""
JOURNAL = "journalctl -b --no-pager --lines=5000"
JOURNAL_SECONDS = 30.0
FAILURES = """
systemctl list-units --state=failed --plain --no-legend --full --no-pager | while read -r unit _; do
  echo "$unit failed ($(systemctl show -P Result "$unit"))"
  journalctl --boot --unit="$unit" --lines=8 --output=cat --quiet --no-pager
done
"""

Note = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Setting:
    """How clones are run."""

    accelerator: Accelerator
    """KVM or TCG."""
    firmware: Firmware
    """What starts the boot loader."""
    memory: int
    """MiB of each."""
    timeout: float
    """Seconds for a boot."""
    slow: tuple[str, ...] = ()
    """Units that may rest when they start."""


@dataclass
class Clone:
    """One clone: its directory, and its present start."""

    number: int
    """1 or 2."""
    directory: Path
    """Its disk and logs; those of each start in a directory below."""
    disk: Path
    """What its layer stands on."""
    layer: Path
    """What it writes to; stays over restarts."""
    setting: Setting
    """How it is run."""
    instance: str
    """What cloud-init knows it by."""
    uefi: UefiFiles | None = None
    """The firmware with its own variables."""
    planted: bool = False
    """Whether its agent was written into its disk, so that it stays the same over restarts."""
    starts: int = 0
    """How often it was started."""
    tries: int = 1
    """How often the present boot was tried."""
    has_been_up: bool = False
    """Whether it was well once."""
    cx16: bool = False
    """Whether its CPU has what some distributions ask for."""
    agent: Agent = field(default_factory=lambda: Agent("", 0))
    """That of the present start."""
    machine: Machine | None = None
    """The present start."""
    stack: ExitStack = field(default_factory=ExitStack)
    """Ends the present start."""
    deadline: float = 0.0
    """When the present boot must have ended."""
    last_words: float = 0.0
    """When a guest in trouble must have said why; 0 while it is not."""
    first_words: float = 0.0
    """When a guest that asks for a login must have said something; 0 before."""

    screen: Growing = field(default_factory=Growing)
    """Its console."""
    log: Growing = field(default_factory=Growing)
    """Its firmware's log."""

    def start(self) -> None:
        """Start it anew; what it has written stays."""
        self.starts += 1
        if not self.planted:
            self.agent = new_agent(self.setting)
        directory = self.directory / f"start-{self.starts}"
        directory.mkdir()
        seed = directory / "seed.img"
        files = dict(seed_files(self.agent))
        files["meta-data"] = f"instance-id: goldsmith-{self.instance}\n".encode()
        seed.write_bytes(image("CIDATA", files))
        spec = MachineSpec(
            disk=self.layer,
            accelerator=self.setting.accelerator,
            uefi=self.uefi,
            memory=self.setting.memory,
            seed=seed,
            credentials=credentials(self.agent),
            agent=True,
            cx16=self.cx16,
        )
        self.last_words = self.first_words = 0.0
        self.screen, self.log = Growing((FAILED,)), Growing()
        self.deadline = monotonic() + self.setting.timeout
        self.machine = self.stack.enter_context(launched(spec, directory))

    def stop(self) -> None:
        """End it at once."""
        self.stack.close()
        self.machine = None

    def look(self) -> GuestReport | Trouble | None:
        """What it says: that it is well, that it may be the emulator's fault, or nothing yet.

        Raises:
            CheckFailed: it is not well.
        """
        assert self.machine is not None
        code = self.machine.qemu.code
        lines, trouble = self._read()
        words = said(self.machine.report, self.agent.nonce)
        if is_complete(words):
            report = read_report(words)
            if trouble and not report.is_well and self._was_too_slow(trouble):
                return trouble
            return self._judged(report, lines)
        if trouble and trouble.sign.talks and not self.last_words:
            waits = PATIENCE_ENDED.search(trouble.line) and self.setting.accelerator is Accelerator.TCG
            self.last_words = monotonic() + (LAST_WORDS_OF_THE_SLOW if waits else LAST_WORDS)
        over = code is not None or (self.last_words and monotonic() >= self.last_words)
        if trouble and (not trouble.sign.talks or over):
            if self._may_be_the_hosts(trouble) and self.tries < ATTEMPTS[self.setting.accelerator]:
                self.cx16 = self.cx16 or trouble.sign.name == WANTS_CX16
                return trouble
            raise in_trouble(replace(trouble, lines=(*trouble.lines, *self._failures(code))))
        if code is not None:
            raise ended(code, self.machine.qemu.tail, lines)
        if not words and not self.first_words and self.screen.asks_for_login:
            self.first_words = monotonic() + SILENT_SECONDS
        if monotonic() >= self.deadline:
            raise silent(words, lines, self.setting.timeout)
        if not words and self.first_words and monotonic() >= self.first_words:
            raise silent(words, lines, SILENT_SECONDS)
        return None

    def _judged(self, report: GuestReport, lines: list[str]) -> GuestReport:
        """The report of a machine that is well; of another also that it was not new, which explains much."""
        try:
            return judge(report, lines)
        except CheckFailed as error:
            if self.has_been_up or report.first_boot:
                raise
            raise CheckFailed(f"{error.message}{OLD}", hint=error.hint) from error

    def _may_be_the_hosts(self, trouble: Trouble) -> bool:
        """Whether an emulated CPU, or a host without time for it, does this to a sound image."""
        return trouble.sign.emulators or self._was_too_slow(trouble)

    def _was_too_slow(self, trouble: Trouble) -> bool:
        """Whether the host may have been too busy for an emulated guest to find its devices; believed once."""
        slow = self.setting.accelerator is Accelerator.TCG and self.tries == 1 and is_busy()
        return slow and bool(PATIENCE_ENDED.search(trouble.line))

    def again(self) -> None:
        """Start it once more after a fault that is not its own; a first boot is a first boot again."""
        self.stop()
        if not self.has_been_up:
            make_layer(self.disk, self.layer)
        self.tries += 1
        self.start()

    def _failures(self, code: int | None) -> tuple[str, ...]:
        """What the agent knows of failed units, where it still answers."""
        with suppress(GoldsmithError):
            if code is None and self.has_spoken:
                with self.inside(AGENT_SECONDS) as guest:
                    return tuple(guest.run(FAILURES, timeout=LAST_WORDS).text.splitlines())
        return ()

    def _read(self) -> tuple[list[str], Trouble | None]:
        """Its console in lines, and the first sign of trouble."""
        assert self.machine is not None
        self.screen.feed(self.machine.console)
        self.log.feed(self.machine.firmware)
        return [*self.screen.lines, self.screen.tail], self.screen.trouble or self.log.trouble

    @contextmanager
    def inside(self, patience: float = 30.0) -> Iterator[Guest]:
        """A connection to its agent."""
        assert self.machine is not None
        with channel.guest(self.machine.directory, self.agent.nonce, patience) as guest:
            yield guest

    def shut_down(self) -> None:
        """Let it end as a person would.

        Raises:
            CheckFailed: it does not.
        """
        assert self.machine is not None
        with suppress(GoldsmithError), self.inside() as guest:
            guest.run("systemctl poweroff --no-block")
        if self.machine.qemu.wait(END_SECONDS) is None:
            raise CheckFailed(
                f"the machine did not shut down within {END_SECONDS:g} s",
                hint="a unit hangs when it is stopped: look at the console",
            )
        self.stop()

    def note_journal(self, guest: Guest) -> None:
        """Write its journal beside its console; it goes with the clone, unless something fails."""
        assert self.machine is not None
        with suppress(GoldsmithError):  # no word about the image
            journal = guest.run(JOURNAL, timeout=JOURNAL_SECONDS)
            (self.machine.directory / "journal.log").write_bytes(journal.stdout)

    @property
    def has_spoken(self) -> bool:
        """Whether its agent has started: before, nothing inside would answer."""
        return self.machine is not None and bool(said(self.machine.report, self.agent.nonce))

    @property
    def console(self) -> bytes:
        """What it has written on its console at its present start."""
        return self.machine.console if self.machine else b""


def make_clone(disk: Path, room: Path, number: int, setting: Setting) -> Clone:
    """A clone that has not been started.

    Raises:
        InputError: ``disk`` is no disk.
        MissingTool: a program or the firmware is missing.
    """
    directory = room / f"clone-{number}"
    directory.mkdir()
    agent = new_agent(setting)
    below = with_agent(disk, directory, agent)
    layer = directory / OVERLAY
    make_layer(below, layer)
    uefi = place_uefi(directory) if setting.firmware is Firmware.UEFI else None
    planted = below != disk
    return Clone(
        number, directory, below, layer, setting, instance=nonce(), uefi=uefi, planted=planted, agent=agent
    )


def make_layer(below: Path, layer: Path) -> None:
    """An empty layer over a disk, 1 GiB larger than that; in place of one that is there."""
    create = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", disk_format(below), "-b", str(below.resolve())]
    run([*create, str(layer)])
    run(["qemu-img", "resize", "-q", "-f", "qcow2", str(layer), f"+{GROWN}"])


def new_agent(setting: Setting) -> Agent:
    """The report's script with the agent beside it, under a nonce of its own."""
    word = nonce()
    return Agent(word, int(setting.timeout * PATIENCE), channel.script(word), setting.slow)


def bring_up(clones: Sequence[Clone], note: Note) -> dict[int, GuestReport]:
    """Start clones at once and wait until each says that it is well.

    Raises:
        CheckFailed: one is not; all are ended.
    """
    for clone in clones:
        clone.tries = 1
        clone.start()
    reports: dict[int, GuestReport] = {}
    while len(reports) < len(clones):
        for clone in clones:
            if clone.number in reports:
                continue
            found = clone.look()
            if isinstance(found, GuestReport):
                reports[clone.number] = found
                clone.has_been_up = True
            elif found is not None:
                note(
                    f"clone {clone.number}: {found.sign.name}; again, since that may be the emulator's fault"
                )
                clone.again()
        sleep(LOOK_AGAIN)
    return reports


def keep_logs(clones: Sequence[Clone], target: Path) -> None:
    """Copy consoles, reports and journals to a lasting place."""
    for clone in clones:
        room = target / f"clone-{clone.number}"
        room.mkdir(parents=True, exist_ok=True)
        if clone.machine and clone.machine.qemu.code is None and clone.has_spoken:
            with suppress(GoldsmithError), clone.inside(AGENT_SECONDS) as guest:
                clone.note_journal(guest)
        for log in clone.directory.glob("start-*/*.log"):
            shutil.copyfile(log, room / f"{log.parent.name}-{log.name}")
