"""Local machines that stay: what one is, its snapshots, and how it runs. No I/O."""

from dataclasses import dataclass

from goldsmith.model.machine import Accelerator, Firmware, Forward

JUST_CREATED = "just-created"
"""The snapshot that every machine is born with."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The image or file that a machine's disk was made from."""

    reference: str
    """As it was named: ``web:1.2.0``, or a path."""
    digest: str = ""
    """The image's digest; empty for a path."""
    disk_digest: str = ""
    """The digest of the image's disk; empty for a path."""
    format: str = "raw"
    """``raw`` or ``qcow2``."""
    path: str = ""
    """Where the disk lies; empty where the machine has a link of its own to it."""
    size: int = 0
    """Bytes of the file."""
    modified: int = 0
    """The file's time in nanoseconds; a file that is written to later would damage the machine."""
    checked: str = ""
    """The host's boot id when the bytes were last known to be right."""
    built: bool = False
    """Whether goldsmith built it: what system is in it is known then."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A state of a machine's disk that can be gone back to."""

    name: str
    """Its name."""
    layer: str
    """The layer that holds it; empty for the origin's disk itself."""
    parent: str = ""
    """The snapshot that it grew from; empty for the first."""
    created: str = ""
    """When, in UTC, as ISO 8601 writes it."""
    comment: str = ""
    """What a person said of it."""
    renew: bool = False
    """Whether it still has the identity of the machine that this one was cloned from."""


@dataclass(frozen=True, slots=True)
class LocalMachine:
    """A virtual machine on this host that stays until it is deleted."""

    name: str
    """Its name, and that of its directory."""
    uuid: str
    """Its identity in the firmware tables; no other machine has it."""
    mac: str
    """The address of its network card."""
    origin: Origin
    """What its disk was made from."""
    layer: str
    """The layer that it writes to."""
    disk_size: int
    """Bytes of the disk as the guest sees it."""
    memory: int
    """MiB."""
    cpus: int = 1
    """Virtual CPUs; one where they are emulated."""
    firmware: Firmware = Firmware.UEFI
    """What starts its boot loader."""
    forwards: tuple[Forward, ...] = ()
    """Ports of this host's loopback that lead into it."""
    user_data: str = ""
    """What cloud-init is given."""
    created: str = ""
    """When, in UTC."""
    cloned_from: str = ""
    """The machine it was cloned from."""
    current: str = JUST_CREATED
    """The snapshot that it grows from."""
    snapshots: tuple[Snapshot, ...] = ()
    """All, oldest first."""
    renew: bool = False
    """Whether its next start must give it an identity of its own first."""
    foreign: tuple[tuple[str, str], ...] = ()
    """The identities of the machine it was cloned from: none of them may be its own."""


@dataclass(frozen=True, slots=True)
class Run:
    """A running QEMU, as it was noted when it was started."""

    pid: int
    """Its process."""
    started: int
    """When the process started, in the kernel's ticks since the host's start: tells it from a later one of that number."""
    boot: str
    """The host's boot id."""
    ssh: int
    """The port of the loopback that leads to the guest's SSH server."""
    accelerator: Accelerator
    """What runs its instructions."""
    nonce: str
    """What its guest signs its words with."""
    since: str = ""
    """When, in UTC."""
