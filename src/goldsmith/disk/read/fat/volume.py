"""A FAT volume: its boot sector, and where the clusters of a file lie."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from goldsmith.disk.read.area import Area, malformed
from goldsmith.disk.read.node import Piece

BOOT = struct.Struct("<11xHBHBHHBHHHII")
WIDE = struct.Struct("<IHHI")
FAT12_BELOW, FAT16_BELOW = 4085, 65525
LARGEST_TABLE = 64 << 20
"""Bytes of a FAT that is read: of volumes up to 64 GiB with clusters of 4 KiB."""


@dataclass(frozen=True, slots=True)
class Volume:
    """What is known of a volume."""

    area: Area
    cluster: int
    """Bytes of a cluster."""
    clusters: int
    """How many there are."""
    data: int
    """The byte where cluster 2 lies."""
    width: int
    """Bits of an entry of the table: 12, 16 or 32."""
    table: bytes
    """The first FAT."""
    root: tuple[int, int]
    """Byte and length of the root directory; its first cluster and 0 on FAT32."""
    uuid: str
    """As ``UUID=`` has it: ``1A2B-3C4D``."""
    label: str

    def next(self, cluster: int) -> int:
        """The cluster after one; 0 behind the last.

        Raises:
            InputError: the chain leads to what is free, bad, or not there.
        """
        if self.width == 32:  # noqa: PLR2004 - FAT32
            value = int.from_bytes(self.table[cluster * 4 : cluster * 4 + 4], "little") & 0xFFF_FFFF
        elif self.width == 16:  # noqa: PLR2004 - FAT16
            value = int.from_bytes(self.table[cluster * 2 : cluster * 2 + 2], "little")
        else:
            pair = int.from_bytes(self.table[cluster * 3 // 2 : cluster * 3 // 2 + 2], "little")
            value = pair >> 4 if cluster & 1 else pair & 0xFFF
        end = {12: 0xFF8, 16: 0xFFF8, 32: 0xFFF_FFF8}[self.width]
        if value >= end:
            return 0
        if not 2 <= value < self.clusters + 2:  # noqa: PLR2004 - the first cluster's number
            raise malformed(f"FAT cluster {cluster} is followed by cluster {value}, which is not there")
        return value

    def chain(self, first: int) -> Iterator[int]:
        """The clusters of a file; errors as ``next``."""
        if not 2 <= first < self.clusters + 2:  # noqa: PLR2004 - the first cluster's number
            raise malformed(f"a file begins in FAT cluster {first}, which is not there")
        left = self.clusters
        cluster = first
        while cluster:
            left -= 1
            if left < 0:
                raise malformed("the FAT clusters of a file run in a circle")
            yield cluster
            cluster = self.next(cluster)

    def pieces(self, first: int, size: int | None) -> tuple[Piece, ...]:
        """Where the bytes of a file lie; all of its clusters where ``size`` is not known.

        Raises:
            InputError: the chain is damaged, or too short for the size.
        """
        found: list[Piece] = []
        at = 0
        for cluster in self.chain(first):
            if size is not None and at >= size:
                break
            place = self.area.start + self.data + (cluster - 2) * self.cluster
            if found and found[-1].place + found[-1].length == place:
                found[-1] = Piece(found[-1].at, found[-1].place, found[-1].length + self.cluster)
            else:
                found.append(Piece(at, place, self.cluster))
            at += self.cluster
        if size is not None and at < size:
            raise malformed(f"a file of {size} bytes has FAT clusters for {at} only")
        return tuple(found)


def read_volume(area: Area) -> Volume:
    """The volume in a partition.

    Raises:
        InputError: its boot sector is damaged.
    """
    head = area.read(0, 512)
    sector, per_cluster, reserved, fats, roots, total, _, short, _, _, _, long_total = BOOT.unpack_from(head)
    wide = WIDE.unpack_from(head, 36)
    per_fat = short or wide[0]
    total = total or long_total
    root_sectors = -(-roots * 32 // sector) if sector else 0
    before = reserved + fats * per_fat + root_sectors
    if not sector or not per_cluster or not reserved or not fats or not per_fat or before >= total:
        raise malformed("the numbers in the FAT boot sector do not fit together")
    if total * sector > area.size:
        raise malformed(f"the FAT volume has {total * sector} bytes, and its partition {area.size}")
    clusters = (total - before) // per_cluster
    width = 32 if not short else 12 if clusters < FAT12_BELOW else 16
    size = -(-(clusters + 2) * width // 8)
    if size > per_fat * sector or size > LARGEST_TABLE:
        raise malformed(f"the FAT volume has {clusters} clusters, and its table no room for them")
    if width == 16 and clusters >= FAT16_BELOW:  # noqa: PLR2004 - FAT16
        raise malformed(f"the FAT16 volume has {clusters} clusters, more than there can be")
    serial_at = 67 if width == 32 else 39  # noqa: PLR2004 - FAT32
    serial = int.from_bytes(head[serial_at : serial_at + 4], "little")
    root = (wide[3], 0) if width == 32 else ((reserved + fats * per_fat) * sector, roots * 32)  # noqa: PLR2004
    return Volume(
        area=area,
        cluster=per_cluster * sector,
        clusters=clusters,
        data=before * sector,
        width=width,
        table=area.read(reserved * sector, size),
        root=root,
        uuid=f"{serial >> 16:04X}-{serial & 0xFFFF:04X}",
        label=head[serial_at + 4 : serial_at + 15].decode("ascii", errors="replace").strip(),
    )
