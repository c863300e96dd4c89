"""Units: names, refusals, and the real systemctl on a tree where it is installed."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

from goldsmith.builder.customize import services
from goldsmith.builder.customize.run_in_tree import RunInTree
from goldsmith.builder.customize.services import unit_name
from goldsmith.builder.customize.system.first_boot import PRESETS, can_be_enabled, keep_unit_states
from goldsmith.effects.process import Finished, run
from goldsmith.effects.root import Root
from goldsmith.errors import InputError, Place
from goldsmith.model.recipe import Services


class Recorder(RunInTree, Protocol):
    """The fixture ``recorder``: runs nothing, writes down."""

    commands: list[list[str]]


PLACE = Place("web.yaml", 9, 3)
UNIT = "[Unit]\nDescription=x\n[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n"
UNITS = "/usr/lib/systemd/system"


@pytest.fixture(autouse=True)
def units(tree: Root) -> None:
    tree.mkdir(UNITS, parents=True)
    for name in ("nginx.service", "apt-daily.timer", "man-db.timer", "getty@.service", "ssh.socket"):
        tree.write(f"{UNITS}/{name}", UNIT.encode())
    tree.write(f"{UNITS}/static.service", b"[Service]\nExecStart=/bin/true\n")


@dataclass
class HostSystemctl:
    """Runs the host's systemctl on the tree from outside."""

    root: Path

    def __call__(self, command: Sequence[str], /) -> Finished:
        return run([command[0], "--root", str(self.root), *command[1:]])


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        pytest.param("nginx", "nginx.service", id="a bare name is a service"),
        pytest.param("apt-daily.timer", "apt-daily.timer", id="a suffix stays"),
        pytest.param("getty@tty2", "getty@tty2.service", id="an instance of a template"),
        pytest.param("org.example.thing", "org.example.thing.service", id="a dot alone is no suffix"),
    ],
)
def test_unit_names(name: str, unit: str) -> None:
    assert unit_name(name) == unit


def test_the_real_systemctl_enables_disables_and_masks(tree: Root) -> None:
    if shutil.which("systemctl") is None:
        pytest.skip("this host has no systemctl: install systemd")
    tree.mkdir("/etc/systemd/system/multi-user.target.wants", parents=True)
    tree.symlink("/etc/systemd/system/multi-user.target.wants/apt-daily.timer", f"{UNITS}/apt-daily.timer")
    asked = Services(("nginx", "getty@tty2"), ("apt-daily.timer",), ("man-db.timer",))
    services.apply(tree, asked, run=HostSystemctl(tree.directory), also=("ssh.socket",))
    wants = tree.listdir("/etc/systemd/system/multi-user.target.wants")
    assert wants == ["getty@tty2.service", "nginx.service", "ssh.socket"]
    assert tree.readlink("/etc/systemd/system/man-db.timer") == "/dev/null"


def test_one_call_for_each_state(tree: Root, recorder: Recorder) -> None:
    services.apply(
        tree,
        Services(("nginx", "nginx.service", "ssh.socket"), ("apt-daily.timer",), ("a", "b")),
        run=recorder,
    )
    assert recorder.commands == [
        ["systemctl", "disable", "apt-daily.timer"],
        ["systemctl", "mask", "a.service", "b.service"],
        ["systemctl", "enable", "nginx.service", "ssh.socket"],
    ]


REFUSED = {
    "an unknown unit": (
        Services(("ngnix",), where=PLACE),
        "the unit 'ngnix.service' under services.enabled is not in the image",
        "did you mean 'nginx.service'?",
    ),
    "a unit unlike any": (
        Services((), ("zzzzzz",), where=PLACE),
        "the unit 'zzzzzz.service' under services.disabled is not in the image",
        "add the package that has it",
    ),
    "enabled and masked": (
        Services(("nginx",), (), ("nginx.service",), where=PLACE),
        "the unit 'nginx.service' is both enabled and masked",
        "keep the state that is meant; a firewall needs nftables.service enabled",
    ),
    "enabled and disabled": (
        Services(("nginx",), ("nginx",), where=PLACE),
        "the unit 'nginx.service' is both enabled and disabled",
        "keep the state that is meant; a firewall needs nftables.service enabled",
    ),
}


@pytest.mark.parametrize(("asked", "message", "hint"), REFUSED.values(), ids=REFUSED)
def test_refused(tree: Root, recorder: Recorder, asked: Services, message: str, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        services.apply(tree, asked, run=recorder)
    assert (caught.value.message, caught.value.hint, caught.value.where) == (message, hint, PLACE)
    assert recorder.commands == []


def test_systemd_must_be_installed(tree: Root, recorder: Recorder) -> None:
    tree.remove("/usr/bin/systemctl")
    with pytest.raises(InputError) as caught:
        services.apply(tree, Services(("nginx",)), run=recorder)
    assert caught.value.hint == "add systemd-sysv to packages"


def test_an_init_script_is_a_service(tree: Root, recorder: Recorder) -> None:
    tree.mkdir("/etc/init.d")
    tree.write("/etc/init.d/old", b"#!/bin/sh\n")
    services.apply(tree, Services(("old",)), run=recorder)
    assert recorder.commands == [["systemctl", "enable", "old.service"]]


def test_the_first_boot_enables_nothing_that_the_image_has_disabled(tree: Root) -> None:
    if shutil.which("systemctl") is None:
        pytest.skip("this host has no systemctl: install systemd")
    systemctl = HostSystemctl(tree.directory)
    systemctl(["systemctl", "enable", "nginx.service"])
    before = sorted(path for path, _ in tree.walk("/etc/systemd/system"))
    keep_unit_states(tree)
    systemctl(["systemctl", "preset-all", "--preset-mode=enable-only"])
    assert sorted(path for path, _ in tree.walk("/etc/systemd/system")) == before
    assert "disable ssh.socket\n" in tree.read_text(PRESETS)
    assert "nginx" not in tree.read_text(PRESETS)
    tree.remove(PRESETS)
    systemctl(["systemctl", "preset-all", "--preset-mode=enable-only"])
    after = sorted(path for path, _ in tree.walk("/etc/systemd/system"))
    assert after != before, "the canary: without the presets, systemd enables more"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("[Install]\nWantedBy=x.target\n", True, id="a section with a line"),
        pytest.param("[Unit]\nA=b\n[Install]\n", False, id="an empty section"),
        pytest.param("[Unit]\nA=b\n", False, id="no section"),
        pytest.param("[Install]\n# WantedBy=x\n", False, id="only a comment"),
    ],
)
def test_what_can_be_enabled(text: str, *, expected: bool) -> None:
    assert can_be_enabled(text) is expected
