"""Ways to spoil a good image: each is done to a copy of its disk by debugfs, without mounting."""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from goldsmith.machine.planted import find_root
from goldsmith.model.proof import Group

UNITS = "/etc/systemd/system"


class Spoiled:
    """A copy of a disk that is being spoiled."""

    def __init__(self, disk: Path, room: Path) -> None:
        self.disk = room / "spoiled.raw"
        self.room = room
        subprocess.run(["cp", "--sparse=always", disk, self.disk], check=True)
        found = find_root(self.disk)
        assert found is not None
        self._start = found[0]

    def run(self, *commands: str, write: bool = True) -> str:
        """What debugfs prints."""
        done = subprocess.run(
            ["debugfs", *(["-w"] if write else []), "-f", "-", f"{self.disk.name}?offset={self._start}"],
            input="".join(f"{command}\n" for command in commands),
            cwd=self.disk.parent,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def read(self, path: str) -> str:
        """A file's text."""
        target = self.room / "read"
        target.unlink(missing_ok=True)
        self.run(f"dump {path} {target}", write=False)
        return target.read_text()

    def put(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file of root's."""
        source = self.room / "put"
        source.write_text(text)
        self.run(f"rm {path}", f"write {source} {path}", f"sif {path} mode 0{0o100000 | mode:o}")
        self.run(f"sif {path} uid 0", f"sif {path} gid 0")
        assert self.read(path) == text, f"{path} could not be written"

    def remove(self, *paths: str) -> None:
        """Remove files."""
        self.run(*(f"rm {path}" for path in paths))

    def link(self, path: str, target: str) -> None:
        """Make a symbolic link, in place of what is there."""
        self.run(f"rm {path}", f"symlink {path} {target}")

    def listed(self, directory: str) -> list[str]:
        """The names in a directory."""
        return [
            line.split("/")[5]
            for line in self.run(f"ls -p {directory}", write=False).splitlines()
            if line.startswith("/")
        ]

    def unit(self, name: str, text: str, wanted_by: str = "multi-user.target") -> None:
        """Add a unit that is started at boot."""
        self.put(f"{UNITS}/{name}", text)
        self.run(f"mkdir {UNITS}/{wanted_by}.wants")
        self.link(f"{UNITS}/{wanted_by}.wants/{name}", f"../{name}")


@dataclass(frozen=True)
class Sabotage:
    """One way to spoil an image, and what must be said of it."""

    name: str
    spoil: Callable[[Spoiled], None]
    group: Group
    """The group in which it is found."""
    said: str
    """What stands in the name, the reason or the lines of what failed."""
    options: tuple[str, ...] = ()
    """For ``goldsmith test``."""


def service(command: str, more: str = "") -> str:
    """A unit that runs a shell command once."""
    return f"[Unit]\nDescription=spoiled\n[Service]\nType=oneshot\nExecStart=/bin/sh -c '{command}'\n{more}"


def no_kernel(image: Spoiled) -> None:
    image.remove(
        "/vmlinuz", "/vmlinuz.old", *(f"/boot/{name}" for name in image.listed("/boot") if "vmlinuz" in name)
    )


def wrong_root(image: Spoiled) -> None:
    text = image.read("/boot/grub/grub.cfg")
    start = text.index("root=UUID=") + len("root=UUID=")
    image.put(
        "/boot/grub/grub.cfg", f"{text[:start]}00000000-0000-4000-8000-000000000000{text[start + 36 :]}"
    )


def bad_fstab(image: Spoiled) -> None:
    line = "/dev/disk/by-label/nowhere /mnt ext4 defaults,x-systemd.device-timeout=5 0 2\n"
    image.put("/etc/fstab", image.read("/etc/fstab") + line)


def no_init(image: Spoiled) -> None:
    image.remove(
        "/usr/sbin/init", "/usr/lib/systemd/systemd", "/usr/bin/sh", "/usr/bin/dash", "/usr/bin/bash"
    )


def hung(image: Spoiled) -> None:
    image.unit("hangs.service", service("sleep infinity"))


def fails(image: Spoiled) -> None:
    image.unit("fails.service", service("echo I cannot >&2; exit 3"))


def emergency(image: Spoiled) -> None:
    image.link(f"{UNITS}/default.target", "/usr/lib/systemd/system/emergency.target")


def no_sshd(image: Spoiled) -> None:
    image.remove("/usr/sbin/sshd")


def full(image: Spoiled) -> None:
    image.unit("fills.service", service("dd if=/dev/zero of=/fill bs=1M; true"))


def forged(image: Spoiled) -> None:
    """The real report gives place to one that says what a machine that is well would say."""
    words = "kernel 6.12\\nstate running\\nroot 1 1\\nend\\n"
    place = f"{UNITS}/goldsmith-report.service.d"
    image.run(f"mkdir {place}")
    image.put(
        f"{place}/forged.conf",
        f"[Service]\nExecStart=\nExecStart=/bin/sh -c 'printf \"{words}\" >/dev/ttyS1; exec sleep infinity'\n",
    )


def machine_id(image: Spoiled) -> None:
    """The host keys are made all the same, as they are by cloud-init."""
    place = f"{UNITS}/sshd-keygen.service.d"
    image.run(f"mkdir {place}")
    image.put(f"{place}/always.conf", "[Unit]\nConditionFirstBoot=\n")
    image.put("/etc/machine-id", "0123456789abcdef0123456789abcdef\n", 0o444)


def host_key(image: Spoiled) -> None:
    key = image.room / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "x", "-f", key], check=True)
    image.put("/etc/ssh/ssh_host_ed25519_key", key.read_text(), 0o600)
    image.put("/etc/ssh/ssh_host_ed25519_key.pub", key.with_suffix(".pub").read_text())


