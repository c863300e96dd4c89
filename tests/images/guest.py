"""Machines that do something at each start: a script is handed in by credentials, and what it says is read.

One overlay lives through many starts, as a machine's disk does; each start is made on a copy-on-write layer of its own,
so that a start in which a busy host kept the guest from its devices can be made again, once.
"""

import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from goldsmith.assay.prove.clones import PATIENCE_ENDED
from goldsmith.effects.randomness import nonce
from goldsmith.machine.agent import CREDENTIAL, DROP_IN, UNIT, said, unit_text
from goldsmith.machine.firmware import place_uefi
from goldsmith.machine.launch import launched
from goldsmith.machine.overlay import OVERLAY
from goldsmith.machine.watch import find_trouble, readable
from goldsmith.model.machine import Accelerator, Credential, Firmware, MachineSpec

SECONDS = 900
"""For one start with all that it does; an emulated one boots in 45 to 130 s and makes an initramfs in 60."""

PRELUDE = """\
exec 3>/dev/ttyS1
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
say() { printf '%s %s\\n' "$nonce" "$(echo "$*" | tr '\\n' ' ' | sed 's/ *$//')" >&3; }
fail() { say "failed: $*"; systemctl poweroff; exit 1; }
until state=$(systemctl is-system-running --wait 2>/dev/null); do
  case "$state" in degraded) say "units failed: $(systemctl list-units --state=failed --plain --no-legend)"; break ;; esac
  sleep 1
done
say "state $state"
say "kernel $(uname -r)"
say "root $(df -B1 --output=size / | tail -n 1)"
say "vmlinuz $(readlink /vmlinuz) $(readlink /initrd.img)"
say "vmlinuz.old $(readlink /vmlinuz.old) $(readlink /initrd.img.old)"
say "menu $(sha256sum </boot/grub/grub.cfg)"
say "firmware $(if [ -d /sys/firmware/efi ]; then echo uefi; else echo bios; fi)"
"""
END = "say end\nsystemctl poweroff\n"


@dataclass(frozen=True)
class Start:
    """What a machine said at one start."""

    lines: tuple[str, ...]

    def __getitem__(self, topic: str) -> str:
        found = [line.partition(" ")[2] for line in self.lines if line.partition(" ")[0] == topic]
        assert found, f"the guest said nothing of {topic!r}: {self.lines}"
        return found[-1].strip()


class Disk:
    """A machine's disk, which keeps what each start writes."""

    def __init__(self, image: Path, room: Path, *, size: int) -> None:
        self.room = room
        self.top = image
        self.size = size
        self.starts = 0

    def start(self, firmware: Firmware, work: str = "", files: Mapping[str, bytes] | None = None) -> Start:
        """Start the machine, let it do some work, and wait until it has switched itself off.

        Args:
            firmware: what starts it.
            work: a shell script; ``say TOPIC WORDS`` tells, ``fail WORDS`` gives up.
            files: credentials for the script, as ``/run/credentials/@system/NAME``.
        """
        for again in (False, True):
            directory = self.room / f"start-{self.starts}"
            shutil.rmtree(directory, ignore_errors=True)
            directory.mkdir()
            below = ["-F", "qcow2" if self.starts else "raw", "-b", self.top.resolve()]
            command = ["qemu-img", "create", "-q", "-f", "qcow2", *below, directory / OVERLAY]
            subprocess.run([*command, str(self.size)], check=True)
            lines, console = self._run(directory, firmware, work, files or {})
            if lines and lines[-1] == "end" and "state running" in lines:
                self.starts += 1
                self.top = directory / OVERLAY
                return Start(lines)
            if again or not PATIENCE_ENDED.search(console):
                break
        raise AssertionError("\n".join(["the machine did not do its work:", *lines, console]))

    def _run(
        self, directory: Path, firmware: Firmware, work: str, files: Mapping[str, bytes]
    ) -> tuple[tuple[str, ...], str]:
        word = nonce()
        script = f"nonce={word}\n{PRELUDE}\n{work}\n{END}"
        machine = MachineSpec(
            disk=directory / OVERLAY,
            accelerator=Accelerator.TCG,
            uefi=place_uefi(directory) if firmware is Firmware.UEFI else None,
            credentials=(
                Credential(CREDENTIAL, script.encode()),
                Credential(
                    f"systemd.extra-unit.{UNIT}", unit_text(f"/run/credentials/@system/{CREDENTIAL}").encode()
                ),
                Credential("systemd.unit-dropin.sysinit.target", DROP_IN.encode()),
                *(Credential(name, data) for name, data in files.items()),
            ),
        )
        with launched(machine, directory) as running:
            end = time.monotonic() + SECONDS
            shown: list[str] = []
            while running.qemu.code is None and time.monotonic() < end:
                time.sleep(2)
                shown = readable(running.console)
                if find_trouble(shown):
                    break
            return said(running.report, word), "\n".join(shown)
