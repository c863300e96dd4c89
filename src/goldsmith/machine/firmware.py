"""Where distributions keep OVMF, the UEFI firmware for virtual machines."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from goldsmith.errors import MissingTool
from goldsmith.model.machine import UefiFiles

VARIABLES = "uefi-variables.fd"


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
