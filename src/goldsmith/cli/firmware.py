"""``--firmware``: what starts a machine."""

from pathlib import Path

import click

from goldsmith.machine.firmware import firmware_for
from goldsmith.model.machine import Firmware

AUTO = "auto"
FIRMWARE = click.option(
    "--firmware",
    type=click.Choice([AUTO, *(item.value for item in Firmware)]),
    default=AUTO,
    show_default=True,
    help="auto: uefi, or bios for a disk without an EFI system partition.",
)


def chosen_firmware(asked: str, disk: Path) -> Firmware:
    """The firmware that was asked for, or that fits a disk.

    Raises:
        InputError: ``disk`` is no disk.
        MissingTool: ``qemu-img`` is not installed, for a qcow2 disk.
    """
    return firmware_for(disk) if asked == AUTO else Firmware(asked)
