"""The time zone, and the servers that tell the time."""

from collections.abc import Iterator, Sequence

from goldsmith.builder.customize.installed import installed_packages
from goldsmith.builder.customize.nearest import did_you_mean
from goldsmith.effects.root import Root
from goldsmith.errors import InputError, Place
from goldsmith.model.recipe import Timezone

ZONES = "/usr/share/zoneinfo"
LOCALTIME = "/etc/localtime"
NOT_ZONES = frozenset({"posix", "right", "tzdata.zi", "posixrules", "localtime", "leapseconds"})
TIMESYNCD = "/etc/systemd/timesyncd.conf.d/goldsmith.conf"
CHRONY = "/etc/chrony/sources.d/goldsmith.sources"


def apply(tree: Root, timezone: Timezone) -> None:
    """Point ``/etc/localtime`` at the zone, and name the time servers.

    Raises:
        InputError: the zone is not in the tree, or nothing there can use time servers.
    """
    set_zone(tree, timezone.timezone, where=timezone.where)
    if timezone.ntpservers:
        set_servers(tree, timezone.ntpservers, where=timezone.where)


def set_zone(tree: Root, zone: str, *, where: Place | None) -> None:
    """Point ``/etc/localtime`` at the zone; UTC needs nothing where there is no tzdata."""
    if not tree.is_dir(ZONES) or "tzdata" not in installed_packages(tree):
        if zone in {"UTC", "Etc/UTC"}:
            return
        raise InputError(
            f"the time zone {zone!r} needs tzdata, which is not installed in the image",
            hint="add tzdata to packages",
            where=where,
        )
    if not tree.is_file(f"{ZONES}/{zone}") or zone.split("/", 1)[0] in NOT_ZONES:
        raise InputError(
            f"the time zone {zone!r} is not in the image's {ZONES}",
            hint=did_you_mean(
                zone,
                zone_names(tree),
                "names are as in Europe/Berlin; old ones are in the package tzdata-legacy",
            ),
            where=where,
        )
    tree.symlink(LOCALTIME, f"{ZONES}/{zone}", force=True)
    if tree.is_file("/etc/timezone"):
        tree.write("/etc/timezone", f"{zone}\n".encode())


def zone_names(tree: Root) -> Iterator[str]:
    """All names below the tree's zoneinfo."""
    for path, _ in tree.walk(ZONES):
        name = path[len(ZONES) + 1 :]
        if (
            name.split("/", 1)[0] not in NOT_ZONES
            and tree.is_file(path)
            and not name.endswith((".tab", ".list"))
        ):
            yield name


def set_servers(tree: Root, servers: Sequence[str], *, where: Place | None) -> None:
    """Name the time servers to chrony, or else to systemd-timesyncd."""
    for server in servers:
        if not server or server.split() != [server]:
            raise InputError(
                f"the time server {server!r} is no host name",
                hint="one name or address an entry",
                where=where,
            )
    packages = installed_packages(tree)
    if "chrony" in packages:
        _write(tree, CHRONY, "".join(f"server {server} iburst\n" for server in servers))
    elif "systemd-timesyncd" in packages:
        _write(tree, TIMESYNCD, f"[Time]\nNTP={' '.join(servers)}\n")
    else:
        raise InputError(
            "the recipe has ntpservers, but neither systemd-timesyncd nor chrony is installed in the image",
            hint="add systemd-timesyncd to packages",
            where=where,
        )


def _write(tree: Root, path: str, text: str) -> None:
    tree.mkdir(path.rsplit("/", 1)[0], parents=True)
    tree.write(path, f"# Written by goldsmith from the recipe.\n{text}".encode())
