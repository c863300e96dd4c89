"""QEMU's command line for a machine, as data; nothing here starts anything."""

import base64

from goldsmith.model.machine import Accelerator, Credential, Forward, MachineSpec, UefiFiles

PROGRAM = "qemu-system-x86_64"
CONSOLE = "console.log"
REPORT = "report.log"
FIRMWARE = "firmware.log"
MONITOR = "qmp.sock"
AGENT = "agent.sock"
TERMINAL = "console.sock"
PORT = "goldsmith.agent"
"""The name of the agent's port inside."""

CPU = {
    Accelerator.KVM: "host",
    Accelerator.TCG: "max,-erms,-smap,-la57,-svm",
}
"""The CPU model each accelerator can run.

What is taken from the emulated one costs time there and gains nothing: ``rep movsb`` and ``rep stosb`` are emulated a
byte at a time, so that a kernel that trusts ERMS clears and copies pages eight times slower; SMAP ends a translated
block at every access to user memory; LA57 walks five levels for four; SVM loads the guest's KVM. A boot takes 47 s of
processor time in place of 56."""

WITHOUT_CX16 = ",-cx16"
"""For an emulated CPU, unless the image asks for more. Up to QEMU 7.2 ``cmpxchg8b`` and ``cmpxchg16b`` take the flags
from what was computed last, whether or not it was flags: a register's content lands in EFLAGS (ff9c0262 for ff9c0022,
every time). Linux allocates memory with it, and an interrupt at the wrong moment then ends in a fault: 1 boot of 14.
Linux does without where the CPU has none; distributions for x86-64-v2 do not, see ``watch``."""

BIOS_LOG_PORT = 0x402
"""Where SeaBIOS writes its log; without it, "No bootable device" stands on the screen only."""

SANDBOX = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"


def command(machine: MachineSpec) -> tuple[str, ...]:
    """The command that runs a machine, to be started in the machine's own directory.

    The guest's first serial port is its console and goes to ``CONSOLE``; the second is for the report and goes to
    ``REPORT``; a BIOS logs to ``FIRMWARE``; QMP listens on ``MONITOR``. The disk is the only one that can be booted.
    """
    return (
        PROGRAM,
        "-nodefaults",
        "-no-user-config",
        "-sandbox", SANDBOX,
        "-name", escaped(machine.name),
        *(["-uuid", machine.uuid] if machine.uuid else []),
        "-machine", "q35",
        "-accel", machine.accelerator.value,
        "-cpu", cpu(machine),
        "-smp", str(cpus(machine)),
        "-m", f"{machine.memory}M",
        "-display", "none",
        "-device", "VGA",
        "-rtc", "base=utc",
        *([] if machine.reboots else ["-no-reboot"]),
        *(["-S"] if machine.paused else []),
        *(_flash(machine.uefi) if machine.uefi else []),
        "-drive", f"if=none,id=root,file={escaped(str(machine.disk))},format=qcow2,cache={_cache(machine)},discard=unmap",
        "-device", "virtio-blk-pci,drive=root,bootindex=0",
        *(_seed(str(machine.seed)) if machine.seed else []),
        "-netdev", ",".join(["user,id=net", *_network(machine)]),
        "-device", "virtio-net-pci,netdev=net,romfile=" + (f",mac={machine.mac}" if machine.mac else ""),
        "-device", "virtio-rng-pci",
        "-chardev", _console(machine),
        "-serial", "chardev:console",
        "-chardev", f"file,id=report,path={REPORT}",
        "-serial", "chardev:report",
        "-chardev", f"file,id=firmware,path={FIRMWARE}",
        "-device", f"isa-debugcon,iobase={BIOS_LOG_PORT:#x},chardev=firmware",
        "-qmp", f"unix:{MONITOR},server=on,wait=off",
        *(_agent() if machine.agent else []),
        *(word for credential in machine.credentials for word in _credential(credential)),
    )  # fmt: skip


def cpus(machine: MachineSpec) -> int:
    """How many virtual CPUs the machine gets: two under TCG make kernels panic now and then."""
    return 1 if machine.accelerator is Accelerator.TCG else machine.cpus


def cpu(machine: MachineSpec) -> str:
    """The CPU model of a machine."""
    lacks = machine.accelerator is Accelerator.TCG and not machine.cx16
    return CPU[machine.accelerator] + (WITHOUT_CX16 if lacks else "")


def escaped(value: str) -> str:
    """A value inside a QEMU option, where a comma ends it unless doubled."""
    return value.replace(",", ",,")


def _cache(machine: MachineSpec) -> str:
    """A throwaway disk is never flushed to the host's; one that stays is when the guest asks for it."""
    return "writeback" if machine.stays else "unsafe"


def _console(machine: MachineSpec) -> str:
    if machine.stays:
        return f"socket,id=console,path={TERMINAL},server=on,wait=off,logfile={CONSOLE},logappend=on"
    return f"file,id=console,path={CONSOLE}"


def _agent() -> list[str]:
    return [
        "-device", "virtio-serial-pci",
        "-chardev", f"socket,id=agent,path={AGENT},server=on,wait=off",
        "-device", f"virtserialport,chardev=agent,name={PORT}",
    ]  # fmt: skip


def _flash(uefi: UefiFiles) -> list[str]:
    code, variables = escaped(str(uefi.code)), escaped(str(uefi.variables))
    return [
        "-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={code}",
        "-drive", f"if=pflash,unit=1,format=raw,file={variables}",
    ]  # fmt: skip


def _seed(path: str) -> list[str]:
    return [
        "-drive", f"if=none,id=seed,file={escaped(path)},format=raw,readonly=on",
        "-device", "virtio-blk-pci,drive=seed",
    ]  # fmt: skip


def _network(machine: MachineSpec) -> list[str]:
    return [*(["restrict=on"] if machine.isolated else []), *map(_forward, machine.forwards)]


def _forward(forward: Forward) -> str:
    return f"hostfwd=tcp:127.0.0.1:{forward.host}-:{forward.guest}"


def _credential(credential: Credential) -> list[str]:
    data = base64.b64encode(credential.data).decode()
    return ["-smbios", f"type=11,value=io.systemd.credential.binary:{credential.name}={data}"]
