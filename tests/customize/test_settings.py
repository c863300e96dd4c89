"""Host name, time zone, languages, keyboard, sysctl, sshd and certificates."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest

from goldsmith.builder.customize import cacerts, hostname, keyboard, locale, sshd, sysctl, timezone
from goldsmith.builder.customize.locale import with_languages
from goldsmith.builder.customize.run_in_tree import RunInTree
from goldsmith.effects.process import run as run_on_host
from goldsmith.effects.root import Root
from goldsmith.errors import InputError, Place
from goldsmith.model.recipe import CaCerts, Sshd, Timezone


class Recorder(RunInTree, Protocol):
    """The fixture ``recorder``: runs nothing, writes down."""

    commands: list[list[str]]


PLACE = Place("web.yaml", 4, 2)
LOCAL = "127.0.0.1\tlocalhost\n::1\tlocalhost\n"
Installer = Callable[..., None]


@pytest.mark.parametrize(
    ("hosts", "name", "expected"),
    [
        pytest.param(
            LOCAL, "web", "127.0.0.1\tlocalhost\n127.0.1.1\tweb\n::1\tlocalhost\n", id="after localhost"
        ),
        pytest.param("", "web", "127.0.1.1\tweb\n", id="an empty file"),
        pytest.param(
            "127.0.1.1 old\n1.2.3.4 x", "web", "127.0.1.1\tweb\n1.2.3.4 x\n", id="an old name is replaced"
        ),
        pytest.param(
            "", "web.example.org", "127.0.1.1\tweb.example.org web\n", id="a full name has a short one"
        ),
    ],
)
def test_hosts(hosts: str, name: str, expected: str) -> None:
    assert hostname.with_host_name(hosts, name) == expected
    assert hostname.with_host_name(expected, name) == expected


def test_the_host_name_wins_over_cloud_init(tree: Root, install: Installer) -> None:
    install("cloud-init")
    hostname.apply(tree, "web")
    assert tree.read_text("/etc/hostname") == "web\n"
    assert "preserve_hostname: true" in tree.read_text(hostname.CLOUD_INIT)


@pytest.fixture
def zones(tree: Root, install: Installer) -> None:
    install("tzdata")
    for name in ("Europe/Berlin", "Europe/Paris", "Etc/UTC", "UTC"):
        tree.mkdir(f"/usr/share/zoneinfo/{name}".rsplit("/", 1)[0], parents=True)
        tree.write(f"/usr/share/zoneinfo/{name}", b"TZif2")


@pytest.mark.usefixtures("zones")
def test_the_zone_is_a_link(tree: Root) -> None:
    tree.write("/etc/timezone", b"Etc/UTC\n")
    tree.symlink("/etc/localtime", "/usr/share/zoneinfo/UTC")
    timezone.apply(tree, Timezone("Europe/Berlin"))
    assert tree.readlink("/etc/localtime") == "/usr/share/zoneinfo/Europe/Berlin"
    assert tree.read_text("/etc/timezone") == "Europe/Berlin\n"


@pytest.mark.usefixtures("zones")
@pytest.mark.parametrize(
    ("zone", "hint"),
    [
        pytest.param("Europe/Berln", "did you mean 'Europe/Berlin'", id="a typing error"),
        pytest.param("europe/berlin", "did you mean 'Europe/Berlin'", id="the wrong case"),
        pytest.param("Mars/Base", "names are as in Europe/Berlin", id="a name unlike any"),
        pytest.param("Europe", "did you mean 'Europe/Paris' or 'Europe/Berlin'?", id="a directory"),
    ],
)
def test_an_unknown_zone(tree: Root, zone: str, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        timezone.apply(tree, Timezone(zone, where=PLACE))
    assert caught.value.message == f"the time zone {zone!r} is not in the image's /usr/share/zoneinfo"
    assert caught.value.hint.startswith(hint)
    assert caught.value.where == PLACE


def test_utc_needs_no_tzdata_and_others_do(tree: Root) -> None:
    timezone.apply(tree, Timezone("UTC"))
    with pytest.raises(InputError) as caught:
        timezone.apply(tree, Timezone("Europe/Berlin", where=PLACE))
    assert (
        caught.value.message
        == "the time zone 'Europe/Berlin' needs tzdata, which is not installed in the image"
    )


SERVERS = {
    "timesyncd": (("systemd-timesyncd",), timezone.TIMESYNCD, "[Time]\nNTP=a.invalid b.invalid\n"),
    "chrony": (("chrony",), timezone.CHRONY, "server a.invalid iburst\nserver b.invalid iburst\n"),
}


@pytest.mark.parametrize(("packages", "path", "text"), SERVERS.values(), ids=SERVERS)
def test_time_servers(
    tree: Root, install: Installer, packages: tuple[str, ...], path: str, text: str
) -> None:
    install(*packages)
    timezone.apply(tree, Timezone("UTC", ("a.invalid", "b.invalid")))
    assert tree.read_text(path) == f"# Written by goldsmith from the recipe.\n{text}"


@pytest.mark.parametrize(
    ("server", "message"),
    [
        pytest.param(
            "a.invalid", "neither systemd-timesyncd nor chrony is installed", id="nothing can use it"
        ),
        pytest.param("a b", "the time server 'a b' is no host name", id="two words"),
        pytest.param("", "the time server '' is no host name", id="empty"),
    ],
)
def test_time_servers_refused(tree: Root, server: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        timezone.apply(tree, Timezone("UTC", (server,), where=PLACE))


SUPPORTED = "de_DE.UTF-8 UTF-8\nde_DE ISO-8859-1\nde_DE@euro ISO-8859-15\nen_US.UTF-8 UTF-8\n# x\n"
GENERATED = "# This file lists locales\n# de_DE ISO-8859-1\n# de_DE.UTF-8 UTF-8\nfr_FR.UTF-8 UTF-8\n"


def test_languages_are_generated_and_the_first_is_the_default(
    tree: Root, install: Installer, recorder: Recorder
) -> None:
    install("locales")
    tree.mkdir("/usr/share/i18n", parents=True)
    tree.write("/usr/share/i18n/SUPPORTED", SUPPORTED.encode())
    tree.write("/etc/locale.gen", GENERATED.encode())
    tree.write("/etc/default/locale", b"LANG=C\n")
    locale.apply(tree, ("de_DE.UTF-8", "C.UTF-8", "en_US.UTF-8"), run=recorder, where=None)
    assert tree.read_text("/etc/locale.gen") == (
        "# This file lists locales\n# de_DE ISO-8859-1\nde_DE.UTF-8 UTF-8\n# fr_FR.UTF-8 UTF-8\nen_US.UTF-8 UTF-8\n"
    )
    assert recorder.commands == [["locale-gen"]]
    assert tree.read_text("/etc/locale.conf") == tree.read_text("/etc/default/locale") == "LANG=de_DE.UTF-8\n"
    assert tree.readlink("/etc/default/locale") == "../locale.conf"


def test_the_same_languages_again_change_nothing() -> None:
    wanted = {"de_DE.UTF-8": "UTF-8", "en_US.UTF-8": "UTF-8"}
    once = with_languages(GENERATED, wanted)
    assert with_languages(once, wanted) == once


def test_the_built_in_language_needs_no_package(tree: Root, recorder: Recorder) -> None:
    locale.apply(tree, ("C.UTF-8",), run=recorder, where=None)
    assert recorder.commands == []
    assert tree.read_text("/etc/locale.conf") == "LANG=C.UTF-8\n"


@pytest.mark.parametrize(
    ("language", "hint"),
    [
        pytest.param("de_DE.utf8", "did you mean 'de_DE.UTF-8'?", id="another spelling"),
        pytest.param("en_US", "did you mean 'en_US.UTF-8'?", id="no character set"),
        pytest.param("de_DF.UTF-8", "did you mean 'de_DE.UTF-8'", id="a typing error"),
        pytest.param("klingon", "names are as in de_DE.UTF-8", id="unlike any"),
    ],
)
def test_an_unknown_language(
    tree: Root, install: Installer, recorder: Recorder, language: str, hint: str
) -> None:
    install("locales")
    tree.mkdir("/usr/share/i18n", parents=True)
    tree.write("/usr/share/i18n/SUPPORTED", SUPPORTED.encode())
    with pytest.raises(InputError) as caught:
        locale.apply(tree, (language,), run=recorder, where=PLACE)
    assert caught.value.message == f"the language {language!r} is unknown to the image's C library"
    assert caught.value.hint.startswith(hint)


def test_languages_need_the_package_locales(tree: Root, recorder: Recorder) -> None:
    with pytest.raises(InputError) as caught:
        locale.apply(tree, ("de_DE.UTF-8",), run=recorder, where=PLACE)
    assert (
        caught.value.message
        == "the language 'de_DE.UTF-8' needs the package locales, which is not installed in the image"
    )
    assert caught.value.hint == "add locales to packages"


def test_all_locales_need_no_generating(tree: Root, install: Installer, recorder: Recorder) -> None:
    install("locales-all")
    locale.apply(tree, ("de_DE.UTF-8",), run=recorder, where=None)
    assert recorder.commands == []


LAYOUTS = "! model\n  pc105 x\n\n! layout\n  de  German\n  us  English\n\n! variant\n  nodeadkeys de: x\n"
KEYBOARD = '# KEYBOARD\n\nXKBMODEL="pc104"\nXKBLAYOUT="us"\nXKBVARIANT="intl"\n'


def test_the_keyboard_by_console_setup(tree: Root, install: Installer) -> None:
    install("console-setup", "keyboard-configuration")
    tree.mkdir("/usr/share/X11/xkb/rules", parents=True)
    tree.write(keyboard.LAYOUTS, LAYOUTS.encode())
    tree.write(keyboard.SETTINGS, KEYBOARD.encode())
    tree.mkdir("/etc/console-setup")
    tree.write("/etc/console-setup/cached_setup_keyboard.sh", b"loadkeys us\n")
    tree.write("/etc/console-setup/remap.inc", b"")
    keyboard.apply(tree, "de", where=None)
    assert (
        tree.read_text(keyboard.SETTINGS) == '# KEYBOARD\n\nXKBMODEL="pc104"\nXKBLAYOUT="de"\nXKBVARIANT=""\n'
    )
    assert tree.listdir("/etc/console-setup") == ["remap.inc"]
    with pytest.raises(InputError, match="the keyboard layout 'dee' is not in the image"):
        keyboard.apply(tree, "dee", where=PLACE)


def test_the_keyboard_by_kbd(tree: Root, install: Installer) -> None:
    install("kbd")
    for path in ("/usr/share/keymaps/i386/qwertz/de.kmap.gz", keyboard.VCONSOLE_PROGRAM):
        tree.mkdir(path.rsplit("/", 1)[0], parents=True)
        tree.write(path, b"")
    keyboard.apply(tree, "de", where=None)
    assert tree.read_text("/etc/vconsole.conf") == "KEYMAP=de\n"


def test_a_keyboard_needs_a_package(tree: Root) -> None:
    with pytest.raises(InputError) as caught:
        keyboard.apply(tree, "de", where=PLACE)
    assert (
        caught.value.message == "the keyboard 'de' needs console-setup, which is not installed in the image"
    )


def test_sysctl_is_sorted_by_key(tree: Root) -> None:
    sysctl.apply(
        tree, {"net.ipv4.ip_forward": "1", "kernel.sysrq": " 0 ", "-net/ipv4/conf/eth0.1/rp_filter": "1"}
    )
    assert tree.read_text(sysctl.PATH) == (
        "# Written by goldsmith from the recipe.\n-net/ipv4/conf/eth0.1/rp_filter = 1\nkernel.sysrq = 0\nnet.ipv4.ip_forward = 1\n"
    )


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        pytest.param("ip_forward", "1", "the sysctl key 'ip_forward' is malformed", id="a word alone"),
        pytest.param("net ipv4", "1", "the sysctl key 'net ipv4' is malformed", id="a space"),
        pytest.param(
            "a.b\nc.d", "1", "the sysctl key 'a.b\\nc.d' is malformed", id="a line break in the key"
        ),
        pytest.param(
            "a.b",
            "1\nc.d=2",
            "the value '1\\nc.d=2' of sysctl key 'a.b' is not one line of text",
            id="two lines",
        ),
        pytest.param("a.b", " ", "the value ' ' of sysctl key 'a.b' is not one line of text", id="no value"),
    ],
)
def test_sysctl_refused(key: str, value: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        sysctl.render({key: value})
    assert caught.value.message == message


SSHD = {
    "all": (
        Sshd(password_authentication=False, kbd_interactive_authentication=True, permit_root_login="prohibit-password", client_alive_interval=60),
        "PasswordAuthentication no\nKbdInteractiveAuthentication yes\nPermitRootLogin prohibit-password\nClientAliveInterval 60\n",
    ),
    "zero is a value": (Sshd(client_alive_interval=0), "ClientAliveInterval 0\n"),
    "nothing": (Sshd(), ""),
}  # fmt: skip


@pytest.mark.parametrize(("asked", "text"), SSHD.values(), ids=SSHD)
def test_sshd(tree: Root, tmp_path: Path, install: Installer, asked: Sshd, text: str) -> None:
    install("openssh-server")
    sshd.apply(tree, asked)
    assert tree.read_text(sshd.PATH) == f"# Written by goldsmith from the recipe.\n{text}"
    program = shutil.which("sshd", path="/usr/sbin")
    if program:
        key = tmp_path / "key"
        run_on_host(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)])
        run_on_host([program, "-t", "-h", str(key), "-f", str(tree.directory / sshd.PATH[1:])])


def test_sshd_needs_a_server(tree: Root) -> None:
    with pytest.raises(InputError) as caught:
        sshd.apply(tree, Sshd(password_authentication=False, where=PLACE))
    assert (
        caught.value.message
        == "the recipe sets the SSH server, but openssh-server is not installed in the image"
    )
    assert caught.value.where == PLACE


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> str:
    directory = tmp_path_factory.mktemp("ca")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=test",
         "-keyout", str(directory / "key"), "-out", str(directory / "ca.pem")],
        check=True, capture_output=True,
    )  # fmt: skip
    return (directory / "ca.pem").read_text()


def test_certificates_are_files_named_by_digest(
    tree: Root, install: Installer, recorder: Recorder, certificate: str
) -> None:
    install("ca-certificates")
    cacerts.apply(tree, CaCerts((f"A comment\n{certificate}", certificate)), run=recorder)
    names = tree.listdir(cacerts.DIRECTORY)
    assert len(names) == 1
    assert names[0].startswith("goldsmith-")
    assert tree.read_text(f"{cacerts.DIRECTORY}/{names[0]}") == certificate
    assert recorder.commands == [["update-ca-certificates"]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("hello", "certificate 1 of pem_certs is no certificate in PEM: 'hello'…", id="no PEM"),
        pytest.param(
            "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----",
            "certificate 1 of pem_certs is damaged: '!!!'…",
            id="no base64",
        ),
        pytest.param(
            "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----",
            "certificate 1 of pem_certs is damaged: 'aGVsbG8='…",
            id="no DER",
        ),
    ],
)
def test_certificates_refused(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        cacerts.certificates(text, 1, where=PLACE)
    assert caught.value.message == message


def test_certificates_need_a_package(tree: Root, recorder: Recorder) -> None:
    with pytest.raises(InputError) as caught:
        cacerts.apply(tree, CaCerts(("x",), where=PLACE), run=recorder)
    assert caught.value.hint == "add ca-certificates to packages"
