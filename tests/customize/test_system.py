"""What every image gets."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Protocol

import pytest

from goldsmith.builder.customize.declared import declared_paths
from goldsmith.builder.customize.installed import installed_packages
from goldsmith.builder.customize.run_in_tree import RunInTree
from goldsmith.builder.customize.system import (
    apt_sources,
    cloud_init,
    first_boot,
    host_keys,
    hosts,
    image_id,
    network,
)
from goldsmith.builder.customize.system.apply import apply_system
from goldsmith.builder.customize.table import CUSTOMIZATIONS, apply_all
from goldsmith.effects.process import Finished
from goldsmith.effects.root import Root
from goldsmith.model.recipe import (
    CaCerts,
    Customizations,
    Directory,
    File,
    Firewall,
    Group,
    Locale,
    Services,
    Sshd,
    SshKey,
    Timezone,
    User,
)


class Recorder(RunInTree, Protocol):
    """The fixture ``recorder``: runs nothing, writes down."""

    commands: list[list[str]]


Installer = Callable[..., None]


def nothing_runs(command: Sequence[str], /) -> Finished:
    raise AssertionError(f"no program is needed here: {command}")


RELEASE = 'ID=debian\nIMAGE_ID=old\nPRETTY_NAME="Debian"\n'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            RELEASE,
            'ID=debian\nPRETTY_NAME="Debian"\nIMAGE_ID=web\nIMAGE_VERSION=1.2.0\n',
            id="other lines stay",
        ),
        pytest.param("", "IMAGE_ID=web\nIMAGE_VERSION=1.2.0\n", id="an empty file"),
    ],
)
def test_image_id(text: str, expected: str) -> None:
    assert image_id.with_image(text, "web", "1.2.0") == expected


def test_the_file_behind_the_link_is_written(tree: Root) -> None:
    tree.mkdir("/usr/lib")
    tree.write("/usr/lib/os-release", b"ID=debian\n")
    tree.symlink("/etc/os-release", "../usr/lib/os-release")
    image_id.apply(tree, "web", "1.2.0")
    assert tree.read_text("/usr/lib/os-release") == "ID=debian\nIMAGE_ID=web\nIMAGE_VERSION=1.2.0\n"
    assert tree.readlink("/etc/os-release") == "../usr/lib/os-release"


def test_local_names_are_added_where_they_are_missing() -> None:
    assert hosts.with_local_names("127.0.0.1 localhost # x") == (
        "127.0.0.1 localhost # x\n::1\t\tlocalhost ip6-localhost ip6-loopback\nff02::1\t\tip6-allnodes\nff02::2\t\tip6-allrouters\n"
    )
    assert hosts.with_local_names(hosts.with_local_names("")) == hosts.with_local_names("")


def test_data_sources_only_where_cloud_init_is(tree: Root, install: Installer) -> None:
    cloud_init.apply(tree)
    assert not tree.exists(cloud_init.PATH)
    install("cloud-init")
    cloud_init.apply(tree)
    assert (
        "datasource_list: [NoCloud, ConfigDrive, OpenStack, Ec2, Azure, GCE, None]\nlocale: false\n"
        in tree.read_text(cloud_init.PATH)
    )


def test_apt_sources_stay_below_their_directory(tree: Root) -> None:
    apt_sources.apply(tree, {"/etc/apt/sources.list.d/x.sources": b"Types: deb\n"})
    assert tree.read("/etc/apt/sources.list.d/x.sources") == b"Types: deb\n"
    for path in ("/etc/passwd", "/etc/apt/../passwd"):
        with pytest.raises(ValueError, match="an apt source belongs below /etc/apt/"):
            apt_sources.apply(tree, {path: b""})


NETWORKS = {
    "nothing else": ((), True, True),
    "cloud-init, which writes the interfaces itself": (("cloud-init",), True, False),
    "ifupdown": (("ifupdown",), False, False),
    "NetworkManager": (("network-manager",), False, False),
    "netplan with cloud-init": (("cloud-init", "netplan.io"), False, False),
}


@pytest.mark.parametrize(("packages", "enabled", "written"), NETWORKS.values(), ids=NETWORKS)
def test_the_network_where_nothing_else_configures_it(
    tree: Root,
    install: Installer,
    recorder: Recorder,
    packages: tuple[str, ...],
    *,
    enabled: bool,
    written: bool,
) -> None:
    tree.mkdir("/usr/lib/systemd/system", parents=True)
    tree.write(network.UNIT_FILE, b"[Install]\nWantedBy=multi-user.target\n")
    install("systemd", "systemd-resolved", *packages)
    assert network.apply(tree, run=recorder) == ()
    assert (recorder.commands == [["systemctl", "enable", network.UNIT]]) is enabled
    assert tree.exists(network.PATH) is written
    assert tree.readlink("/etc/resolv.conf") == network.STUB


def test_a_machine_that_could_not_resolve_names_is_warned_about(
    tree: Root, install: Installer, recorder: Recorder
) -> None:
    tree.mkdir("/usr/lib/systemd/system", parents=True)
    tree.write(network.UNIT_FILE, b"")
    install("systemd")
    assert network.apply(tree, run=recorder) == (
        "machines get their address from systemd-networkd, but nothing takes its name servers: add systemd-resolved to packages",
    )
    assert not tree.lexists("/etc/resolv.conf")


@pytest.mark.parametrize(
    ("packages", "wanted"),
    [
        pytest.param({"systemd"}, {"systemd-resolved"}, id="systemd alone"),
        pytest.param({"systemd", "cloud-init"}, {"systemd-resolved"}, id="cloud-init has no resolver"),
        pytest.param({"systemd", "ifupdown"}, set(), id="ifupdown cares for itself"),
        pytest.param({"systemd", "resolvconf"}, set(), id="another resolver"),
        pytest.param({"bash"}, set(), id="no systemd"),
    ],
)
def test_what_the_lock_should_add(packages: set[str], wanted: set[str]) -> None:
    assert network.wanted_packages(packages) == wanted


HOST_KEYS = {
    "an SSH server alone": (("openssh-server",), False, True),
    "cloud-init makes them": (("openssh-server", "cloud-init"), False, False),
    "Debian's own unit makes them": (("openssh-server",), True, False),
    "no SSH server": ((), False, False),
}


@pytest.mark.parametrize(("packages", "debians", "made"), HOST_KEYS.values(), ids=HOST_KEYS)
def test_host_keys_are_made_on_the_machine(
    tree: Root, install: Installer, packages: tuple[str, ...], *, debians: bool, made: bool
) -> None:
    install(*packages)
    if debians:
        tree.mkdir("/usr/lib/systemd/system", parents=True)
        tree.write(host_keys.DEBIANS_OWN, b"")
    host_keys.apply(tree)
    assert tree.exists(f"/etc/systemd/system/ssh.service.wants/{host_keys.NAME}") is made


def test_nobody_is_asked_on_the_first_boot(tree: Root) -> None:
    first_boot.silence_wizard(tree)
    assert not tree.exists(first_boot.WIZARD_DROP_IN)
    tree.mkdir("/usr/lib/systemd/system", parents=True)
    tree.write(first_boot.WIZARD, b"[Service]\nExecStart=systemd-firstboot --prompt-locale\n")
    first_boot.silence_wizard(tree)
    assert "ExecStart=\nExecStart=/usr/bin/systemd-firstboot\nStandardInput=null\n" in tree.read_text(
        first_boot.WIZARD_DROP_IN
    )


def test_a_bare_tree_gets_what_needs_no_program(tree: Root) -> None:
    assert apply_system(tree, name="web", version="1.0.0", sources={}, run=nothing_runs) == ()
    assert "IMAGE_ID=web" in tree.read_text("/etc/os-release")
    assert "localhost" in tree.read_text("/etc/hosts")
    assert not tree.exists("/etc/hostname")


STATUS = """\
Package: one
Essential: yes
Status: install ok installed

