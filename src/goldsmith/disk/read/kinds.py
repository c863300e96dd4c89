"""Which file system, or what else, lies in a partition, by its first bytes."""

from goldsmith.disk.read.area import Area

MARKS = (
    (0, b"LUKS\xba\xbe", "LUKS"),
    (3, b"-FVE-FS-", "BitLocker"),
    (0, b"XFSB", "xfs"),
    (0x10040, b"_BHRfS_M", "btrfs"),
    (1024, b"\xe2\xe1\xf5\xe0", "erofs"),
    (0, b"hsqs", "squashfs"),
    (1024, b"\x10\x20\xf5\xf2", "f2fs"),
    (3, b"NTFS    ", "ntfs"),
    (3, b"EXFAT   ", "exfat"),
    (512, b"LABELONE", "LVM"),
    (0, b"LABELONE", "LVM"),
    (4096, b"\xfc\x4e\x2b\xa9", "Linux RAID"),
    (4096 - 10, b"SWAPSPACE2", "swap"),
    (32769, b"CD001", "iso9660"),
    (0x8000, b"JFS1", "jfs"),
    (1030, b"\x34\x34", "nilfs2"),
    (1024, b"H+\0\x04", "hfsplus"),
    (0x10034, b"ReIsEr", "reiserfs"),
    (4096 + 24, b"\xc6\x85\x73\xf6\x4e\x1a\x45\xca", "bcachefs"),
    (1080, b"\x53\xef", "ext4"),
)
"""Where in a partition which bytes stand, and what it is then."""
BOOT_JUMPS = (0xEB, 0xE9)
SECTOR = 512
LEAST_MEDIA = 0xF0


def kind_of(area: Area) -> str:
    """The name of what lies there; ``ext4`` for ext2 and ext3 too; empty if it is nothing known."""
    head = area.read(0, min(area.size, 0x10100))
    for at, mark, name in MARKS:
        if head[at : at + len(mark)] == mark:
            return name
    return "vfat" if _is_fat(head) else ""


def _is_fat(head: bytes) -> bool:
    """As the kernel tells a FAT: sector and cluster sizes that can be, and a boot sector's end or a FAT's media byte."""
    if len(head) < SECTOR or head[0] not in BOOT_JUMPS:
        return False
    sector = int.from_bytes(head[11:13], "little")
    cluster, fats, media = head[13], head[16], head[21]
    return (
        sector in {512, 1024, 2048, 4096}
        and cluster in {1, 2, 4, 8, 16, 32, 64, 128}
        and fats in {1, 2}
        and media >= LEAST_MEDIA
        and int.from_bytes(head[14:16], "little") > 0
    )
