"""The recipe: what a person writes, read and checked.

Field names are the YAML keys; where the two differ, ``Says(key=...)`` tells. Customizations use the names of
Red Hat's blueprint where these make sense on Debian.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from goldsmith.errors import Place
from goldsmith.model.said import Says

NAME = r"[a-z0-9][a-z0-9._-]{0,62}"
NAME_WANTS = "lower-case letters, digits, '.', '_' and '-', starting with a letter or digit"
USER = r"[a-z_][a-z0-9_-]{0,31}"
USER_WANTS = "a POSIX name: lower-case letters, digits, '_' and '-', at most 32"
ABSOLUTE = r"/[^\0]*"
ABSOLUTE_WANTS = "an absolute path"


@dataclass(frozen=True, slots=True)
class Base:
    """Where an image starts: a distribution and its suite, as in ``debian:trixie``."""

    distribution: str
    suite: str

    def __str__(self) -> str:
        """As it is written in a recipe."""
        return f"{self.distribution}:{self.suite}"


@dataclass(frozen=True, slots=True)
class PackageRequest:
    """One line of ``packages``: ``name``, ``name=version``, ``name/suite`` or ``-name``."""

    name: str
    version: str = ""
    suite: str = ""
    forbidden: bool = False

    def __str__(self) -> str:
        """As it is written in a recipe, and as apt understands it (but for a forbidden one)."""
        if self.forbidden:
            return f"-{self.name}"
        return self.name + (f"={self.version}" if self.version else f"/{self.suite}" if self.suite else "")


@dataclass(frozen=True, slots=True)
class Repository:
    """An extra apt source."""

    uri: Annotated[
        str,
        Says(
            "The archive's address, `http`, `https` or `file`.",
            pattern=r"(https?|file)://?.+",
            wants="an http, https or file address",
        ),
    ]
    key: Annotated[str, Says("Path of the OpenPGP key that signs the archive, beside the recipe.")]
    suite: Annotated[str, Says("The suite; a name that ends in `/` is a flat archive.")] = "./"
    components: Annotated[tuple[str, ...], Says("The archive's components; none for a flat archive.")] = ()
    id: Annotated[
        str,
        Says(
            "A short name for lock and messages; made from the address if left out.",
            pattern=NAME,
            wants=NAME_WANTS,
        ),
    ] = ""
    credentials: Annotated[
        str,
        Says(
            "`env:NAME` or `file:PATH`, holding `user:password`; it never reaches the image.",
            pattern=r"(env|file):.+",
            wants="env:NAME or file:PATH",
        ),
    ] = ""
    proxy: Annotated[str, Says("An HTTP proxy for this archive only.")] = ""
    ca: Annotated[str, Says("Path of a PEM file with the authority that signs the server's certificate.")] = (
        ""
    )
    keep: Annotated[bool, Says("Whether the image keeps this source in `/etc/apt/sources.list.d`.")] = True
    where: Place | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Secret:
    """A build secret: shown to the steps that name it, never kept."""

    name: Annotated[str, Says("The name that steps use.", pattern=NAME, wants=NAME_WANTS)]
    env: Annotated[str, Says("The environment variable that holds it.")] = ""
    file: Annotated[str, Says("The file that holds it.")] = ""
    where: Place | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class ComponentUse:
    """A component document and how the recipe uses it; a bare path is enough."""

    path: Annotated[str, Says("The document's path, beside the recipe.")]
    parameters: Annotated[Mapping[str, str], Says("Values for the document's parameters.")] = field(
        default_factory=dict
    )
    network: Annotated[
        bool, Says("Whether its steps may use the network; the image is then marked not reproducible.")
    ] = False
    secrets: Annotated[
        tuple[str, ...], Says("Names of secrets that its steps find as files in `/run/secrets`.")
    ] = ()
    where: Place | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Stage:
    """A build stage: packages and components that never ship; only what is copied out does."""

    name: Annotated[str, Says("The stage's name, for `copy_from`.", pattern=NAME, wants=NAME_WANTS)]
    packages: Annotated[
        tuple[PackageRequest, ...], Says("Packages of this stage only.", scalar="package")
    ] = ()
    components: Annotated[
        tuple[ComponentUse, ...], Says("Components that run in this stage.", scalar="component")
    ] = ()
    where: Place | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class CopyFrom:
    """Files copied out of a build stage."""

    stage: Annotated[str, Says("The stage's name.", pattern=NAME, wants=NAME_WANTS)]
    source: Annotated[
        str, Says("The file or directory in the stage.", pattern=ABSOLUTE, wants=ABSOLUTE_WANTS)
    ]
    destination: Annotated[
        str,
        Says(
            "Where it goes in the image; the same path if left out.", pattern=ABSOLUTE, wants=ABSOLUTE_WANTS
        ),
    ] = ""
    where: Place | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Timezone:
    """The time zone, and who tells the time."""

    timezone: Annotated[
        str,
        Says(
            "A name of the tz database, as in `Europe/Berlin`.",
            pattern=r"[A-Za-z0-9+_-]+(/[A-Za-z0-9+_-]+)*",
            wants="a name of the tz database, as in Europe/Berlin",
        ),
    ] = "UTC"
    ntpservers: Annotated[tuple[str, ...], Says("Time servers, for systemd-timesyncd or chrony.")] = ()
    where: Place | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Locale:
    """Languages and the console keyboard."""

    languages: Annotated[
        tuple[str, ...], Says("Locales to generate, as in `de_DE.UTF-8`; the first is the default.")
    ] = ()
    keyboard: Annotated[
        str,
        Says(
            "The console keyboard's layout, as in `de`.",
            pattern=r"[a-z][a-z0-9_-]*",
            wants="a layout's name, as in de",
        ),
    ] = ""
    where: Place | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class User:
    """A user account."""

    name: Annotated[
        str, Says("The login name; an account that exists is changed.", pattern=USER, wants=USER_WANTS)
    ]
    description: Annotated[
        str, Says("The full name.", pattern=r"[^:\n]*", wants="a text without ':' and line breaks")
    ] = ""
    password: Annotated[
        str,
        Says("A crypt hash as it is, or a plain text, which is hashed with a salt derived from the plan."),
    ] = ""
    key: Annotated[
        str, Says("An SSH public key.", pattern=r"\S+ \S+.*", wants="a line as in authorized_keys")
    ] = ""
    home: Annotated[
        str, Says("The home directory; `/home/NAME` if left out.", pattern=ABSOLUTE, wants=ABSOLUTE_WANTS)
    ] = ""
    shell: Annotated[
        str, Says("The login shell; `/bin/bash` if left out.", pattern=ABSOLUTE, wants=ABSOLUTE_WANTS)
    ] = ""
    groups: Annotated[tuple[str, ...], Says("Further groups, which must exist.")] = ()
    uid: Annotated[
        int | None, Says("The number; the next free one from 1000 if left out.", minimum=0, maximum=65533)
    ] = None
    gid: Annotated[int | None, Says("The number of the primary group.", minimum=0, maximum=65533)] = None
    expiredate: Annotated[
        int | None, Says("The day the account expires, in days since 1970-01-01.", minimum=0)
    ] = None
    force_password_reset: Annotated[bool, Says("Whether the first login must set a new password.")] = False
    sudo: Annotated[bool, Says("Whether the user may do everything by `sudo`, without a password.")] = False
    where: Place | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Group:
    """A group."""

    name: Annotated[str, Says("The group's name.", pattern=USER, wants=USER_WANTS)]
    gid: Annotated[
        int | None, Says("The number; the next free one from 1000 if left out.", minimum=0, maximum=65533)
    ] = None
    where: Place | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class SshKey:
    """An SSH public key for a user that exists in the image."""

    user: Annotated[str, Says("The login name.", pattern=USER, wants=USER_WANTS)]
    key: Annotated[
        str,
        Says(
            "The public key, a line as in `authorized_keys`.",
            pattern=r"\S+ \S+.*",
            wants="a line as in authorized_keys",
        ),
    ]
    where: Place | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Services:
    """systemd units by their state at boot."""

    enabled: Annotated[tuple[str, ...], Says("Units to enable; a name without a suffix is a service.")] = ()
    disabled: Annotated[tuple[str, ...], Says("Units to disable.")] = ()
    masked: Annotated[tuple[str, ...], Says("Units that must never start.")] = ()
    where: Place | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class File:
    """A file in the image: its content here (`data`), or from a file beside the recipe (`source`)."""

    path: Annotated[str, Says("Where it goes.", pattern=ABSOLUTE, wants=ABSOLUTE_WANTS)]
    data: Annotated[str | None, Says("The content, as text.")] = None
    source: Annotated[str | None, Says("A file beside the recipe; its bytes are the content.")] = None
    mode: Annotated[int, Says("The permission bits in octal, as in `0644`.", scalar="mode")] = 0o644
    user: Annotated[str, Says("The owner, a name or a number.")] = "root"
    group: Annotated[str, Says("The group, a name or a number.")] = "root"
    where: Place | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory in the image."""

    path: Annotated[str, Says("Where it is.", pattern=ABSOLUTE, wants=ABSOLUTE_WANTS)]
    mode: Annotated[int, Says("The permission bits in octal, as in `0755`.", scalar="mode")] = 0o755
    user: Annotated[str, Says("The owner, a name or a number.")] = "root"
    group: Annotated[str, Says("The group, a name or a number.")] = "root"
    ensure_parents: Annotated[bool, Says("Whether missing parents are made too.")] = False
    where: Place | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Kernel:
    """The kernel's command line."""

    append: Annotated[
        str, Says("Words added to the kernel's command line.", pattern=r"[^\n]*", wants="one line")
    ] = ""
    where: Place | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class FirewallServices:
    """Firewall openings by a service's name in `/etc/services`."""

    enabled: Annotated[tuple[str, ...], Says("Services to let in.")] = ()
    disabled: Annotated[tuple[str, ...], Says("Services to refuse, even if a port list names them.")] = ()
    where: Place | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Firewall:
    """nftables: what is let in; all else is dropped, but for replies, loopback and ICMP."""

    ports: Annotated[
        tuple[str, ...],
        Says("`PORT:PROTOCOL`, `FROM-TO:PROTOCOL` or a service's name.", example="[22:tcp, 30000-32767:udp]"),
    ] = ()
    services: Annotated[FirewallServices | None, Says("Openings by service name.")] = None
    where: Place | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class CaCerts:
    """Certificate authorities that the image trusts."""

    pem_certs: Annotated[tuple[str, ...], Says("Certificates in PEM, as text.")] = ()
    where: Place | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Sshd:
    """Settings of the SSH server, in a drop-in of its own."""

    password_authentication: Annotated[bool | None, Says("Whether passwords are accepted.")] = None
    kbd_interactive_authentication: Annotated[
        bool | None, Says("Whether keyboard-interactive login is accepted.")
    ] = None
    permit_root_login: Annotated[
        str | None,
        Says(
            "Whether root may log in; `yes` and `no` are words here.",
            choices=("yes", "no", "prohibit-password", "forced-commands-only"),
        ),
    ] = None
    client_alive_interval: Annotated[
        int | None, Says("Seconds of silence before the server asks whether the client is there.", minimum=0)
    ] = None
    where: Place | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Customizations:
    """What is set in the image after its packages are installed."""

    hostname: Annotated[
        str,
        Says(
            "The host name; without one, each machine gets its own.",
            pattern=r"[A-Za-z0-9]([A-Za-z0-9.-]{0,62}[A-Za-z0-9])?",
            wants="letters, digits, '-' and '.', at most 64",
        ),
    ] = ""
    timezone: Annotated[Timezone | None, Says("The time zone and time servers.")] = None
    locale: Annotated[Locale | None, Says("Languages and keyboard.")] = None
    user: Annotated[tuple[User, ...], Says("User accounts.")] = ()
    group: Annotated[tuple[Group, ...], Says("Groups.")] = ()
    sshkey: Annotated[tuple[SshKey, ...], Says("SSH keys for accounts that exist.")] = ()
    services: Annotated[Services | None, Says("Units to enable, disable and mask.")] = None
    files: Annotated[tuple[File, ...], Says("Files.")] = ()
    directories: Annotated[tuple[Directory, ...], Says("Directories.")] = ()
    kernel: Annotated[Kernel | None, Says("The kernel's command line.")] = None
    firewall: Annotated[Firewall | None, Says("nftables rules.")] = None
    cacerts: Annotated[CaCerts | None, Says("Trusted certificate authorities.")] = None
    sshd: Annotated[Sshd | None, Says("Settings of the SSH server.")] = None
    sysctl: Annotated[Mapping[str, str], Says("Kernel parameters, in a drop-in of their own.")] = field(
        default_factory=dict
    )