Package: two
Status: deinstall ok config-files

Package: three
Status: install ok half-configured

Package: four
Status: hold ok installed
Description: x
 Package: five
 Status: install ok installed
"""


def test_only_what_is_configured_counts_as_installed(tree: Root) -> None:
    tree.write("/var/lib/dpkg/status", STATUS.encode())
    assert installed_packages(tree) == {"one", "four"}
    tree.remove("/var/lib/dpkg/status")
    assert installed_packages(tree) == frozenset()


ASKS = {
    "locale": Customizations(locale=Locale(languages=("C.UTF-8",))),
    "cacerts": Customizations(cacerts=CaCerts(("x",))),
    "keyboard": Customizations(locale=Locale(keyboard="de")),
    "hostname": Customizations(hostname="web"),
    "timezone": Customizations(timezone=Timezone()),
    "group": Customizations(group=(Group("g"),)),
    "user": Customizations(user=(User("u"),)),
    "sshkey": Customizations(sshkey=(SshKey("root", "k 1"),)),
    "directories": Customizations(directories=(Directory("/srv/x"),)),
    "files": Customizations(files=(File("/srv/x", data=""),)),
    "sysctl": Customizations(sysctl={"a.b": "1"}),
    "sshd": Customizations(sshd=Sshd()),
    "firewall": Customizations(firewall=Firewall()),
    "services": Customizations(services=Services()),
}


def test_every_row_has_a_case() -> None:
    assert [row.name for row in CUSTOMIZATIONS] == list(ASKS)


def test_every_field_of_the_recipe_has_a_row_but_the_kernels_command_line() -> None:
    """That one stands in the boot loader's configuration."""
    fields = {field.name for field in dataclasses.fields(Customizations)}
    assert fields - {"kernel"} == {row.name for row in CUSTOMIZATIONS} - {"keyboard"}


