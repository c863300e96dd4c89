"""Command lines as tables: what of a machine changes which words."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldsmith.machine.qemu import command, cpus, escaped
from goldsmith.model.machine import Accelerator, Credential, Forward, MachineSpec, UefiFiles

PLAIN = MachineSpec(disk=Path("/m/overlay.qcow2"), accelerator=Accelerator.TCG)

EMULATED = "max,-erms,-smap,-la57,-svm,-cx16"
PLAIN_COMMAND = """\
qemu-system-x86_64
-nodefaults
-no-user-config
-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny
-name goldsmith
-machine q35
-accel tcg
-cpu max,-erms,-smap,-la57,-svm,-cx16
-smp 1
-m 1024M
-display none
-device VGA
-rtc base=utc
-no-reboot
-drive if=none,id=root,file=/m/overlay.qcow2,format=qcow2,cache=unsafe,discard=unmap
-device virtio-blk-pci,drive=root,bootindex=0
-netdev user,id=net
-device virtio-net-pci,netdev=net,romfile=
-device virtio-rng-pci
-chardev file,id=console,path=console.log
-serial chardev:console
-chardev file,id=report,path=report.log
-serial chardev:report
-chardev file,id=firmware,path=firmware.log
-device isa-debugcon,iobase=0x402,chardev=firmware
-qmp unix:qmp.sock,server=on,wait=off
"""


def options(machine: MachineSpec) -> list[str]:
    """One option and its value a line."""
    lines: list[str] = []
    for word in command(machine):
        if word.startswith("-") or not lines:
            lines.append(word)
        else:
            lines[-1] += f" {word}"
    return lines


def test_a_plain_bios_machine_is_this_command() -> None:
    assert "\n".join(options(PLAIN)) + "\n" == PLAIN_COMMAND


@pytest.mark.parametrize(
    ("machine", "gone", "new"),
    [
        pytest.param(
            replace(PLAIN, uefi=UefiFiles(Path("/f/CODE.fd"), Path("/m/vars.fd"))),
            [],
            [
                "-drive if=pflash,unit=0,format=raw,readonly=on,file=/f/CODE.fd",
                "-drive if=pflash,unit=1,format=raw,file=/m/vars.fd",
            ],
            id="UEFI is two flash chips and the code cannot be written",
        ),
        pytest.param(
            replace(PLAIN, accelerator=Accelerator.KVM, cpus=4),
            ["-accel tcg", f"-cpu {EMULATED}", "-smp 1"],
            ["-accel kvm", "-cpu host", "-smp 4"],
            id="under KVM the guest has the host's CPU and as many as asked for",
        ),
        pytest.param(
            replace(PLAIN, cx16=True),
            [f"-cpu {EMULATED}"],
            ["-cpu max,-erms,-smap,-la57,-svm"],
            id="an emulated CPU has cmpxchg16b only where the image asks for it",
        ),
        pytest.param(replace(PLAIN, cpus=4), [], [], id="under TCG there is one CPU whatever was asked for"),
        pytest.param(replace(PLAIN, memory=2048), ["-m 1024M"], ["-m 2048M"], id="memory is in MiB"),
        pytest.param(
            replace(PLAIN, forwards=(Forward(40001, 80), Forward(40002, 22))),
            ["-netdev user,id=net"],
            ["-netdev user,id=net,hostfwd=tcp:127.0.0.1:40001-:80,hostfwd=tcp:127.0.0.1:40002-:22"],
            id="forwards listen on the loopback only",
        ),
        pytest.param(
            replace(PLAIN, isolated=True),
            ["-netdev user,id=net"],
            ["-netdev user,id=net,restrict=on"],
            id="an isolated machine reaches nothing outside",
        ),
        pytest.param(
            replace(PLAIN, seed=Path("/m/seed.img")),
            [],
            [
                "-device virtio-blk-pci,drive=seed",
                "-drive if=none,id=seed,file=/m/seed.img,format=raw,readonly=on",
            ],
            id="a seed is a second disk that is only read and not booted",
        ),
        pytest.param(
            replace(PLAIN, credentials=(Credential("a.b", b"x\n"),)),
            [],
            ["-smbios type=11,value=io.systemd.credential.binary:a.b=eAo="],
            id="a credential is an SMBIOS string in base64",
        ),
        pytest.param(replace(PLAIN, reboots=True), ["-no-reboot"], [], id="a machine may be let reboot"),
        pytest.param(replace(PLAIN, paused=True), [], ["-S"], id="a paused machine waits for cont"),
        pytest.param(
            replace(PLAIN, disk=Path("/a,b/o.qcow2")),
            ["-drive if=none,id=root,file=/m/overlay.qcow2,format=qcow2,cache=unsafe,discard=unmap"],
            ["-drive if=none,id=root,file=/a,,b/o.qcow2,format=qcow2,cache=unsafe,discard=unmap"],
            id="a comma in a path is doubled",
        ),
    ],
)
def test_what_of_a_machine_changes_which_options(
    machine: MachineSpec, gone: list[str], new: list[str]
) -> None:
    before, after = options(PLAIN), options(machine)
    assert sorted(set(before) - set(after)) == sorted(gone)
    assert sorted(set(after) - set(before)) == sorted(new)


@given(st.integers(min_value=1, max_value=64))
def test_tcg_never_gets_two_cpus(asked: int) -> None:
    assert cpus(replace(PLAIN, cpus=asked)) == 1
    assert cpus(replace(PLAIN, accelerator=Accelerator.KVM, cpus=asked)) == asked


@given(st.text())
def test_an_escaped_value_reads_back(value: str) -> None:
    assert escaped(value).replace(",,", ",") == value
    assert escaped(value).count(",") == 2 * value.count(",")