@dataclass(frozen=True, slots=True)
class DiskSpec:
    """The disk: its size, the root's file system, and how it boots."""

    size: Annotated[
        int | None,
        Says(
            "The size in bytes, as in `10 GiB`; without it, `minimal`: what the files need, plus the headroom.",
            scalar="size",
        ),
    ] = None
    headroom: Annotated[int, Says("Free space on a minimal disk.", scalar="size")] = 256 * 1024 * 1024
    root: Annotated[str, Says("The root's file system.", choices=("ext4", "erofs"))] = "ext4"
    boot: Annotated[str, Says("How it boots.", choices=("uefi", "bios", "both"))] = "both"
    where: Place | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Remove:
    """What is taken out of the image after all else."""

    packages: Annotated[tuple[str, ...], Says("Packages to purge once everything is set up.")] = ()
    paths: Annotated[
        tuple[str, ...], Says("Paths to delete; `*` and `?` match within a name, `**` across.")
    ] = ()
    docs: Annotated[bool, Says("Whether documentation is left out, but for copyright files.")] = False
    locales: Annotated[
        bool, Says("Whether translations are left out, but for those of the recipe's languages.")
    ] = False
    where: Place | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Recipe:
    """A golden image as code."""

    name: Annotated[str, Says("The image's name.", pattern=NAME, wants=NAME_WANTS, example="web")]
    version: Annotated[
        str,
        Says(
            "The image's version.",
            pattern=r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)",
            wants="three numbers, as in 1.2.0",
            example="1.0.0",
        ),
    ]
    base: Annotated[
        Base,
        Says("The distribution and suite to start from.", key="from", scalar="base", example="debian:trixie"),
    ]
    description: Annotated[str, Says("One line about the image.")] = ""
    labels: Annotated[Mapping[str, str], Says("Free labels, kept with the image.")] = field(
        default_factory=dict
    )
    architecture: Annotated[str, Says("The machine's architecture.", choices=("amd64",))] = "amd64"
    mirror: Annotated[
        str,
        Says(
            "The package mirror; else `--mirror`, `GOLDSMITH_MIRROR`, or what the host's own apt uses.",
            pattern=r"(https?|file)://?.+",
            wants="an http, https or file address",
        ),
    ] = ""
    repositories: Annotated[tuple[Repository, ...], Says("Extra apt sources.")] = ()
    packages: Annotated[
        tuple[PackageRequest, ...],
        Says("Packages: `name`, `name=version`, `name/suite`, or `-name` to forbid one.", scalar="package"),
    ] = ()
    recommends: Annotated[bool, Says("Whether recommended packages are installed too.")] = False
    secrets: Annotated[tuple[Secret, ...], Says("Build secrets, from the environment or files.")] = ()
    components: Annotated[
        tuple[ComponentUse, ...],
        Says("Component documents to run; a bare path is enough.", scalar="component"),
    ] = ()
    stages: Annotated[tuple[Stage, ...], Says("Build stages, whose packages never ship.")] = ()
    copy_from: Annotated[tuple[CopyFrom, ...], Says("What is copied out of build stages.")] = ()
    customizations: Annotated[Customizations, Says("Users, files, services and settings.")] = field(
        default_factory=Customizations
    )
    disk: Annotated[DiskSpec, Says("Size, file system and boot.")] = field(default_factory=DiskSpec)
    remove: Annotated[Remove, Says("What is taken out at the end.")] = field(default_factory=Remove)
    outputs: Annotated[
        tuple[str, ...], Says("Formats that `build --output` writes.", choices=("raw", "qcow2"))
    ] = ("qcow2",)
    tests: Annotated[tuple[str, ...], Says("Test files, for the booted machine.")] = ()
    where: Place | None = field(default=None, compare=False)
    directory: str = field(default=".", compare=False)
    """The directory that relative paths start from (not a key of the file)."""