@pytest.mark.parametrize("name", ASKS)
def test_a_row_applies_where_the_recipe_asks_and_only_there(name: str) -> None:
    applying = {row.name for row in CUSTOMIZATIONS if row.applies(ASKS[name])}
    assert applying == ({name, "services"} if name == "firewall" else {name})
    assert not any(row.applies(Customizations()) for row in CUSTOMIZATIONS)


def test_a_recipe_in_one_go_and_what_it_declares(tree: Root, install: Installer, recorder: Recorder) -> None:
    install("sudo", "nftables")
    tree.mkdir("/usr/lib/systemd/system", parents=True)
    tree.mkdir("/etc/sudoers.d")
    tree.write("/usr/lib/systemd/system/nftables.service", b"")
    asked = Customizations(
        hostname="web",
        group=(Group("deploy"),),
        user=(User("alice", groups=("deploy",), key="k 1", sudo=True), User("root", key="k 2")),
        directories=(Directory("/srv/app", user="alice", group="deploy"),),
        files=(File("/srv/app/page", data="x", user="alice"),),
        firewall=Firewall(("ssh",)),
    )
    apply_all(asked, tree, run=recorder, directory=tree.directory, seed="plan", epoch=0)
    assert tree.stat("/srv/app/page").st_uid == 1000
    assert recorder.commands == [["systemctl", "enable", "nftables.service"]]
    assert declared_paths(asked, tree) == {
        "/etc/hostname",
        "/etc/hosts",
        "/etc/sudoers.d/90-goldsmith-alice",
        "/home/alice/.ssh/authorized_keys",
        "/root/.ssh/authorized_keys",
        "/srv/app",
        "/srv/app/page",
    }


def test_rows_can_be_applied_apart(tree: Root) -> None:
    lengthy = [row for row in CUSTOMIZATIONS if row.is_lengthy]
    assert [row.name for row in lengthy] == ["locale", "cacerts"]
    asked = Customizations(hostname="web", locale=Locale(languages=("C.UTF-8",)))
    apply_all(asked, tree, run=nothing_runs, directory=tree.directory, seed="", epoch=0, rows=lengthy)
    assert tree.exists("/etc/locale.conf")
    assert not tree.exists("/etc/hostname")
