"""Distributions as rows of data: their suites, keys, kernels, and what goldsmith itself needs in an image."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from goldsmith.model.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Suite:
    """One release of a distribution."""

    name: str
    """The code name, as in ``debian:trixie`` and in the archive's ``dists``."""
    has_updates: bool
    """Whether ``NAME-updates`` exists beside it."""
    has_security: bool
    """Whether ``NAME-security`` exists in the security archive."""
    needs: tuple[str, ...]
    """Packages that an image needs to boot and to grow its root, whatever else is in it."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """A distribution whose packages are .debs."""

    name: str
    """As in the first half of ``debian:trixie``."""
    suites: Mapping[str, Suite]
    """Its suites by code name."""
    components: tuple[str, ...]
    """The archive's components that are used by default."""
    aliases: tuple[str, ...]
    """Further suite names by which a host's sources show that an address is this distribution's."""
    security_directory: str
    """The security archive's last path part, beside the main archive's; empty where it is the main archive."""
    keyrings: tuple[str, ...]
    """Paths of the archive's keyring on a host, the best first."""
    keyring_package: str
    """The package that has the keyring."""
    kernels: Mapping[str, str]
    """The kernel package for each architecture, used where the recipe names no kernel."""
    kernel_prefix: str
    """What the names of kernel packages start with."""
    boots: frozenset[str]
    """Packages that make the machine boot; with their dependencies they are the first group to be installed."""


_BASICS = ("systemd-sysv", "udev", "kmod", "initramfs-tools", "zstd", "e2fsprogs")
_WITH_REPART = (*_BASICS, "systemd-repart")
"""systemd-repart grows the root; it is a package of its own since systemd 254 in Debian."""
_WITH_MOUNT = (*_WITH_REPART, "mount")
"""After Debian 13 no package that is always there needs mount any more, and systemd mounts by running it."""

_BOOTS = frozenset(
    {
        *_WITH_MOUNT,
        "busybox",
        "busybox-initramfs",
        "console-setup",
        "cryptsetup-initramfs",
        "dbus",
        "dracut",
        "fdisk",
        "firmware-linux-free",
        "initramfs-tools-core",
        "keyboard-configuration",
        "klibc-utils",
        "linux-base",
        "lvm2",
        "mdadm",
        "plymouth",
        "systemd",
        "tzdata",
        "zfs-initramfs",
    }
)
"""Whatever feeds the initramfs belongs here: a hook of a later group would make the initramfs a second time."""

DISTRIBUTIONS: Mapping[str, Distribution] = MappingProxyType(
    {
        "debian": Distribution(
            name="debian",
            suites=MappingProxyType(
                {
                    "trixie": Suite("trixie", has_updates=True, has_security=True, needs=_WITH_REPART),
                    "bookworm": Suite("bookworm", has_updates=True, has_security=True, needs=_BASICS),
                    "forky": Suite("forky", has_updates=True, has_security=True, needs=_WITH_MOUNT),
                    "sid": Suite("sid", has_updates=False, has_security=False, needs=_WITH_MOUNT),
                }
            ),
            components=("main",),
            aliases=("stable", "testing", "unstable", "oldstable", "bullseye", "duke"),
            security_directory="debian-security",
            keyrings=(
                "/usr/share/keyrings/debian-archive-keyring.pgp",
                "/usr/share/keyrings/debian-archive-keyring.gpg",
            ),
            keyring_package="debian-archive-keyring",
            kernels=MappingProxyType({"amd64": "linux-image-cloud-amd64"}),
            kernel_prefix="linux-image-",
            boots=_BOOTS,
        ),
        "ubuntu": Distribution(
            name="ubuntu",
            suites=MappingProxyType(
                {
                    "noble": Suite("noble", has_updates=True, has_security=True, needs=_BASICS),
                    "jammy": Suite("jammy", has_updates=True, has_security=True, needs=_BASICS),
                }
            ),
            components=("main", "universe"),
            aliases=("focal", "plucky", "questing", "resolute"),
            security_directory="",
            keyrings=("/usr/share/keyrings/ubuntu-archive-keyring.gpg",),
            keyring_package="ubuntu-keyring",
            kernels=MappingProxyType({"amd64": "linux-image-virtual"}),
            kernel_prefix="linux-image-",
            boots=_BOOTS,
        ),
    }
)
"""Every distribution that a recipe can start from, by name."""


def goldsmith_needs(recipe: Recipe, distribution: Distribution) -> tuple[str, ...]:
    """The packages that goldsmith adds to a recipe: its suite's, and a kernel where the recipe names none.

    A kernel that the recipe forbids is among them too: whoever asks for it refuses the recipe.
    """
    asked = (request.name for request in recipe.packages if not request.forbidden)
    has_kernel = any(name.startswith(distribution.kernel_prefix) for name in asked)
    kernel = () if has_kernel else (distribution.kernels[recipe.architecture],)
    return (*kernel, *distribution.suites[recipe.base.suite].needs)
