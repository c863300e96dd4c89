"""What starts a disk: the firmware that fits it, and where distributions keep OVMF, the UEFI for virtual machines."""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from goldsmith.effects.process import run
from goldsmith.errors import InputError, MissingTool, Place, StepFailed
from goldsmith.machine.overlay import disk_format
from goldsmith.model.machine import Firmware, UefiFiles

VARIABLES = "uefi-variables.fd"
HEAD = 64 << 10
"""Bytes that hold both kinds of partition table."""
GPT = b"EFI PART"
ESP = UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b").bytes_le
MBR_ESP = 0xEF
MBR_TYPES = slice(450, 510, 16)


@dataclass(frozen=True, slots=True)
class Ovmf:
    """One place: the code and the template of its variables belong together."""

    code: Path
    """The firmware's code."""
    variables: Path
    """The template of the variables."""


# Without Secure Boot: those builds need SMM, and keys that a throwaway machine has no use for.
PLACES = (
    Ovmf(Path("/usr/share/OVMF/OVMF_CODE_4M.fd"), Path("/usr/share/OVMF/OVMF_VARS_4M.fd")),
    Ovmf(Path("/usr/share/OVMF/OVMF_CODE.fd"), Path("/usr/share/OVMF/OVMF_VARS.fd")),
    Ovmf(Path("/usr/share/edk2/ovmf/OVMF_CODE.fd"), Path("/usr/share/edk2/ovmf/OVMF_VARS.fd")),
    Ovmf(Path("/usr/share/edk2/x64/OVMF_CODE.4m.fd"), Path("/usr/share/edk2/x64/OVMF_VARS.4m.fd")),
)


def firmware_for(disk: Path) -> Firmware:
    """UEFI for a disk with an EFI system partition, else BIOS.

    Raises:
        InputError: ``disk`` is no disk.
        MissingTool: ``qemu-img`` is not installed, for a qcow2 disk.
    """
    head = read_head(disk)
    found = ESP in head if GPT in head else MBR_ESP in head[MBR_TYPES]
    return Firmware.UEFI if found else Firmware.BIOS


def read_head(disk: Path) -> bytes:
    """The first bytes of a raw or qcow2 disk."""
    if disk_format(disk) == "raw":
        with disk.open("rb") as stream:
            return stream.read(HEAD)
    with tempfile.TemporaryDirectory(prefix="goldsmith-head-") as room:
        copy = Path(room, "head")
        words = ["qemu-img", "dd", "-f", "qcow2", "-O", "raw", f"bs={HEAD}", "count=1"]
        try:
            run([*words, f"if={disk.resolve()}", f"of={copy}"])
        except StepFailed as error:
            raise InputError(
                f"this qcow2 disk cannot be read: {error.tail}",
                hint="the file is damaged: get it again from where it came",
                where=Place(str(disk)),
            ) from error
        return copy.read_bytes()


def find_uefi(places: Sequence[Ovmf] = PLACES) -> Ovmf:
    """The first place that has the firmware.

    Raises:
        MissingTool: no place has it.
    """
    for place in places:
        if place.code.is_file() and place.variables.is_file():
            return place
    raise MissingTool(
        "the UEFI firmware OVMF is not installed on this host",
        hint="install it: apt-get install --no-install-recommends ovmf; or boot with --firmware bios",
    )


def place_uefi(directory: Path, places: Sequence[Ovmf] = PLACES) -> UefiFiles:
    """The firmware, with a copy of its variables in ``directory`` for one machine to write to.

    Raises:
        MissingTool: no place has it.
    """
    place = find_uefi(places)
    variables = directory / VARIABLES
    shutil.copyfile(place.variables, variables)
    return UefiFiles(place.code, variables)
