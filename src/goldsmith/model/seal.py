"""Sealing as values: what a recipe may keep, and the certificate of what was done.

What each operation matches is in ``goldsmith.builder.seal``; a test holds that its table has these names.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from goldsmith.errors import Place
from goldsmith.model.said import Says

OPERATIONS = (
    "machine-id", "dbus-machine-id", "hostname", "machine-info", "ssh-host-keys", "random-seed",
    "credential-secret", "iscsi-initiator", "nvme-host", "multipath", "lvm-devices", "blkid-tab",
    "udev-rules", "snakeoil", "kerberos-keytab", "domain-membership", "fwupd", "vm-tools",
    "mail-name", "resolv-conf", "dhcp-client", "dhcp-server", "networkd", "network-manager",
    "cloud-network", "bluetooth", "vpn-state", "cloud-init", "cloud-init-files", "azure-agent",
    "google-agent", "amazon-agent", "configuration-agents", "monitoring-agents",
    "container-engines", "subscriptions", "snapd", "shell-history", "editor-history",
    "database-history", "language-history", "authorized-keys", "known-hosts", "user-keys",
    "cloud-credentials", "user-caches", "sudo-marks", "apt-lists", "apt-cache", "apt-state",
    "apt-proxy", "dpkg-backups", "debconf-backups", "ucf-backups", "dnf-state", "password-backups",
    "locks", "backup-files", "boot-stamps", "build-marks", "login-records", "journal",
    "login-databases", "installer-logs", "core-dumps", "accounting", "mail-spool", "print-spool",
    "cron-spool", "logs", "ldconfig-cache", "man-cache", "font-cache", "caches", "temporary-files",
    "run-files", "lost-and-found", "swap-files", "backlight", "clock",
)  # fmt: skip
"""The names of all seal operations, in the order they are done."""
CERTIFICATE = "seal certificate 1"
"""How a certificate begins."""


@dataclass(frozen=True, slots=True)
class Seal:
    """What sealing leaves in the image."""

    keep: Annotated[
        tuple[str, ...],
        Says(
            "Operations that are switched off; each is an exception in the image's seal certificate.",
            choices=OPERATIONS,
            wants="the name of a seal operation, as `goldsmith seal list` has them",
            example="[ssh-host-keys]",
        ),
    ] = ()
    where: Place | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Operated:
    """What one operation did; paths are those of traces, and what is below a listed directory is not listed."""

    operation: str
    """Its name."""
    found: tuple[str, ...] = ()
    """Every trace that it found."""
    removed: tuple[str, ...] = ()
    """The traces that it did away with: all, or none where it is switched off."""
    declared: tuple[str, ...] = ()
    """What it would have taken for a trace, and stays because the recipe declares it."""
    left: tuple[str, ...] = ()
    """What the proof of absence, a second look at the sealed tree, still found."""
    kept: bool = False
    """Whether it was switched off."""


@dataclass(frozen=True, slots=True)
class SealException:
    """Something that sealing left in the image, and who wanted that."""

    operation: str
    """The operation that was switched off."""
    reason: str
    """``recipe``: its ``seal.keep`` names the operation; ``default``: the operation is off unless asked for."""
    paths: tuple[str, ...]
    """What stays in the image because of it."""


@dataclass(frozen=True, slots=True)
class SealCertificate:
    """What sealing did to an image's tree: every operation, what it found and removed, and the proof of absence."""

    image: Mapping[str, str]
    """The image's ``name``, ``version``, ``tree_digest`` and ``disk_digest``."""
    operations: tuple[Operated, ...]
    """Every operation, in order, with and without traces."""
    exceptions: tuple[SealException, ...]
    """What stays although an operation knows it."""
    absent: bool
    """Whether the second look found nothing but the exceptions."""
    declared: tuple[str, ...] = ()
    """Every path that the recipe declares, whether an operation would have taken it for a trace or not."""
