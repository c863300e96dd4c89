"""The recipe as its own oracle: every customization is asserted, and each script sees what it should on a real system."""

import grp
import os
import pwd
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from goldsmith.assay.prove.oracle import all_expectations, judged
from goldsmith.builder.customize.table import CUSTOMIZATIONS, expectations
from goldsmith.model.customizations import Directory, File, Group, User
from goldsmith.model.proof import Expectation, Standing
from goldsmith.model.recipe import Customizations, Recipe
from goldsmith.recipe.read import read_recipe

FULL = """\
name: full
version: 1.0.0
from: debian:trixie
packages: [nginx, tzdata=2025b-4, -snapd]
remove: {packages: [tzdata], paths: [/etc/issue, "/var/log/*"]}
customizations:
  hostname: web1
  timezone: {timezone: Europe/Berlin, ntpservers: [time.example.org]}
  locale: {languages: [de_DE.UTF-8], keyboard: de}
  user:
    - {name: ops, uid: 1500, groups: [adm], shell: /bin/sh, sudo: true, password: $6$a$b, key: ssh-ed25519 AAAA x}
  group: [{name: team, gid: 2000}]
  sshkey: [{user: root, key: ssh-ed25519 AAAA y}]
  directories: [{path: /srv/data, mode: 0750}]
  files: [{path: /etc/motd, data: hello}]
  sysctl: {net.core.somaxconn: 1024}
  sshd: {password_authentication: false, permit_root_login: "no"}
  firewall: {ports: [22:tcp]}
  cacerts: {pem_certs: ["-----BEGIN CERTIFICATE-----\\nAAAA\\n-----END CERTIFICATE-----\\n"]}
  services: {enabled: [nginx], disabled: [cron], masked: [apt-daily.timer]}
  kernel: {append: quiet mitigations=auto}
"""


@pytest.fixture
def full(tmp_path: Path) -> Recipe:
    (tmp_path / "recipe.yaml").write_text(FULL)
    return read_recipe(tmp_path / "recipe.yaml")


def runs(item: Expectation) -> str:
    """What the script prints on this host."""
    done = subprocess.run(["sh", "-c", item.script], capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).strip()


@pytest.mark.parametrize("row", CUSTOMIZATIONS, ids=lambda row: row.name)
def test_every_customization_is_asserted(full: Recipe, row: object) -> None:
    (known,) = (item for item in CUSTOMIZATIONS if item is row)
    assert known.applies(full.customizations)
    assert list(known.expected(full.customizations, Path(full.directory)))


def test_what_is_asserted_of_a_full_recipe(full: Recipe) -> None:
    names = [item.name for item in all_expectations(full)]
    assert len(names) == len(set(names))
    wanted = {
        "package nginx is installed",
        "package snapd is not there",
        "package tzdata is removed",
        "host name web1",
        "time zone Europe/Berlin",
        "time server time.example.org",
        "locale de_DE.UTF-8",
        "keyboard de",
        "user ops",
        "user ops is in adm",
        "user ops may sudo",
        "user ops has the password",
        "group team",
        "user root has the SSH key",
        "directory /srv/data",
        "content of /etc/motd",
        "sysctl net.core.somaxconn",
        "sshd permitrootlogin no",
        "firewall drops by default",
        "firewall lets 22:tcp in",
        "authority 1 is trusted",
        "nginx.service is enabled",
        "nginx.service runs",
        "cron.service is disabled",
        "apt-daily.timer is masked",
        "kernel argument mitigations=auto",
        "/etc/issue is removed",
    }
    assert wanted <= set(names)


def test_every_script_is_sound_shell(full: Recipe) -> None:
    for item in all_expectations(full):
        done = subprocess.run(["sh", "-n", "-c", item.script], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), item.name


def test_passwords_are_in_no_script(full: Recipe) -> None:
    assert all("$6$a$b" not in item.script + item.wanted for item in all_expectations(full))


def mine(tmp_path: Path) -> Customizations:
    """What is so on this host."""
    user = pwd.getpwuid(os.getuid())
    owner, group = user.pw_name, grp.getgrgid(os.getgid()).gr_name
    (tmp_path / "file").write_text("hello")
    (tmp_path / "file").chmod(0o640)
    (tmp_path / "directory").mkdir(mode=0o755)
    (tmp_path / "empty").write_text("")
    (tmp_path / "empty").chmod(0o600)
    return Customizations(
        hostname=Path("/proc/sys/kernel/hostname").read_text().strip(),
        user=(User(user.pw_name, uid=user.pw_uid, home=user.pw_dir, shell=user.pw_shell, groups=(group,)),),
        group=(Group(group, os.getgid()),),
        files=(
            File(str(tmp_path / "file"), data="hello", mode=0o640, user=owner, group=str(os.getgid())),
            File(str(tmp_path / "empty"), data="", mode=0o600, user=str(os.getuid()), group=group),
        ),
        directories=(Directory(str(tmp_path / "directory"), mode=0o755, user=owner, group=group),),
        sysctl={
            "kernel.ostype": "Linux",
            "net.ipv4.ip_local_port_range": Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(),
        },
    )


def test_what_is_so_is_found_so(tmp_path: Path) -> None:
    expected = list(expectations(mine(tmp_path), tmp_path))
    assert len(expected) > 10
    wrong = [
        (item.name, runs(item))
        for item in expected
        if judged(item, runs(item)).standing is not Standing.PASSED
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("spoil", "name"),
    [
        pytest.param(
            lambda asked: replace(asked, hostname="other"), "host name other", id="another host name"
        ),
        pytest.param(
            lambda asked: replace(asked, group=(Group("root", 77),)),
            "group root",
            id="another number of a group",
        ),
        pytest.param(
            lambda asked: replace(asked, group=(Group("nobody-has-it"),)),
            "group nobody-has-it",
            id="a missing group",
        ),
        pytest.param(
            lambda asked: replace(asked, user=(User("nobody-is-it"),)),
            "user nobody-is-it",
            id="a missing user",
        ),
        pytest.param(
            lambda asked: replace(asked, sysctl={"kernel.ostype": "Plan9"}),
            "sysctl kernel.ostype",
            id="another sysctl",
        ),
        pytest.param(
            lambda asked: replace(asked, sysctl={"kernel.nothing": "1"}),
            "sysctl kernel.nothing",
            id="no such sysctl",
        ),
        pytest.param(
            lambda asked: replace(asked, files=(File("/nowhere", data="x"),)),
            "file /nowhere",
            id="a missing file",
        ),
        pytest.param(
            lambda asked: replace(asked, files=(replace(asked.files[0], data="bye"),)),
            "content of FILE",
            id="another content",
        ),
        pytest.param(
            lambda asked: replace(asked, files=(replace(asked.files[0], mode=0o644),)),
            "file FILE",
            id="another mode",
        ),
        pytest.param(
            lambda asked: replace(asked, directories=(replace(asked.directories[0], user="daemon"),)),
            "directory DIRECTORY",
            id="another owner",
        ),
    ],
)
def test_what_is_not_so_is_found(tmp_path: Path, spoil: object, name: str) -> None:
    assert callable(spoil)
    asked = spoil(mine(tmp_path))
    meant = name.replace("FILE", str(tmp_path / "file")).replace("DIRECTORY", str(tmp_path / "directory"))
    wrong = [
        item.name
        for item in expectations(asked, tmp_path)
        if judged(item, runs(item)).standing is Standing.FAILED
    ]
    assert meant in wrong
