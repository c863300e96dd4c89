"""What clones showed, judged: pure."""

import re
from collections.abc import Iterator, Mapping

from goldsmith.assay.prove.look import Facts
from goldsmith.machine.identity import MAY_BE_EQUAL
from goldsmith.model.machine import GuestReport
from goldsmith.model.proof import Assertion, Expected, Group, Standing

MAY_DIFFER = re.compile(
    r"/etc/(machine-id|hostname|hosts|resolv\.conf|adjtime|\.updated|ssh/ssh_host_.*|iscsi/initiatorname\.iscsi|"
    r"nvme/host(nqn|id)|udev/rules\.d/70-persistent-net\.rules|netplan/50-cloud-init\.yaml|"
    r"network/interfaces\.d/50-cloud-init|systemd/network/10-cloud-init-.*|cloud/cloud\.cfg\.d/90-.*|sudoers\.d/90-cloud-init-users|"
    r"ssl/certs/ssl-cert-snakeoil\.pem|ssl/certs/[0-9a-f]{8}\.0|ssl/private/.*|lvm/devices/.*|aide/.*|chrony/chrony\.keys)"
    r"|/boot/(efi/)?loader/random-seed|/boot/grub/grubenv|/root/\.(cache|lesshst|wget-hsts)(/.*)?"
)
"""Files whose content may be another on each machine; what else differs is found."""
SHOWN = 12
FULL = 0.95
STARTUP = re.compile(r"= (?P<all>.*)$")
PARTS = re.compile(r"(?P<number>[0-9.]+)(?P<unit>ms|min|s|h)")
UNITS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0}


def passed(group: Group, name: str, *lines: str) -> Assertion:
    """An assertion that holds."""
    return Assertion(group, name, Standing.PASSED, lines=lines)


def failed(group: Group, name: str, reason: str, *lines: str) -> Assertion:
    """An assertion that does not hold."""
    return Assertion(group, name, Standing.FAILED, reason, lines)


def skipped(group: Group, name: str, reason: str) -> Assertion:
    """An assertion that could not be made."""
    return Assertion(group, name, Standing.SKIPPED, reason)


def health(number: int, facts: Facts) -> Iterator[Assertion]:
    """A clone that reported well: no program of it crashed."""
    name = f"clone {number} is well"
    yield passed(Group.HEALTH, name, f"systemd says {facts.report.state!r}", *facts.report.times[:1])
    if facts.dumps:
        yield failed(
            Group.HEALTH, f"clone {number}: no program crashed", "a program crashed", *facts.dumps[:SHOWN]
        )
    else:
        yield passed(Group.HEALTH, f"clone {number}: no program crashed")


def identities(one: Facts, other: Facts, hostname: str) -> Iterator[Assertion]:
    """What must differ between two clones does; nothing else does but what is listed."""
    for name in sorted(one.identity.keys() | other.identity.keys()):
        mine, others = one.identity.get(name), other.identity.get(name)
        if name in MAY_BE_EQUAL:
            yield _hostname(str(mine), str(others), hostname)
        elif mine is None or others is None:
            yield failed(Group.IDENTITY, f"{name} differs", "only one of two clones has it")
        elif mine == others:
            yield failed(
                Group.IDENTITY,
                f"{name} differs",
                f"both clones have the same {name}: it is baked into the image",
                mine[:80],
            )
        else:
            yield passed(Group.IDENTITY, f"{name} differs")
    if "machine-id" not in one.identity:
        yield failed(Group.IDENTITY, "machine-id differs", "the machine has no machine-id")
    yield _same("the same packages", one.packages ^ other.packages)
    paths = one.files.keys() | other.files.keys()
    different = {path for path in paths if one.files.get(path) != other.files.get(path)}
    yield _same(
        "the same files but those listed", {path for path in different if not MAY_DIFFER.fullmatch(path)}
    )
    yield _same("the same listening ports", one.ports ^ other.ports)
    yield _same("the same setuid files", one.setuid ^ other.setuid)


def _hostname(mine: str, others: str, declared: str) -> Assertion:
    if declared:
        if {mine, others} == {declared}:
            return passed(Group.IDENTITY, f"host name is {declared} as declared")
        return failed(
            Group.IDENTITY, f"host name is {declared} as declared", f"it is {mine!r} and {others!r}"
        )
    if mine == others and mine not in {"localhost", "debian", "ubuntu", "(none)"}:
        return failed(
            Group.IDENTITY,
            "host name differs or is none",
            f"both clones are called {mine!r}, and no recipe says so",
        )
    return passed(Group.IDENTITY, "host name differs or is none")


