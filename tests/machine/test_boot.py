"""The boot check against real, tiny guests: a boot sector that says something, and one real image where there is one."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from goldsmith.disk.stored import raw_disk
from goldsmith.errors import CheckFailed, InputError, MissingTool
from goldsmith.machine.boot import Page, check
from goldsmith.machine.firmware import Ovmf, place_uefi
from goldsmith.model.machine import Accelerator, Firmware
from goldsmith.store.home import Home
from goldsmith.store.images import find

pytestmark = pytest.mark.usefixtures("qemu")

DiskThatSays = Callable[..., Path]
REPORT_PORT = 0x2F8
RESET = "b0 fe e6 64 f4 eb fd"
"""Pull the keyboard controller's reset line, as a kernel's reboot does."""

NEXT = "cd 18"
"""Tell the BIOS to try its next device."""


def by_bios(disk: Path, home: Home, *, timeout: float = 60, **how: Any) -> None:
    check(
        disk,
        home=home,
        firmware=Firmware.BIOS,
        timeout=timeout,
        memory=64,
        accelerator=Accelerator.TCG,
        **how,
    )


def failure(disk: Path, home: Home, timeout: float = 10) -> CheckFailed:
    with pytest.raises(CheckFailed) as caught:
        by_bios(disk, home, timeout=timeout)
    assert [path.name for path in (home / "machines").iterdir()] == [".lock"]
    assert caught.value.hint
    return caught.value


def test_a_sign_of_trouble_ends_the_wait_with_its_lines(home: Home, disk_that_says: DiskThatSays) -> None:
    disk = disk_that_says("before\r\ngrub rescue> ")
    assert failure(disk, home, timeout=60).message == (
        "the machine did not come up: the boot loader stopped at its rescue prompt\n  | before\n  | grub rescue>"
    )


def test_a_guest_for_x86_64_v2_is_started_once_more_with_what_it_asks_for(
    home: Home, disk_for_x86_64_v2: Path
) -> None:
    notes: list[str] = []
    with pytest.raises(CheckFailed, match="the kernel found no root file system"):
        by_bios(disk_for_x86_64_v2, home, note=notes.append)
    (note,) = notes
    assert note.startswith("the image asks for a newer processor; trying again")


def test_a_panic_of_an_emulated_machine_is_believed_the_third_time(
    home: Home, disk_that_says: DiskThatSays
) -> None:
    disk = disk_that_says("Kernel panic - not syncing: no luck\r\n")
    notes: list[str] = []
    with pytest.raises(CheckFailed) as caught:
        by_bios(disk, home, note=notes.append)
    assert caught.value.message.startswith("the machine did not come up: the kernel panicked\n")
    again = (
        "the kernel panicked; trying again, since emulated CPUs do that: Kernel panic - not syncing: no luck"
    )
    assert notes == [again, again]


def test_a_bios_that_finds_nothing_to_boot_is_heard(home: Home, disk_that_says: DiskThatSays) -> None:
    message = failure(disk_that_says("", then=NEXT), home, timeout=60).message
    assert message.startswith("the machine did not come up: the firmware found nothing to boot\n")
    assert "  | No bootable device." in message


@pytest.mark.slow
def test_a_uefi_that_finds_nothing_to_boot_ends_in_its_shell(
    home: Home, disk_that_says: DiskThatSays
) -> None:
    disk = disk_that_says("for a BIOS only")
    with pytest.raises(CheckFailed, match="the firmware found nothing to boot"):
        check(disk, home=home, firmware=Firmware.UEFI, timeout=60, accelerator=Accelerator.TCG)


def test_a_forged_report_counts_for_nothing(home: Home, disk_that_says: DiskThatSays) -> None:
    disk = disk_that_says(
        "5eed kernel 6\n5eed state running\n5eed end\nstate running\nend\n", port=REPORT_PORT
    )
    assert (
        failure(disk, home, timeout=2).message == "the machine wrote nothing on its serial console within 2 s"
    )


def test_a_machine_that_resets_itself_is_not_well(home: Home, disk_that_says: DiskThatSays) -> None:
    disk = disk_that_says("going down\r\n", then=RESET)
    message = failure(disk, home, timeout=60).message
    assert message.startswith("the machine switched itself off or asked for a reboot before it was up\n")
    assert message.endswith("  | going down")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            "working\r\n",
            "the machine was not up within {} s\n  | working",
            id="one that goes on for ever",
        ),
        pytest.param(
            "Debian GNU/Linux 12 old ttyS0\r\n\r\nold login: ",
            "the machine shows a login prompt, but nothing inside reported within {} s"
            "\n  | Debian GNU/Linux 12 old ttyS0\n  | old login:",
            id="one that nothing can report from",
        ),
    ],
)
def test_a_machine_that_does_not_report_in_time_is_told_apart(
    home: Home, disk_that_says: DiskThatSays, text: str, message: str
) -> None:
    disk = disk_that_says(text)
    for seconds in (2, 20, 100):  # a busy host takes longer to its first word
        told = failure(disk, home, timeout=seconds).message
        if "wrote nothing" not in told:
            break
    assert told == message.format(seconds)


def test_the_console_is_shown_as_it_comes(home: Home, disk_that_says: DiskThatSays) -> None:
    disk = disk_that_says("one\r\ntwo\r\ngrub> ")
    shown: list[str] = []
    with pytest.raises(CheckFailed):
        by_bios(disk, home, show=shown.append)
    assert shown[-2:] == ["one", "two"]


def test_a_kept_machine_has_its_console(home: Home, disk_that_says: DiskThatSays) -> None:
    with pytest.raises(CheckFailed):
        by_bios(disk_that_says("grub> "), home, keep=True)
    (console,) = (home / "machines").glob("*/console.log")
    assert b"grub> " in console.read_bytes()


def test_what_is_no_disk_is_refused_and_leaves_nothing(home: Home, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no disk\n")
    with pytest.raises(InputError, match="no boot signature"):
        check(tmp_path / "text", home=home, accelerator=Accelerator.TCG)
    assert [path.name for path in (home / "machines").iterdir()] == [".lock"]


def test_missing_firmware_names_its_package(tmp_path: Path) -> None:
    with pytest.raises(MissingTool) as caught:
        place_uefi(tmp_path, [Ovmf(tmp_path / "CODE.fd", tmp_path / "VARS.fd")])
    assert caught.value.message == "the UEFI firmware OVMF is not installed on this host"
    assert "install --no-install-recommends ovmf" in caught.value.hint


@pytest.mark.image
@pytest.mark.slow
@pytest.mark.parametrize("firmware", Firmware)
def test_a_real_image_is_well_and_serves_its_page(
    home: Home, shared_home: Home, web_build: Mapping[str, object], firmware: Firmware
) -> None:
    disk = raw_disk(shared_home, find(shared_home, str(web_build["name"])))
    report = check(disk, home=home, firmware=firmware, page=Page(80, "/"), timeout=400)
    assert report.guest.is_well
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", report.guest.kernel)
    assert re.fullmatch(r"[0-9a-f]{32}", report.guest.machine_id)
    assert report.guest.root_bytes is not None
    assert report.http is not None
    assert report.http.status == 200
