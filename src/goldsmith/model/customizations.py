"""Customizations: what is set in an image after its packages are installed.

The names are those of Red Hat's blueprint where these make sense on Debian.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from goldsmith.errors import Place
from goldsmith.model.said import Says

USER = r"[a-z_][a-z0-9_-]{0,31}"
USER_WANTS = "a POSIX name: lower-case letters, digits, '_' and '-', at most 32"
UNIT = r"[A-Za-z0-9:_.\\@-]+"
UNIT_WANTS = "a unit's name, as in nginx or nginx.service"
LOCALE = r"(C|POSIX|[a-z]{2,3}(_[A-Z]{2})?)(\.[A-Za-z0-9-]+)?(@[a-z]+)?"
LOCALE_WANTS = "a locale, as in de_DE.UTF-8"
HOST = r"[A-Za-z0-9.:-]+"
HOST_WANTS = "a host name or an address"
ABSOLUTE = r"/[^\0]*"
ABSOLUTE_WANTS = "an absolute path"


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
    ntpservers: Annotated[
        tuple[str, ...],
        Says("Time servers, for systemd-timesyncd or chrony.", pattern=HOST, wants=HOST_WANTS),
    ] = ()
    where: Place | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Locale:
    """Languages and the console keyboard."""

    languages: Annotated[
        tuple[str, ...],
        Says(
            "Locales to generate, as in `de_DE.UTF-8`; the first is the default.",
            pattern=LOCALE,
            wants=LOCALE_WANTS,
            example="[en_US.UTF-8, de_DE.UTF-8]",
        ),
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
    groups: Annotated[
        tuple[str, ...], Says("Further groups, which must exist.", pattern=USER, wants=USER_WANTS)
    ] = ()
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

    enabled: Annotated[
        tuple[str, ...],
        Says("Units to enable; a name without a suffix is a service.", pattern=UNIT, wants=UNIT_WANTS),
    ] = ()
    disabled: Annotated[tuple[str, ...], Says("Units to disable.", pattern=UNIT, wants=UNIT_WANTS)] = ()
    masked: Annotated[
        tuple[str, ...], Says("Units that must never start.", pattern=UNIT, wants=UNIT_WANTS)
    ] = ()
    where: Place | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class File:
    """A file in the image: its content here (`data`), or from a file beside the recipe (`source`)."""

    path: Annotated[str, Says("Where it goes.", pattern=ABSOLUTE, wants=ABSOLUTE_WANTS)]
    data: Annotated[str | None, Says("The content, as text.")] = None
    source: Annotated[str | None, Says("A file beside the recipe; its bytes are the content.")] = None
    mode: Annotated[int, Says("The permission bits in octal, as in `0644`.", scalar="mode")] = 0o644
    user: Annotated[str, Says("The owner, a name or a number.", scalar="owner")] = "root"
    group: Annotated[str, Says("The group, a name or a number.", scalar="owner")] = "root"
    where: Place | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory in the image."""

    path: Annotated[str, Says("Where it is.", pattern=ABSOLUTE, wants=ABSOLUTE_WANTS)]
    mode: Annotated[int, Says("The permission bits in octal, as in `0755`.", scalar="mode")] = 0o755
    user: Annotated[str, Says("The owner, a name or a number.", scalar="owner")] = "root"
    group: Annotated[str, Says("The group, a name or a number.", scalar="owner")] = "root"
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
        Says(
            "`PORT:PROTOCOL`, `FROM-TO:PROTOCOL` or a service's name.",
            scalar="port",
            example="[22:tcp, 30000-32767:udp]",
        ),
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
            pattern=r"(?=.{1,64}$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*",
            wants="letters, digits and '-', in parts with one '.' between them, at most 64",
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
    firewall: Annotated[Firewall | None, Says("Rules of nftables.")] = None
    cacerts: Annotated[CaCerts | None, Says("Trusted certificate authorities.")] = None
    sshd: Annotated[Sshd | None, Says("Settings of the SSH server.")] = None
    sysctl: Annotated[Mapping[str, str], Says("Kernel parameters, in a drop-in of their own.")] = field(
        default_factory=dict
    )