def _same(name: str, different: set[str] | frozenset[str]) -> Assertion:
    if not different:
        return passed(Group.IDENTITY, name)
    return failed(
        Group.IDENTITY, name, f"{len(different)} differ between two clones", *sorted(different)[:SHOWN]
    )


def surface(facts: Facts, expected: Expected) -> Iterator[Assertion]:
    """What a machine shows to the outside, and what it takes, against what is expected."""
    yield _listed("listening ports", facts.ports, expected.ports)
    yield _listed("setuid files", facts.setuid, expected.setuid)
    yield _room(facts.report)
    seconds = startup(facts.report)
    budgets = (
        ("boot time", seconds, expected.boot_seconds, 1, "s"),
        ("memory in use", facts.memory, expected.memory, 1 << 20, "MiB"),
        ("root file system in use", facts.report.root_used, expected.disk, 1 << 20, "MiB"),
    )
    for name, value, budget, scale, unit in budgets:
        if value is None:
            yield skipped(Group.SURFACE, name, "the machine does not say")
            continue
        told = f"{value / scale:.2f} {unit}"
        if budget is None:
            yield passed(Group.SURFACE, name, told)
        elif value > budget:
            yield failed(Group.SURFACE, name, f"{told} is more than the budget of {budget / scale:g} {unit}")
        else:
            yield passed(Group.SURFACE, name, f"{told} of {budget / scale:g}")


def _room(report: GuestReport) -> Assertion:
    name = "the root file system has room"
    size, used = report.root_bytes, report.root_used
    if size is None or used is None:
        return skipped(Group.SURFACE, name, "the machine does not say")
    if used > FULL * size:
        return failed(Group.SURFACE, name, f"{used >> 20} of {size >> 20} MiB are used once it is up")
    return passed(Group.SURFACE, name, f"{used >> 20} of {size >> 20} MiB are used")


def _listed(name: str, found: frozenset[str], allowed: tuple[str, ...] | None) -> Assertion:
    surplus = found - set(allowed) if allowed is not None else set()
    if surplus:
        return failed(Group.SURFACE, name, "not expected: " + ", ".join(sorted(surplus)[:SHOWN]))
    return passed(Group.SURFACE, name, ", ".join(sorted(found)) or "none")


def startup(report: GuestReport) -> float | None:
    """The seconds of a boot, from what systemd-analyze says: ``… = 1min 2.345s``."""
    match = STARTUP.search(report.times[0]) if report.times else None
    parts = list(PARTS.finditer(match["all"])) if match else []
    return sum(float(part["number"]) * UNITS[part["unit"]] for part in parts) if parts else None


def grown(facts: Facts, size: int) -> Assertion:
    """The root file system took the room that a larger disk gave it.

    Args:
        facts: the first boot's.
        size: bytes of the image's own disk.
    """
    name = "the root file system grew"
    if facts.root not in {"ext2/ext3", "ext4", "xfs", "btrfs"}:
        return skipped(Group.AGAIN, name, f"a {facts.root} root is not made to grow")
    got = facts.report.root_bytes
    if got is None:
        return skipped(Group.AGAIN, name, "the machine does not say how large it is")
    if got <= size:
        return failed(
            Group.AGAIN,
            name,
            f"it has {got >> 20} MiB on a disk that is 1 GiB larger than the image's {size >> 20} MiB",
        )
    return passed(Group.AGAIN, name, f"{got >> 20} MiB")


def cloud_init(report: GuestReport) -> Assertion:
    """cloud-init is done, and has nothing to complain of."""
    name = "cloud-init is done without warnings"
    if not report.cloud_init:
        return skipped(Group.AGAIN, name, "there is no cloud-init in the image")
    status = next((line for line in report.cloud_init if line.startswith("status:")), "")
    wrong = [line for line in report.cloud_init if re.search(r"degraded|WARNING|ERROR|^\s*- ", line)]
    if status.removeprefix("status:").strip() != "done" or wrong:
        return failed(Group.AGAIN, name, status or "it has no status", *report.cloud_init[:SHOWN])
    return passed(Group.AGAIN, name)


def again(first: Facts, identity: Mapping[str, str]) -> Iterator[Assertion]:
    """A second boot of the same clone: it is still itself."""
    stable = ("machine-id", *(name for name in sorted(first.identity) if name.startswith("host-key-")))
    for name in stable:
        if identity.get(name) == first.identity.get(name):
            yield passed(Group.AGAIN, f"{name} stays over a restart")
        else:
            yield failed(Group.AGAIN, f"{name} stays over a restart", "it is another after a second boot")
