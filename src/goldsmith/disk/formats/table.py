"""How each format is written, by its name."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import BinaryIO, Protocol

from goldsmith.disk.formats.gcp import write_gcp
from goldsmith.disk.formats.qcow2 import write_qcow2
from goldsmith.disk.formats.raw import write_raw
from goldsmith.disk.formats.source import Source
from goldsmith.disk.formats.vdi import write_vdi
from goldsmith.disk.formats.vhd import write_vhd
from goldsmith.disk.formats.vhdx import write_vhdx
from goldsmith.disk.formats.vmdk import write_vmdk
from goldsmith.errors import UsageError
from goldsmith.model.format import ARCHIVES, FORMATS, Format


class Writer(Protocol):
    """Writes one format; the same disk gives the same bytes, whatever the time, the host and the number of jobs."""

    def __call__(self, source: Source, target: BinaryIO, *, jobs: int) -> None:
        """Write the whole file.

        Args:
            source: the disk; its size is a multiple of the format's unit.
            target: an empty file at its begin. It may be sought in, and need not be flushed.
            jobs: threads that may work.
        """


WRITERS: Mapping[str, Writer] = {
    "raw": write_raw,
    "qcow2": write_qcow2,
    "vmdk": write_vmdk,
    "vhd": write_vhd,
    "vhdx": write_vhdx,
    "vdi": write_vdi,
    "gcp": write_gcp,
}
"""One for each row of ``FORMATS``."""


def find_format(name: str) -> Format:
    """The format of a name, of a disk or of an archive.

    Raises:
        UsageError: there is none; the hint has the nearest name, or all.
    """
    rows = {row.name: row for row in (*FORMATS, *ARCHIVES)}
    if name in rows:
        return rows[name]
    near = get_close_matches(name.casefold().removeprefix("."), rows, 1, 0.7)
    hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(rows)}"
    raise UsageError(f"there is no format {name!r} yet", hint=hint)
