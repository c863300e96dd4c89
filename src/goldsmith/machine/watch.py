"""Reads a machine's console and says when waiting longer makes no sense, and why. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

CONTEXT_LINES = 12

ESCAPE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(\x07|\x1b\\)?|\x1b[()][A-Z0-9]|\x1b[=>78cM]|[\x00-\x08\x0b-\x1a\x1c-\x1f]"
)
AUDIT = re.compile(r"\baudit: type=|\bkauditd_printk_skb: ")


@dataclass(frozen=True, slots=True)
class Sign:
    """A row of the table: what on a console means that the boot has gone wrong."""

    name: str
    """The reason in a few words; it stands after "the machine did not come up: "."""
    pattern: re.Pattern[str]
    """What the line looks like."""
    hint: str
    """How it is usually mended."""
    talks: bool = False
    """Whether the guest may still report more, so that it is given a little time."""
    emulators: bool = False
    """Whether an emulated CPU does this to a sound image now and then."""


def _sign(name: str, pattern: str, hint: str, *, talks: bool = False, emulators: bool = False) -> Sign:
    return Sign(name, re.compile(pattern), hint, talks, emulators)


WANTS_CX16 = "the image asks for a newer processor"
SIGNS = (
    _sign(
        WANTS_CX16,
        r"CPU ISA level is lower than required|CPU does not support x86-64-v",
        "an emulated CPU is too old for this distribution: use KVM, or QEMU 8.0 or newer",
        emulators=True,
    ),
    _sign(
        "the kernel found no root file system",
        r"VFS: Unable to mount root fs|Kernel panic - not syncing: VFS:|ALERT!\s+.* does not exist|"
        r"Gave up waiting for root file system device",
        "check root= on the kernel's command line, and that the initramfs has the disk's driver",
    ),
    _sign(
        "the kernel found no init",
        r"No working init found|Run /init as init process failed|run-init: .*(No such file|not found)|"
        r"Target filesystem doesn't have requested /",
        "install an init, systemd-sysv for example",
    ),
    _sign(
        "the kernel panicked",
        r"Kernel panic - not syncing",
        "read the lines above it; the console has more",
        emulators=True,
    ),
    _sign(
        "the kernel stopped with a fault",
        r"\b(Oops: |BUG: unable to handle|double fault: |general protection fault, (maybe|probably)|"
        r"kernel BUG at |Unable to handle kernel )",
        "try another kernel; the console has more",
        emulators=True,
    ),
    _sign(
        "systemd stopped",
        r"systemd\[1\]: (Freezing execution|Caught <\w+>)",
        "read the lines above it; the console has more",
        emulators=True,
    ),
    _sign(
        "the initramfs gave up and opened a shell",
        r"^\(initramfs\)|dracut:/#|dracut-initqueue.*timeout|Dropping to (debug|a) shell",
        "check root= on the kernel's command line, and that the initramfs has the disk's driver",
    ),
    _sign(
        "the boot loader stopped at its rescue prompt",
        r"^grub rescue>|Entering rescue mode\.\.\.",
        "the boot loader does not find its own files: check the partition that holds /boot",
    ),
    _sign(
        "the boot loader has no menu and waits at a prompt",
        r"^grub>|Minimal BASH-like line editing",
        "make grub.cfg: update-grub",
    ),
    _sign(
        "the boot loader found no kernel",
        r"error: .*(file [`']?/\S*(vmlinu|initrd)\S* not found|you need to load the kernel first)",
        "install a kernel, and renew the boot loader's menu: update-grub",
    ),
    _sign(
        "the firmware found nothing to boot",
        r"No bootable device|Boot failed: not a bootable disk|BdsDxe: No bootable option|"
        r"UEFI Interactive Shell|^Shell> ",
        "check that the disk boots by this firmware; --firmware chooses the other one",
    ),
    _sign(
        "the system went into emergency mode",
        r"You are in (emergency|rescue) mode|Cannot open access to console, the root account is locked|"
        r"Reached target (\S+ - )?(Emergency|Rescue) Mode|Give root password for maintenance",
        "a mount or another early unit failed: check /etc/fstab",
        talks=True,
    ),
    _sign(
        "a device was waited for in vain",
        r"Timed out waiting for device",
        "check /etc/fstab and /etc/crypttab for a device that is not there",
        talks=True,
    ),
)
"""Every sign; on one line the first that fits counts."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A sign that was seen."""

    sign: Sign
    """Which."""
    line: str
    """The line that showed it."""
    lines: tuple[str, ...]
    """The console around it, the line itself among them."""


def readable(console: bytes) -> list[str]:
    """The lines of a console without escape sequences and carriage returns."""
    text = console.decode(errors="replace").replace("\r\n", "\n").replace("\r", "\n")
    return [ESCAPE.sub("", line).rstrip() for line in text.split("\n")]


def find_trouble(lines: Sequence[str]) -> Trouble | None:
    """The first sign of trouble on a console.

    Args:
        lines: the console so far, as ``readable`` gives it; the last line may still be growing.
    """
    for number, line in enumerate(lines):
        for sign in SIGNS:
            if sign.pattern.search(line):
                shown = lines[max(0, number - CONTEXT_LINES) : number + CONTEXT_LINES + 1]
                return Trouble(sign, line, telling(shown))
    return None


def telling(lines: Sequence[str]) -> tuple[str, ...]:
    """The lines that tell a person something: not the empty ones, and not the kernel's audit trail."""
    return tuple(line for line in lines if line.strip() and not AUDIT.search(line))