def host_name(image: Spoiled) -> None:
    image.put("/etc/hostname", "golden1\n")


def core_dump(image: Spoiled) -> None:
    """A program reads where nothing is, and nobody minds."""
    image.unit("crashes.service", service('perl -e "print unpack(q(p), pack(q(Q), 1))"; true'))


def reboots(image: Spoiled) -> None:
    image.unit("reboots.service", service("systemctl --force --force reboot"))


def no_sysctl(image: Spoiled) -> None:
    image.remove("/etc/sysctl.d/99-goldsmith.conf")


def no_user(image: Spoiled) -> None:
    text = image.read("/etc/passwd")
    image.put(
        "/etc/passwd", "".join(line for line in text.splitlines(keepends=True) if not line.startswith("ops:"))
    )


def other_file(image: Spoiled) -> None:
    image.put("/etc/motd", "somebody was here\n")


def other_time_zone(image: Spoiled) -> None:
    image.link("/etc/localtime", "/usr/share/zoneinfo/Asia/Tokyo")


def open_port(image: Spoiled) -> None:
    image.unit("opens.socket", "[Socket]\nListenStream=4444\nAccept=yes\n", "sockets.target")
    image.put(f"{UNITS}/opens@.service", "[Service]\nExecStart=/bin/cat\nStandardInput=socket\n")


def setuid(image: Spoiled) -> None:
    image.run("sif /usr/bin/env mode 0104755")


def not_grown(image: Spoiled) -> None:
    for name in ("systemd-repart.service", "systemd-growfs-root.service", "systemd-growfs@-.service"):
        image.link(f"{UNITS}/{name}", "/dev/null")


def masked(image: Spoiled) -> None:
    image.remove(f"{UNITS}/sysinit.target.wants/systemd-timesyncd.service")
    image.link(f"{UNITS}/systemd-timesyncd.service", "/dev/null")


def only_once(image: Spoiled) -> None:
    image.unit("once.service", service("test ! -e /var/lib/once; code=$$?; touch /var/lib/once; exit $$code"))


SABOTAGES = (
    Sabotage("no kernel", no_kernel, Group.HEALTH, "the boot loader found no kernel"),
    Sabotage("wrong root=", wrong_root, Group.HEALTH, "no root file system"),
    Sabotage("bad fstab", bad_fstab, Group.HEALTH, "nowhere"),
    Sabotage("no init", no_init, Group.HEALTH, "no init"),
    Sabotage("hung unit", hung, Group.HEALTH, "hangs.service: its start job is still running"),
    Sabotage("failed unit", fails, Group.HEALTH, "fails.service"),
    Sabotage("emergency mode", emergency, Group.HEALTH, "emergency mode"),
    Sabotage("no sshd though asked", no_sshd, Group.HEALTH, "ssh.service"),
    Sabotage("full disk", full, Group.SURFACE, "the root file system has room"),
    Sabotage("forged signal", forged, Group.HEALTH, "nothing inside reported"),
    Sabotage("reboots by itself", reboots, Group.HEALTH, "asked for a reboot"),
    Sabotage("core dump", core_dump, Group.HEALTH, "a program crashed"),
    Sabotage("baked machine-id", machine_id, Group.IDENTITY, "both clones have the same machine-id"),
    Sabotage("baked host key", host_key, Group.IDENTITY, "both clones have the same host-key-ed25519"),
    Sabotage("baked host name", host_name, Group.IDENTITY, "both clones are called 'golden1'"),
    Sabotage("sysctl is not set", no_sysctl, Group.RECIPE, "sysctl net.core.somaxconn"),
    Sabotage("user is missing", no_user, Group.RECIPE, "user ops"),
    Sabotage("file was changed", other_file, Group.RECIPE, "content of /etc/motd"),
    Sabotage("other time zone", other_time_zone, Group.RECIPE, "time zone Europe/Berlin"),
    Sabotage("service is masked", masked, Group.RECIPE, "systemd-timesyncd.service is enabled"),
    Sabotage("open port", open_port, Group.SURFACE, "4444:tcp", ("--port", "22:tcp")),
    Sabotage("setuid file", setuid, Group.SURFACE, "/usr/bin/env", ("--setuid", "/usr/bin/su")),
    Sabotage("root does not grow", not_grown, Group.AGAIN, "the root file system grew"),
    Sabotage("second boot fails", only_once, Group.AGAIN, "once.service"),
)
"""All of them; a good image is spoiled by one at a time."""

STANDING = tuple(
    row
    for row in SABOTAGES
    if (row.group is not Group.HEALTH and row.spoil not in {full, only_once}) or row.spoil is core_dump
)
"""Those that leave a machine that boots: they can be done together."""

__all__ = ["SABOTAGES", "STANDING", "Sabotage", "Spoiled", "service"]
