"""Whole disks of small systems, made by sfdisk, e2fsprogs and dosfstools."""

import os
from collections.abc import Mapping
from pathlib import Path

from tests.adopt.archives import OS_RELEASE, STATUS

from goldsmith.effects.process import run
from goldsmith.effects.sparse import copy_sparse

MIB = 1 << 20
ROOT_UUID = "11111111-2222-3333-4444-555555555555"
BOOT_UUID = "66666666-7777-8888-9999-aaaaaaaaaaaa"
FSTAB = f"UUID={ROOT_UUID} / ext4 defaults 0 1\nUUID={BOOT_UUID} /boot ext2 defaults 0 2\nLABEL=ESP /boot/efi vfat umask=0077 0 0\n"
KINDS = {"esp": "C12A7328-F81F-11D2-BA4B-00A0C93EC93B", "linux": "0FC63DAF-8483-4772-8E79-3D69D8477DE4"}


def tree_at(top: Path, files: Mapping[str, bytes]) -> Path:
    """A directory with files."""
    for name, data in files.items():
        path = top / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return top


def system(fstab: str = FSTAB) -> dict[str, bytes]:
    """The files of a root."""
    return {
        "/etc/os-release": OS_RELEASE,
        "/etc/fstab": fstab.encode(),
        "/var/lib/dpkg/status": STATUS,
        "/usr/bin/large": os.urandom(3 * MIB + 77),
        "/usr/bin/twice": b"twice" * 3000,
        "/usr/share/twice": b"twice" * 3000,
        "/boot/README": b"covered by what is mounted here",
        "/home/you/.profile": b"",
        "/root/zeros": bytes(100_000),
    }


def ext(path: Path, files: Mapping[str, bytes], uuid: str, *options: str, size: int = 24) -> Path:
    """An ext file system in a file."""
    top = tree_at(path.with_suffix(".tree"), files)
    run(["mke2fs", "-q", "-F", "-U", uuid, *options, "-d", str(top), str(path), f"{size}M"])
    return path


def esp(path: Path) -> Path:
    """An ESP in a file."""
    run(["truncate", "-s", "8M", str(path)])
    run(["mkfs.vfat", "-n", "ESP", str(path)])
    run(["mmd", "-i", str(path), "::EFI"])
    run(["mcopy", "-i", str(path), "-", "::EFI/loader.efi"], stdin=os.urandom(100_000))
    return path


def disk_of(path: Path, *parts: tuple[str, Path | bytes | None]) -> Path:
    """A disk with a GPT and these partitions: kind, and what lies there (a file, first bytes, or nothing)."""
    start = 2048
    lines = ["label: gpt"]
    places = []
    for kind, content in parts:
        size = content.stat().st_size if isinstance(content, Path) else 4 * MIB
        lines.append(f"start={start}, size={size // 512}, type={KINDS[kind]}")
        places.append((start * 512, content))
        start += size // 512
    with path.open("wb") as stream:
        stream.truncate(start * 512 + 2 * MIB)
    run(["/usr/sbin/sfdisk", "-q", str(path)], stdin="\n".join(lines).encode())
    with path.open("r+b") as stream:
        for at, content in places:
            if isinstance(content, Path):
                copy_sparse(content, stream.fileno(), at)
            elif content:
                stream.seek(at)
                stream.write(content)
    return path


def whole_disk(room: Path, *options: str) -> Path:
    """A disk with ESP, /boot and root."""
    root = ext(room / "root", system(), ROOT_UUID, *(options or ("-t", "ext4", "-b", "4096")))
    boot = ext(room / "boot", {"/vmlinuz-6.1": os.urandom(200_000)}, BOOT_UUID, "-t", "ext2", size=4)
    return disk_of(room / "disk.raw", ("esp", esp(room / "esp")), ("linux", boot), ("linux", root))
