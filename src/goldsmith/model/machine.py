"""Machines: what a virtual machine is made of, and what its boot proved. No I/O."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

DEFAULT_MEMORY = 1024
"""MiB; what a Debian cloud kernel with a systemd userland and a web server is at ease with."""


class Firmware(StrEnum):
    """What starts the machine's boot loader."""

    UEFI = "uefi"
    BIOS = "bios"


class Accelerator(StrEnum):
    """What runs the guest's instructions."""

    KVM = "kvm"
    TCG = "tcg"


@dataclass(frozen=True, slots=True)
class Forward:
    """A TCP port of the guest, reachable on a port of this host's loopback."""

    host: int
    """The port on 127.0.0.1."""
    guest: int
    """The port inside."""


@dataclass(frozen=True, slots=True)
class Credential:
    """A systemd system credential that the firmware tables hand to the guest."""

    name: str
    """Its name, as in systemd.system-credentials(7)."""
    data: bytes
    """Its content."""


@dataclass(frozen=True, slots=True)
class UefiFiles:
    """OVMF as two flash chips."""

    code: Path
    """The firmware's code, never written."""
    variables: Path
    """The machine's own copy of the variables."""


@dataclass(frozen=True, slots=True)
class MachineSpec:
    """Everything QEMU is told about a machine; its logs and sockets lie in the directory it is started in."""

    disk: Path
    """The qcow2 overlay it boots from."""
    accelerator: Accelerator
    """What runs its instructions."""
    uefi: UefiFiles | None = None
    """The UEFI firmware; ``None`` means BIOS."""
    memory: int = DEFAULT_MEMORY
    """Its memory in MiB."""
    cpus: int = 1
    """Its virtual CPUs; under TCG always one."""
    seed: Path | None = None
    """A NoCloud seed image."""
    forwards: tuple[Forward, ...] = ()
    """Ports that are reachable from this host."""
    credentials: tuple[Credential, ...] = ()
    """System credentials it is born with."""
    isolated: bool = False
    """Whether the guest reaches nothing outside; forwards into it work all the same."""
    reboots: bool = False
    """Whether a reset restarts the machine; otherwise it ends QEMU."""
    paused: bool = False
    """Whether it waits for ``cont`` before its first instruction."""
    agent: bool = False
    """Whether it has a port for the agent."""
    cx16: bool = False
    """Whether an emulated CPU has ``cmpxchg16b``, which QEMU before 8.0 does wrong; see ``machine.qemu``."""
    stays: bool = False
    """Whether its disk is to survive a crash of this host, and its console can be typed at."""
    name: str = "goldsmith"
    """What its process is called."""
    uuid: str = ""
    """Its identity in the firmware tables; empty for none."""
    mac: str = ""
    """The address of its network card; empty for QEMU's own."""


@dataclass(frozen=True, slots=True)
class FailedUnit:
    """A systemd unit that failed inside."""

    name: str
    """Its name."""
    result: str
    """How it failed, in systemd's word: ``exit-code``, ``timeout``, ``core-dump``."""
    lines: tuple[str, ...] = ()
    """Its last journal lines."""


@dataclass(frozen=True, slots=True)
class PendingJob:
    """A job that systemd had not finished when the guest's patience ended."""

    unit: str
    """The unit."""
    kind: str
    """``start``, ``stop`` or another job type."""
    progress: str
    """``running`` or ``waiting``."""


@dataclass(frozen=True, slots=True)
class GuestReport:
    """What the guest itself says, line by line under the nonce."""

    state: str
    """systemd's word for the whole: ``running``, ``degraded``, ``maintenance``, ``starting``."""
    kernel: str
    """The running kernel's release."""
    failed: tuple[FailedUnit, ...] = ()
    """Units that failed."""
    jobs: tuple[PendingJob, ...] = ()
    """Jobs that never ended, when the state is ``starting``."""
    complaints: tuple[str, ...] = ()
    """The last errors that systemd itself wrote in its journal."""
    times: tuple[str, ...] = ()
    """What systemd-analyze says about the boot's duration."""
    root_bytes: int | None = None
    """The size of the root file system in bytes."""
    root_used: int | None = None
    """How many bytes of it are used."""
    first_boot: bool = False
    """Whether systemd takes this for the machine's first boot: there was no machine id, not even an empty file."""
    machine_id: str = ""
    """The machine id."""
    cloud_init: tuple[str, ...] = ()
    """What ``cloud-init status --long`` says; empty where there is none."""

    @property
    def is_well(self) -> bool:
        """Whether systemd finished its boot and no unit failed."""
        return self.state == "running" and not self.failed


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A page that was fetched from the guest."""

    port: int
    """The port inside the guest."""
    path: str
    """The path."""
    status: int
    """The HTTP status."""
    size: int
    """How many bytes were read."""
    sha256: str
    """The SHA-256 of these bytes, in hexadecimal."""
    first: str
    """The beginning of the body, as text."""


@dataclass(frozen=True, slots=True)
class BootReport:
    """What a boot check found out about a machine that is well."""

    disk: Path
    """The disk that was booted, and not changed."""
    accelerator: Accelerator
    """What ran the guest."""
    firmware: Firmware
    """What started its boot loader."""
    guest: GuestReport
    """What the guest says."""
    seconds: float
    """From the start of the check to its end."""
    attempts: int = 1
    """How many boots it took; more than one where an emulated CPU had a fault."""
    http: HttpAnswer | None = None
    """The page, where one was asked for."""
    kept: Path | None = None
    """The machine's directory with its console, where it was to be kept."""
