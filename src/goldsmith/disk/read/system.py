"""The system on a disk: its root file system, and what its fstab mounts below that, as one tree."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from goldsmith.disk.read.area import Area, malformed, refused
from goldsmith.disk.read.ext4.walk import Ext4
from goldsmith.disk.read.fat.walk import Fat
from goldsmith.disk.read.kinds import kind_of
from goldsmith.disk.read.limits import Tally
from goldsmith.disk.read.node import Node
from goldsmith.disk.read.tables import Part, partitions

READERS = {"ext4": Ext4, "vfat": Fat}
ESP = {"c12a7328-f81f-11d2-ba4b-00a0c93ec93b", "ef"}
ESP_PLACES = {"/boot/efi", "/efi"}
MARKS = ("/etc/os-release", "/usr/lib/os-release")
NO_FILES = {"swap", ""}
HINT = "goldsmith reads ext2, ext3, ext4 and vfat; make the image with one of these"
CONTAINERS = {"LUKS", "BitLocker", "LVM", "Linux RAID"}


@dataclass(slots=True)
class FileSystem:
    """A partition, and what lies in it."""

    part: Part
    kind: str
    """As ``kind_of`` names it."""
    uuid: str = ""
    label: str = ""
    nodes: dict[str, Node] = field(default_factory=dict)
    """By path; empty for a kind that is not read."""


@dataclass(frozen=True, slots=True)
class System:
    """What was read of a disk."""

    table: str
    """``gpt``, ``mbr`` or ``none``."""
    file_systems: tuple[FileSystem, ...]
    """In the order of the disk."""
    root: FileSystem
    """The one that holds the system."""
    nodes: dict[str, Node]
    """The tree, the root itself left out."""
    mounted: tuple[tuple[str, int], ...]
    """Where which other partitions were put into the tree."""


def read_system(disk: Area, *, held: int, root: int | None = None) -> System:
    """Read the system on a raw disk; file contents are not read.

    Args:
        disk: the whole disk.
        held: bytes that its file takes, holes left out; what it may hold is measured by that.
        root: the partition to take for the root, where several could be.

    Raises:
        InputError: the disk is damaged, a bomb, or has its system on what cannot be read.
    """
    table, found = read_file_systems(disk, held=held)
    chosen = _choose_root(found, root)
    nodes = dict(chosen.nodes)
    mounted = []
    for place, other in sorted(_mounts(chosen, found)):
        if other.part.kind in ESP and place in ESP_PLACES:
            continue  # what starts the disk belongs to the disk, not to the system; the disk map has it
        graft(nodes, place, other)
        mounted.append((place, other.part.number))
    nodes.pop("/", None)
    return System(table, tuple(found), chosen, nodes, tuple(mounted))


def read_file_systems(disk: Area, *, held: int) -> tuple[str, list[FileSystem]]:
    """The kind of a disk's table, and what lies in each partition, whether there is a system or not.

    Raises:
        InputError: the disk is damaged, or a bomb.
    """
    table, parts = partitions(disk)
    tally = Tally(held)
    return table, [_read(disk, part, tally) for part in parts]


def is_system(found: FileSystem) -> bool:
    """Whether a partition holds a system."""
    return any(mark in found.nodes for mark in MARKS)


def _read(disk: Area, part: Part, tally: Tally) -> FileSystem:
    area = disk.part(part.start, part.size)
    kind = kind_of(area)
    found = FileSystem(part, kind)
    try:
        if kind == "ext4":
            reader = Ext4(area, tally)
            found.uuid, found.label = reader.superblock.uuid, reader.superblock.label
            found.nodes = {node.path: node for node in reader.walk()}
        elif kind == "vfat":
            volume = Fat(area, tally)
            found.uuid, found.label = volume.volume.uuid, volume.volume.label
            found.nodes = {node.path: node for node in volume.walk()}
    except Exception as error:
        if hasattr(error, "message") and part.number:
            error.message = f"partition {part.number}: {error.message}"
        raise
    return found


def _choose_root(found: list[FileSystem], wanted: int | None) -> FileSystem:
    if wanted is not None:
        chosen = [system for system in found if system.part.number == wanted]
        if not chosen or chosen[0].kind not in READERS:
            what = f"holds {chosen[0].kind or 'nothing known'}" if chosen else "is not there"
            raise refused(f"partition {wanted}, named as the root, {what}", HINT)
        return chosen[0]
    roots = [system for system in found if is_system(system)]
    if len(roots) > 1:
        numbers = ", ".join(str(system.part.number) for system in roots)
        raise refused(f"several partitions hold a system: {numbers}", "choose one with --root NUMBER")
    if roots:
        return roots[0]
    others = [system for system in found if system.kind not in {*READERS, *NO_FILES}]
    if others:
        listed = ", ".join(f"{other.kind} in partition {other.part.number}" for other in others)
        raise refused(f"its system lies on what cannot be read: {listed}", HINT)
    raise refused(
        "no partition holds a system: none has /etc/os-release or /usr/lib/os-release",
        "is it the disk that boots? A data disk cannot be adopted",
    )


def _mounts(root: FileSystem, found: list[FileSystem]) -> Iterator[tuple[str, FileSystem]]:
    """Where the root's fstab puts other partitions of the same disk."""
    node = root.nodes.get("/etc/fstab")
    if node is None or node.body is None:
        return
    text = node.body.read(0, 1 << 20).decode(errors="replace")
    for line in text.splitlines():
        words = line.split()
        if len(words) < 3 or line.lstrip().startswith("#") or not words[1].startswith("/"):  # noqa: PLR2004
            continue
        place = os.path.normpath(words[1])
        other = next((system for system in found if _names(system, words[0])), None)
        if place == "/" or other is None or other is root:
            continue
        if other.kind not in READERS:
            raise refused(
                f"{place} lies on {other.kind or 'what is not known'} in partition {other.part.number}", HINT
            )
        yield place, other


def _names(system: FileSystem, spec: str) -> bool:
    """Whether the first word of an fstab line means a partition."""
    kind, equals, value = spec.partition("=")
    value = value.strip('"')
    if equals:
        wanted = {
            "UUID": system.uuid,
            "LABEL": system.label,
            "PARTUUID": system.part.guid,
            "PARTLABEL": system.part.name,
        }.get(kind, "")
        return bool(wanted) and wanted.casefold() == value.casefold()
    room, _, name = spec.rpartition("/")
    by = {"/dev/disk/by-uuid": system.uuid, "/dev/disk/by-label": system.label,
          "/dev/disk/by-partuuid": system.part.guid, "/dev/disk/by-partlabel": system.part.name}  # fmt: skip
    if room in by:
        return bool(by[room]) and by[room].casefold() == name.casefold()
    disk = name.rstrip("0123456789")
    numbered = name[len(disk) :] if disk[:2] in {"sd", "vd", "hd", "xv"} or disk.endswith("p") else ""
    return room == "/dev" and numbered == str(system.part.number)


def graft(nodes: dict[str, Node], place: str, other: FileSystem) -> None:
    """Put a file system into the tree, over what the tree has there.

    Raises:
        InputError: its place is no directory of the tree.
    """
    if place not in nodes or nodes[place].kind != "dir":
        raise malformed(f"fstab mounts partition {other.part.number} on {place!r}, which is no directory")
    below = f"{place}/"
    for path in [path for path in nodes if path.startswith(below)]:
        del nodes[path]
    for path, node in other.nodes.items():
        where = place if path == "/" else f"{place}{path}"
        nodes[where] = replace(node, path=where)
