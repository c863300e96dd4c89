"""A disk as a careless vendor makes it: secrets in files, in deleted ones, behind files' ends and in the journal."""

import hashlib
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.assay.leaks import secrets

MIB = 1 << 20
BLOCK = 4096
ROOT_AT, ROOT_SIZE = 20 * MIB, 96 * MIB
ESP_AT, ESP_SIZE = 2 * MIB, 16 * MIB
SWAP_AT, SWAP_SIZE = ROOT_AT + ROOT_SIZE, 4 * MIB
TABLE = f"""label: gpt
start=1MiB, size=1MiB, type=21686148-6449-6E6F-744E-656564454649
start=2MiB, size={ESP_SIZE >> 20}MiB, type=U
start={ROOT_AT >> 20}MiB, size={ROOT_SIZE >> 20}MiB, type=L
start={SWAP_AT >> 20}MiB, size={SWAP_SIZE >> 20}MiB, type=S
"""
KEY, SHIPPED, CHANGED, DELETED = (secrets.key("-t", "ed25519") for _ in range(4))
EXAMPLE = "/usr/share/doc/example/key.pem"
ALTERED = "/usr/share/doc/example/altered.pem"
FILES = {
    "/etc/os-release": "ID=debian\nVERSION_ID=13\n",
    "/etc/passwd": "root:x:0:0:root:/root:/bin/bash\nbob:x:1000:1000::/srv/bob:/bin/sh\n",
    "/etc/machine-id": "0123456789abcdef0123456789abcdef\n",
    "/etc/hostname": "localhost\n",
    "/etc/ssh/ssh_host_ed25519_key": KEY,
    "/etc/app.conf": f"token = {secrets.GITHUB}\n",
    "/srv/bob/.netrc": secrets.NETRC,
    "/var/log/wtmp": "",
    "/var/log/syslog": "",
    "/opt/large": "." * (3 * MIB - 30) + f"\n{secrets.GITLAB}\n" + "." * MIB,
    EXAMPLE: SHIPPED,
    ALTERED: CHANGED,
    "/var/lib/dpkg/status": "Package: example\nStatus: install ok installed\nVersion: 1.0\nArchitecture: all\n",
    "/var/lib/dpkg/info/example.md5sums": "".join(
        f"{hashlib.md5(text.encode()).hexdigest()}  {path[1:]}\n"
        for path, text in ((EXAMPLE, SHIPPED), (ALTERED, "as it was shipped"))
    ),
}


@dataclass(frozen=True)
class Disk:
    """The disk, and where on it was put what belongs to no file."""

    path: Path
    deleted: int
    """A deleted key."""
    slack: int
    """A token behind a file's end, in its last block."""
    journal: int
    """A token in the journal."""
    swap: int
    """A token in the swap partition."""
    gap: int
    """A token between two partitions."""


def make(room: Path) -> Disk:
    """The disk, with everything on it."""
    root, disk = room / "root.ext4", room / "disk.raw"
    write_tree(room / "tree")
    (room / "deleted").write_text(DELETED)
    run("mke2fs", "-q", "-t", "ext4", "-b", str(BLOCK), "-d", room / "tree", root, f"{ROOT_SIZE >> 10}K")
    debug(root, f"write {room}/deleted deleted", write=True)
    deleted = blocks(root, "/deleted")[0] * BLOCK
    debug(root, "rm deleted", write=True)
    slack = blocks(root, "/etc/app.conf")[0] * BLOCK + 1000
    journal = blocks(root, "<8>")[5] * BLOCK + 100
    esp = room / "esp.fat"
    run("mkfs.vfat", "-C", esp, str(ESP_SIZE >> 10))
    (room / "seed").write_bytes(bytes(range(32)))
    run("mmd", "-i", esp, "::/loader")
    run("mcopy", "-i", esp, room / "seed", "::/loader/random-seed")
    with disk.open("wb") as stream:
        stream.truncate(SWAP_AT + SWAP_SIZE + 2 * MIB)
    subprocess.run(["sfdisk", "-q", disk], input=TABLE, text=True, check=True)
    places = {
        ROOT_AT: root.read_bytes(),
        ESP_AT: esp.read_bytes(),
        SWAP_AT + 4086: b"SWAPSPACE2",
    }
    tokens = {
        ROOT_AT + slack: secrets.SLACK,
        ROOT_AT + journal: secrets.STRIPE,
        SWAP_AT + 3 * BLOCK + 7: secrets.AGE,
        ESP_AT + ESP_SIZE + MIB: secrets.GOOGLE,
    }
    with disk.open("r+b") as stream:
        for at, data in {**places, **{at: text.encode() for at, text in tokens.items()}}.items():
            stream.seek(at)
            stream.write(data)
    return Disk(disk, ROOT_AT + deleted, *tokens)


def write_tree(top: Path) -> None:
    for path, text in FILES.items():
        (top / path[1:]).parent.mkdir(parents=True, exist_ok=True)
        (top / path[1:]).write_text(text)


def debug(image: Path, request: str, *, write: bool = False) -> str:
    options = ["-w"] if write else []
    done = subprocess.run(
        ["debugfs", *options, "-R", request, image], capture_output=True, text=True, check=True
    )
    return done.stdout


def blocks(image: Path, path: str) -> list[int]:
    """The blocks of a file, in its order."""
    return [int(number) for number in re.findall(r"\d+", debug(image, f"blocks {path}"))]


def run(*command: str | Path) -> None:
    subprocess.run(command, check=True, capture_output=True)
