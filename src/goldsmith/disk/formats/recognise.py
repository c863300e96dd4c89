"""Tell a disk in a format from a raw one, so that a container is not taken for the disk in it."""

from pathlib import Path

MARKS = (
    (0, b"QFI\xfb", "qcow2"),
    (0, b"KDMV", "vmdk"),
    (0, b"# Disk DescriptorFile", "vmdk"),
    (0, b"vhdxfile", "vhdx"),
    (0, b"conectix", "vhd"),
    (-512, b"conectix", "vhd"),
    (64, b"\x7f\x10\xda\xbe", "vdi"),
    (0, b"\x1f\x8b", "gzip"),
    (0, b"\x28\xb5\x2f\xfd", "zstd"),
    (0, b"\xfd7zXZ\0", "xz"),
)
"""Where in a file (from its end if negative) which bytes stand, and what the file is then."""


def recognise(path: Path) -> str:
    """The name of a file's format; empty if it has none of the known ones, as a raw disk."""
    with path.open("rb") as stream:
        size = path.stat().st_size
        for at, mark, kind in MARKS:
            stream.seek(max(0, at if at >= 0 else size + at))
            if stream.read(len(mark)) == mark:
                return kind
    return ""
