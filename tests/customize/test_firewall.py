"""nftables rules, checked by nft itself where it is installed."""

import itertools
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldsmith.builder.customize import firewall
from goldsmith.builder.customize.firewall import merged, openings, parse_services, render
from goldsmith.effects.root import Root
from goldsmith.errors import InputError, Place
from goldsmith.model.recipe import Firewall, FirewallServices

PLACE = Place("web.yaml", 3, 1)
SERVICES = parse_services("ssh 22/tcp\nhttp 80/tcp www # web\nhttps 443/tcp\nhttps 443/udp\nold 9/ddp\nbad\n")

RULES = {
    "a port": (Firewall(("22:tcp",)), ["tcp dport { 22 } accept"]),
    "a range": (Firewall(("30000-32767:udp",)), ["udp dport { 30000-32767 } accept"]),
    "a slash for a colon": (Firewall(("22/tcp",)), ["tcp dport { 22 } accept"]),
    "a service's name": (Firewall(("ssh",)), ["tcp dport { 22 } accept"]),
    "an alias": (Firewall(("www",)), ["tcp dport { 80 } accept"]),
    "a service of two protocols": (
        Firewall(("https",)),
        ["tcp dport { 443 } accept", "udp dport { 443 } accept"],
    ),
    "services enabled": (
        Firewall(("22:tcp",), FirewallServices(("http",))),
        ["tcp dport { 22, 80 } accept"],
    ),
    "a service refused although a port list names it": (
        Firewall(("20-30:tcp",), FirewallServices((), ("ssh",))),
        ["tcp dport { 22 } drop", "tcp dport { 20-30 } accept"],
    ),
    "overlapping ranges become one": (
        Firewall(("10-20:tcp", "15-30:tcp", "31:tcp", "40:tcp")),
        ["tcp dport { 10-31, 40 } accept"],
    ),
    "sctp": (Firewall(("5:sctp",)), ["sctp dport { 5 } accept"]),
    "nothing": (Firewall(), []),
}


@pytest.mark.parametrize(("asked", "expected"), RULES.values(), ids=RULES)
def test_rules(asked: Firewall, expected: list[str], tmp_path: Path) -> None:
    text = render(asked, SERVICES)
    lines = [line.strip() for line in text.splitlines()]
    start = lines.index("ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept") + 1
    assert lines[start : lines.index("}")] == expected
    assert "type filter hook input priority filter; policy drop;" in lines
    if shutil.which("nft") is None or os.geteuid() != 0:
        return
    (tmp_path / "nftables.conf").write_text(text)
    subprocess.run(["unshare", "-n", "nft", "-c", "-f", str(tmp_path / "nftables.conf")], check=True)


def test_nft_itself_refuses_what_is_wrong(tmp_path: Path) -> None:
    """The canary of the check above."""
    if shutil.which("nft") is None or os.geteuid() != 0:
        pytest.skip("needs root and nft: install nftables")
    (tmp_path / "bad.conf").write_text(render(Firewall(("22:tcp",)), SERVICES).replace("{ 22 }", "{ 22, x }"))
    done = subprocess.run(
        ["unshare", "-n", "nft", "-c", "-f", str(tmp_path / "bad.conf")], check=False, capture_output=True
    )
    assert done.returncode == 1


REFUSED = {
    "an unknown service": ("htttp", "'htttp' is neither PORT:PROTOCOL nor a service in the image's /etc/services", "did you mean 'http' or 'https'?"),
    "no protocol": ("22", "'22' is neither PORT:PROTOCOL nor a service in the image's /etc/services", "write the port, as in 22:tcp"),
    "a protocol without ports": ("22:icmp", "the protocol 'icmp' in '22:icmp' has no ports that can be opened", "one of tcp, udp, sctp"),
    "a port too high": ("70000:tcp", "'70000:tcp' is no range of ports", "ports go from 1 to 65535, the lower one first"),
    "a range the wrong way round": ("30-20:tcp", "'30-20:tcp' is no range of ports", "ports go from 1 to 65535, the lower one first"),
    "port zero": ("0:tcp", "'0:tcp' is no range of ports", "ports go from 1 to 65535, the lower one first"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "message", "hint"), REFUSED.values(), ids=REFUSED)
def test_refused(text: str, message: str, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        openings(text, SERVICES, where=PLACE)
    assert (caught.value.message, caught.value.hint, caught.value.where) == (message, hint, PLACE)


def test_a_name_without_netbase_says_so() -> None:
    with pytest.raises(InputError) as caught:
        openings("ssh", {})
    assert (
        caught.value.hint == "add netbase to packages, which has the names, or write the port, as in 22:tcp"
    )


def test_nftables_must_be_installed(tree: Root) -> None:
    with pytest.raises(InputError) as caught:
        firewall.apply(tree, Firewall(("22:tcp",), where=PLACE))
    assert caught.value.message == "the recipe has a firewall, but nftables is not installed in the image"
    assert caught.value.hint == "add nftables to packages"


def test_names_come_from_the_tree(tree: Root, install: Callable[..., None]) -> None:
    install("nftables")
    firewall.apply(tree, Firewall(("ftp", "www")))
    assert "tcp dport { 21, 80 } accept" in tree.read_text("/etc/nftables.conf")


RANGE = st.tuples(st.integers(1, 60), st.integers(0, 10)).map(lambda pair: (pair[0], pair[0] + pair[1]))


@given(st.lists(RANGE))
def test_merged_ranges_are_the_same_ports_without_seams(ranges: list[tuple[int, int]]) -> None:
    result = merged(ranges)
    before = {port for first, last in ranges for port in range(first, last + 1)}
    assert {port for first, last in result for port in range(first, last + 1)} == before
    assert all(one[1] + 1 < two[0] for one, two in itertools.pairwise(result))
