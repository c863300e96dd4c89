"""nftables: what is let in; all else is dropped, but for replies, loopback, ICMP and what DHCPv6 needs."""

import re
from collections.abc import Iterable, Mapping

from goldsmith.builder.customize.installed import is_installed
from goldsmith.builder.customize.nearest import did_you_mean
from goldsmith.effects.root import Root
from goldsmith.errors import InputError, Place
from goldsmith.model.recipe import Firewall

PATH = "/etc/nftables.conf"
SERVICES = "/etc/services"
UNIT = "nftables.service"
PROTOCOLS = ("tcp", "udp", "sctp")
LAST_PORT = 65_535
PORT = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?[:/]([a-z]+)")

Ports = tuple[str, int, int]
"""Protocol, first and last port."""


def apply(tree: Root, firewall: Firewall) -> None:
    """Write the rules; the services' row enables the unit.

    Raises:
        InputError: nftables is not installed, or a port or a service's name is wrong.
    """
    if not is_installed(tree, "nftables"):
        raise InputError(
            "the recipe has a firewall, but nftables is not installed in the image",
            hint="add nftables to packages",
            where=firewall.where,
        )
    services = parse_services(tree.read_text(SERVICES)) if tree.is_file(SERVICES) else {}
    tree.write(PATH, render(firewall, services).encode(), mode=0o755)


def parse_services(text: str) -> dict[str, frozenset[Ports]]:
    """The names and aliases of ``/etc/services``, each with its ports."""
    found: dict[str, set[Ports]] = {}
    for line in text.splitlines():
        match line.split("#", 1)[0].split():
            case [name, port, *aliases]:
                number, _, protocol = port.partition("/")
            case _:
                continue
        if number.isdigit() and protocol in PROTOCOLS:
            for known in (name, *aliases):
                found.setdefault(known, set()).add((protocol, int(number), int(number)))
    return {name: frozenset(ports) for name, ports in found.items()}


def openings(
    text: str, services: Mapping[str, frozenset[Ports]], *, where: Place | None = None
) -> frozenset[Ports]:
    """What ``22:tcp``, ``30000-32767:udp`` or a service's name means.

    Raises:
        InputError: it is none of these.
    """
    match = PORT.fullmatch(text)
    if match is None:
        if text in services:
            return services[text]
        known = bool(services)
        raise InputError(
            f"{text!r} is neither PORT:PROTOCOL nor a service in the image's {SERVICES}",
            hint=did_you_mean(text, services, "write the port, as in 22:tcp")
            if known
            else "add netbase to packages, which has the names, or write the port, as in 22:tcp",
            where=where,
        )
    first, last, protocol = int(match[1]), int(match[2] or match[1]), match[3]
    if protocol not in PROTOCOLS:
        raise InputError(
            f"the protocol {protocol!r} in {text!r} has no ports that can be opened",
            hint=f"one of {', '.join(PROTOCOLS)}",
            where=where,
        )
    if not 1 <= first <= last <= LAST_PORT:
        raise InputError(
            f"{text!r} is no range of ports",
            hint=f"ports go from 1 to {LAST_PORT}, the lower one first",
            where=where,
        )
    return frozenset({(protocol, first, last)})


def merged(ports: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges without overlaps and seams, in order: nft refuses a set whose ranges overlap."""
    result: list[tuple[int, int]] = []
    for first, last in sorted(ports):
        if result and first <= result[-1][1] + 1:
            result[-1] = (result[-1][0], max(last, result[-1][1]))
        else:
            result.append((first, last))
    return result


def rules(ports: Iterable[Ports], verdict: str) -> list[str]:
    """One rule a protocol."""
    ports = tuple(ports)
    lines = []
    for protocol in PROTOCOLS:
        ranges = merged((first, last) for name, first, last in ports if name == protocol)
        if ranges:
            words = [str(first) if first == last else f"{first}-{last}" for first, last in ranges]
            lines.append(f"{protocol} dport {{ {', '.join(words)} }} {verdict}")
    return lines


def render(firewall: Firewall, services: Mapping[str, frozenset[Ports]]) -> str:
    """The text of ``/etc/nftables.conf``."""
    asked, refused = set[Ports](), set[Ports]()
    for text in firewall.ports:
        asked |= openings(text, services, where=firewall.where)
    if firewall.services is not None:
        place = firewall.services.where or firewall.where
        for name in firewall.services.enabled:
            asked |= openings(name, services, where=place)
        for name in firewall.services.disabled:
            refused |= openings(name, services, where=place)
    chain = [
        "type filter hook input priority filter; policy drop;",
        "ct state established,related accept",
        "ct state invalid drop",
        'iifname "lo" accept',
        "meta l4proto { 1, 58 } accept",  # ICMP of both kinds; nft knows names only where netbase is installed
        # The answer to a multicast question is no reply in the eyes of connection tracking.
        "ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept",
        *rules(refused, "drop"),
        *rules(asked, "accept"),
    ]
    body = "".join(f"\t\t{line}\n" for line in chain)
    return (
        "#!/usr/sbin/nft -f\n# Written by goldsmith from the recipe.\n\n"
        f"flush ruleset\n\ntable inet filter {{\n\tchain input {{\n{body}\t}}\n}}\n"
    )
