"""Is there a KVM that really runs a guest? Only a guest's own word counts, and it has a deadline.

``/dev/kvm`` opens and QEMU says that KVM is on also where a Linux guest then hangs for ever (hosts whose KVM needs
guests made for it). The probe's answer is kept under the data directory, by host boot, QEMU and CPU model, so that a
deadline is waited for once a boot.
"""

import json
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from goldsmith.effects.background import started
from goldsmith.effects.claims import claimed
from goldsmith.effects.files import write_durably
from goldsmith.effects.machine_run import boot_id
from goldsmith.effects.process import missing, run
from goldsmith.machine.launch import MACHINES, read
from goldsmith.machine.probe_rom import EXIT_CODE, EXIT_PORT, WORD, rom
from goldsmith.machine.qemu import CPU, PROGRAM
from goldsmith.model.canonical import digest
from goldsmith.model.machine import Accelerator
from goldsmith.store.home import Home

KVM = Path("/dev/kvm")
DEADLINE = 5.0
"""Seconds; a guest that runs needs 0.1, on a busy host perhaps ten times as much."""
ROM = "probe.rom"
SERIAL = "probe.log"


@dataclass(frozen=True, slots=True)
class Probe:
    """What a probe found out."""

    accelerator: Accelerator
    """What machines are to be run with."""
    reason: str
    """Why."""


def accelerator(home: Home, *, kvm: Path = KVM, deadline: float = DEADLINE) -> Probe:
    """What to run machines with on this host; asks a real guest once a boot of the host.

    Raises:
        MissingTool: QEMU is not installed.
    """
    if not os.access(kvm, os.R_OK | os.W_OK):
        state = "may not be opened by this user" if kvm.exists() else "does not exist"
        return Probe(Accelerator.TCG, f"{kvm} {state}")
    if shutil.which(PROGRAM) is None:
        raise missing(PROGRAM)
    kept = home / "cache/accelerator.json"
    key = _key()
    with suppress(OSError, ValueError, KeyError, TypeError):
        known = json.loads(kept.read_bytes())
        if known["key"] == key:
            return Probe(Accelerator(known["accelerator"]), known["reason"])
    found = probe(home, deadline=deadline)
    words = {"key": key, "accelerator": found.accelerator.value, "reason": found.reason}
    write_durably(kept, json.dumps(words, indent=2).encode() + b"\n")
    return found


def probe(home: Home, *, deadline: float, options: Sequence[str] = ("-accel", "kvm")) -> Probe:
    """Start the small guest under KVM and wait for its word.

    Args:
        home: whose machines' directory the guest uses for a moment.
        deadline: seconds that the guest has.
        options: what makes QEMU use the accelerator in question.
    """
    with claimed(home / MACHINES) as directory:
        (directory / ROM).write_bytes(rom())
        with started(command(options), log=directory / "qemu.log", cwd=directory) as guest:
            code = guest.wait(deadline)
            if code == EXIT_CODE and read(directory / SERIAL) == WORD:
                return Probe(Accelerator.KVM, "a guest ran under it")
            if code is None:
                return Probe(Accelerator.TCG, f"{KVM} opens, but a guest said nothing within {deadline:g} s")
            said = guest.tail.splitlines()
            return Probe(
                Accelerator.TCG,
                f"{KVM} opens, but QEMU ended with {code}: {said[-1] if said else 'it said nothing'}",
            )


def command(options: Sequence[str]) -> tuple[str, ...]:
    """QEMU with the probe's guest, and the CPU model that machines get under KVM."""
    return (
        PROGRAM,
        "-nodefaults",
        "-no-user-config",
        "-no-reboot",
        "-display", "none",
        "-machine", "q35",
        "-cpu", CPU[Accelerator.KVM],
        *options,
        "-m", "16M",
        "-bios", ROM,
        "-chardev", f"file,id=word,path={SERIAL}",
        "-serial", "chardev:word",
        "-device", f"isa-debug-exit,iobase={EXIT_PORT:#x},iosize=4",
    )  # fmt: skip


def _key() -> str:
    boot = boot_id()
    version = run([PROGRAM, "--version"], timeout=30).text
    model = next(
        (line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), ""
    )
    return digest({"boot": boot, "qemu": version, "cpu": model, "guest": digest(rom().hex())})
