"""Console logs and the reason that is read from them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldsmith.machine.watch import SIGNS, find_trouble, readable

BAD = [
    ("the image asks for a newer processor", "Fatal glibc error: CPU does not support x86-64-v2"),
    (
        "the image asks for a newer processor",
        "/usr/lib/systemd/systemd: CPU ISA level is lower than required",
    ),
    (
        "the kernel found no root file system",
        "[    2.1] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)",
    ),
    ("the kernel found no root file system", "ALERT!  UUID=1234 does not exist.  Dropping to a shell!"),
    (
        "the kernel found no root file system",
        "Gave up waiting for root file system device.  Common problems:",
    ),
    ("the kernel found no init", "[    3.0] Kernel panic - not syncing: No working init found.  Try passing"),
    ("the kernel found no init", "run-init: opening console: No such file or directory"),
    ("the kernel found no init", "Target filesystem doesn't have requested /sbin/init."),
    (
        "the kernel panicked",
        "[    3.0] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100",
    ),
    ("the kernel panicked", "[   41.2] Kernel panic - not syncing: Fatal exception in interrupt"),
    ("the kernel stopped with a fault", "[    1.57] Oops: double fault: 0000 [#1] PREEMPT SMP NOPTI"),
    (
        "the kernel stopped with a fault",
        "[    0.83] Oops: general protection fault, maybe for address 0x10: 0000",
    ),
    ("the kernel stopped with a fault", "[    9.1] BUG: unable to handle page fault for address: ffff8880"),
    ("the kernel stopped with a fault", "[    9.1] kernel BUG at mm/slub.c:448!"),
    ("systemd stopped", "[   13.495126] systemd[1]: Freezing execution."),
    ("systemd stopped", "[   13.466701] systemd[1]: Caught <ABRT>, from our own process."),
    ("the initramfs gave up and opened a shell", "(initramfs) "),
    ("the initramfs gave up and opened a shell", "dracut:/# "),
    ("the boot loader stopped at its rescue prompt", "grub rescue> "),
    ("the boot loader stopped at its rescue prompt", "Entering rescue mode..."),
    ("the boot loader has no menu and waits at a prompt", "grub> "),
    ("the boot loader found no kernel", "error: file `/boot/vmlinuz-6.12.0-1-cloud-amd64' not found."),
    (
        "the boot loader found no kernel",
        "error: ../../grub-core/loader/i386/linux.c:1: you need to load the kernel first.",
    ),
    ("the firmware found nothing to boot", "No bootable device."),
    ("the firmware found nothing to boot", "Boot failed: not a bootable disk"),
    ("the firmware found nothing to boot", "BdsDxe: No bootable option or device was found."),
    ("the firmware found nothing to boot", "UEFI Interactive Shell v2.2"),
    (
        "the system went into emergency mode",
        'You are in emergency mode. After logging in, type "journalctl -xb"',
    ),
    ("the system went into emergency mode", "Cannot open access to console, the root account is locked."),
    (
        "the system went into emergency mode",
        "\x1b[0;32m  OK  \x1b[0m] Reached target \x1b[0;1;39memergency.target\x1b[0m - Emergency Mode.",
    ),
    (
        "a device was waited for in vain",
        "[\x1b[0;1;31m TIME \x1b[0m] Timed out waiting for device dev-vdb1.device.",
    ),
]

GOOD = [
    "Linux version 6.12.107+deb13-cloud-amd64 (debian-kernel@lists.debian.org)",
    "Command line: BOOT_IMAGE=/boot/vmlinuz root=UUID=1 ro console=ttyS0 panic=10 oops=panic",
    "[    0.0] Kernel command line: sysctl.kernel.panic=5 systemd.unit=multi-user.target",
    "[  OK  ] Reached target multi-user.target - Multi-User System.",
    "         Starting emergency-helper.service - Prepares Emergency Contacts...",
    "[  OK  ] Finished systemd-fsck-root.service - File System Check on Root Device.",
    "error: file `/boot/grub/fonts/unicode.pf2' not found.",
    "error: file `/boot/grub/locale/en.mo.gz' not found.",
    'BdsDxe: loading Boot0001 "UEFI Misc Device" from PciRoot(0x0)/Pci(0x2,0x0)',
    "Booting from Hard Disk...",
    "goldtest login: ",
    "[   12.0] EXT4-fs (vda3): mounted filesystem with ordered data mode",
    "[    1.2] Warning: unable to open an initial console.",
    "Begin: Waiting for root file system ... done.",
]


@pytest.mark.parametrize(
    ("reason", "line"), BAD, ids=[f"{line[:60]!r} means that {reason}" for reason, line in BAD]
)
def test_a_bad_line_has_its_reason(reason: str, line: str) -> None:
    console = "\r\n".join([*GOOD, line]).encode()
    trouble = find_trouble(readable(console))
    assert trouble is not None
    assert trouble.sign.name == reason
    assert trouble.line in trouble.lines


@pytest.mark.parametrize("line", GOOD)
def test_an_innocent_line_raises_no_alarm(line: str) -> None:
    assert find_trouble(readable(line.encode())) is None


def test_every_sign_has_a_line_that_shows_it() -> None:
    assert {sign.name for sign in SIGNS} == {reason for reason, _ in BAD}


def test_the_first_trouble_is_the_reason_and_comes_with_its_surroundings() -> None:
    console = b"one\r\ntwo\r\nNo bootable device.\r\nthree\r\nKernel panic - not syncing: x\r\n"
    trouble = find_trouble(readable(console))
    assert trouble is not None
    assert trouble.sign.name == "the firmware found nothing to boot"
    assert trouble.lines == ("one", "two", "No bootable device.", "three", "Kernel panic - not syncing: x")


def test_the_audit_trail_is_not_shown() -> None:
    console = b"[ 1.0] audit: type=1130 audit(1:2): pid=1\n[ 2.0] kauditd_printk_skb: 30 callbacks\n\ngrub> "
    trouble = find_trouble(readable(console))
    assert trouble is not None
    assert trouble.lines == ("grub>",)


def test_escape_sequences_and_carriage_returns_are_no_text() -> None:
    console = b"\x1b[2J\x1b[01;01H\x1b[=3h\x1b[?7l\x1b[0;32m  OK  \x1b[0m done\r\nnext\x1b(B"
    assert readable(console) == ["  OK   done", "next"]


@given(st.binary())
def test_any_bytes_can_be_read(console: bytes) -> None:
    assert all("\x1b[" not in line for line in readable(console)) or b"\x1b" in console
    find_trouble(readable(console))


@given(st.lists(st.sampled_from(GOOD), max_size=20), st.integers(min_value=0, max_value=20))
def test_trouble_is_found_wherever_it_stands(lines: list[str], place: int) -> None:
    lines.insert(place, "Kernel panic - not syncing: x")
    trouble = find_trouble(readable("\n".join(lines).encode()))
    assert trouble is not None
    assert trouble.sign.name == "the kernel panicked"
