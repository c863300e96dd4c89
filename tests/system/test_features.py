"""What a recipe can say, built for real and looked for on the disk."""

import hashlib
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.lock.server import serving
from tests.system.conftest import TINY, Tiny
from tests.system.driver import Said, goldsmith
from tests.system.inside import disk_of, index, read
from tests.system.recipes import write_rich

from goldsmith.builder import layers
from goldsmith.store.home import Home

pytestmark = pytest.mark.image
CANARY = "canary-5b1d0e-secret"


def component(*commands: str) -> str:
    """A component document with one ExecuteBash step."""
    lines = "".join(f"            - {command}\n" for command in commands)
    return (
        "name: Component\nschemaVersion: 1.0\nphases:\n  - name: build\n    steps:\n"
        f"      - name: Do\n        action: ExecuteBash\n        inputs:\n          commands:\n{lines}"
    )


def write(directory: Path, tiny: Tiny, recipe: str, **components: str) -> Path:
    """A recipe of the smallest image's packages, with its lock."""
    directory.mkdir(exist_ok=True)
    (directory / "recipe.yaml").write_text(TINY.replace("name: tiny", "name: feature") + recipe)
    for name, text in components.items():
        (directory / f"{name}.yml").write_text(text)
    tiny.lock(directory)
    return directory


def build(directory: Path, tiny: Tiny, *words: str, **how: Any) -> Said:
    return goldsmith("build", "recipe.yaml", "--json", *words, home=tiny.home, cwd=directory, **how)


def test_many_customizations_are_on_the_disk(tiny: Tiny, tmp_path: Path) -> None:
    facts = build(write_rich(tmp_path / "rich", tiny), tiny).json
    tree = index(tiny.home, facts)
    assert read(tiny.home, facts, "/etc/hostname") == "rich.example.invalid\n"
    assert "net.core.somaxconn" in read(tiny.home, facts, "/etc/sysctl.d/99-goldsmith.conf")
    passwd = dict(line.split(":", 1) for line in read(tiny.home, facts, "/etc/passwd").splitlines())
    assert passwd["ops"].startswith("x:2001:")
    assert "/srv/ops" in passwd["ops"]
    shadow = dict(line.split(":", 2)[:2] for line in read(tiny.home, facts, "/etc/shadow").splitlines())
    assert shadow["ops"].startswith("$6$")
    assert shadow["locked"] == "!"
    assert tree["/etc/rich/one.conf"][2:5] == [0o600, 2001, 2000]
    assert read(tiny.home, facts, "/etc/rich/one.conf") == "one\n"
    assert tree["/srv/data"][2:5] == [0o2770, 0, 2000]
    assert read(tiny.home, facts, "/etc/motd") == "welcome\n"
    assert read(tiny.home, facts, "/opt/made/linked") == "1\n"
    assert "IMAGE_ID=rich\n" in read(tiny.home, facts, "/usr/lib/os-release").replace('"', "")
    assert "IMAGE_VERSION=1.0.0\n" in read(tiny.home, facts, "/usr/lib/os-release").replace('"', "")


@pytest.mark.parametrize("kind", ["env", "file"])
def test_a_secret_is_seen_by_its_step_and_kept_nowhere(kind: str, tiny: Tiny, tmp_path: Path) -> None:
    where = "env: FEATURE_TOKEN" if kind == "env" else "file: token.txt"
    recipe = (
        f"secrets:\n  - {{name: token, {where}}}\n"
        "components:\n  - {path: with.yml, secrets: [token]}\n  - without.yml\n"
    )
    directory = write(
        tmp_path / kind,
        tiny,
        recipe,
        **{
            "with": component(
                "sha256sum </run/secrets/token >/etc/token.sha256",
                "cat /run/secrets/token",
                "stat --format=%a:%u /run/secrets/token >/etc/token.mode",
            ),
            "without": component("test ! -e /run/secrets/token"),
        },
    )
    (directory / "token.txt").write_text(CANARY)
    done = build(directory, tiny, env={"FEATURE_TOKEN": CANARY})
    facts = done.json
    assert len(read(tiny.home, facts, "/etc/token.sha256")) > 64
    assert read(tiny.home, facts, "/etc/token.mode") == "400:0\n"
    assert CANARY not in done.stdout + done.stderr
    (directory / "token.txt").unlink()
    assert_nowhere(CANARY.encode(), [directory, disk_of(tiny.home, facts), tiny.home / "logs"])
    assert_nowhere(
        CANARY.encode(), [tiny.home / name for name in ("cache/layers", "builds", "locks", "work")]
    )


def assert_nowhere(secret: bytes, directories: list[Path]) -> None:
    """No file below the directories holds the bytes."""
    for directory in directories:
        for path in directory.rglob("*"):
            if path.is_file() and not path.is_symlink():
                assert not holds(path, secret), f"the secret is in {path}"


def holds(path: Path, secret: bytes) -> bool:
    """Whether a file's bytes have the secret, also across blocks; holes are skipped."""
    with path.open("rb") as stream:
        position, size = 0, os.fstat(stream.fileno()).st_size
        while position < size:
            try:
                position = os.lseek(stream.fileno(), position, os.SEEK_DATA)
            except OSError:
                return False
            stream.seek(position)
            block = stream.read(1 << 20)
            if secret in block:
                return True
            position += max(1, len(block) - len(secret)) if len(block) == 1 << 20 else max(1, len(block))
    return False


def test_the_search_for_secrets_finds_one(tmp_path: Path) -> None:
    """The canary of the search itself: deep in a sparse file, across the border of a block."""
    with (tmp_path / "disk.raw").open("wb") as stream:
        stream.truncate(64 << 20)
        stream.seek((33 << 20) - 3)
        stream.write(CANARY.encode())
    with pytest.raises(AssertionError, match=r"disk\.raw"):
        assert_nowhere(CANARY.encode(), [tmp_path])


def test_with_the_network_an_image_is_marked(tiny: Tiny, tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        port = server.server_address[1]
        ask = f"exec 3<>/dev/tcp/127.0.0.1/{port}; printf 'GET /asked HTTP/1.0\\r\\n\\r\\n' >&3; head -1 <&3 >/etc/answer"
        recipe = "components:\n  - {path: ask.yml, network: true}\n"
        facts = build(write(tmp_path / "net", tiny, recipe, ask=component(ask)), tiny).json
        assert "/asked" in server.asked
    assert facts["reproducible"] is False
    assert "component 1 ask.yml used the network: the image is marked not reproducible" in facts["warnings"]
    assert read(tiny.home, facts, "/etc/answer").startswith("HTTP/1.1 404")


def test_without_the_network_the_same_fails(tiny: Tiny, tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        port = server.server_address[1]
        ask = component(f"exec 3<>/dev/tcp/127.0.0.1/{port}")
        done = build(write(tmp_path / "net", tiny, "components: [ask.yml]\n", ask=ask), tiny)
        assert server.asked == []
    assert done.code == 6
    assert "Connection refused" in done.stderr


def test_a_reboot_and_a_started_service_are_recorded_and_the_build_goes_on(
    tiny: Tiny, tmp_path: Path
) -> None:
    text = component(
        "if [ -e /etc/once ]; then echo twice >/etc/twice; exit 0; fi", "touch /etc/once", "exit 194"
    )
    more = "      - name: Again\n        action: Reboot\n        inputs: {delaySeconds: 1}\n"
    start = component(
        "systemctl start systemd-timesyncd.service || true", "systemctl enable getty@tty3.service"
    )
    recipe = "components: [reboot.yml, start.yml]\n"
    directory = write(tmp_path / "reboot", tiny, recipe, reboot=text + more, start=start)
    facts = build(directory, tiny).json
    tree = index(tiny.home, facts)
    assert "/etc/twice" in tree
    assert tree["/etc/systemd/system/getty.target.wants/getty@tty3.service"][1] == "symlink"


def test_variables_and_includes_make_another_image(tiny: Tiny, tmp_path: Path) -> None:
    recipe = "include: [more.yaml]\nvariables: {colour: red}\ncustomizations:\n  hostname: ${colour}\n"
    directory = write(tmp_path / "vars", tiny, recipe)
    (directory / "more.yaml").write_text(
        "labels: {from: fragment}\ncustomizations:\n  sysctl: {vm.swappiness: 1}\n"
    )
    for words, hostname in (((), "red"), (("--set", "colour=green"), "green")):
        facts = build(directory, tiny, *words).json
        assert read(tiny.home, facts, "/etc/hostname") == f"{hostname}\n"
        assert "vm.swappiness" in read(tiny.home, facts, "/etc/sysctl.d/99-goldsmith.conf")


def test_what_is_removed_is_not_on_the_disk(tiny: Tiny, tmp_path: Path) -> None:
    recipe = "remove:\n  docs: true\n  locales: true\n  paths: [/usr/share/zoneinfo/A*]\n"
    facts = build(write(tmp_path / "remove", tiny, recipe), tiny).json
    tree, before = index(tiny.home, facts), index(tiny.home, tiny.facts)
    assert any(path.startswith("/usr/share/man/man1/") for path in before)
    assert not any(path.startswith("/usr/share/man/man1/") for path in tree)
    assert "/usr/share/doc/bash/copyright" in tree
    assert len(tree) < len(before)


@pytest.mark.parametrize(
    ("disk", "partitions"),
    [("{boot: uefi}", 2), ("{boot: bios}", 2), ("{size: 4 GiB}", 3), ("{root: erofs}", 3)],
    ids=["UEFI only", "BIOS only", "four GiB", "an erofs root"],
)
def test_disks_of_every_kind_are_made(disk: str, partitions: int, tiny: Tiny, tmp_path: Path) -> None:
    directory = write(tmp_path / "disk", tiny, f"disk: {disk}\n")
    facts = build(directory, tiny).json
    raw = disk_of(tiny.home, facts)
    with raw.open("rb") as stream:
        stream.seek(1024)
        table = stream.read(16384)
    entries = [table[n : n + 128] for n in range(0, len(table), 128)]
    assert sum(entry[:16] != bytes(16) for entry in entries) == partitions
    if "4 GiB" in disk:
        assert raw.stat().st_size == 4 << 30
    again = build(directory, tiny, "--no-cache").json
    assert again["disk_digest"] == facts["disk_digest"]


def test_a_compiler_never_ships(tiny: Tiny, tmp_path: Path) -> None:
    compiled = component(
        "printf 'int main(void) { return 42; }' >/tmp/a.c", "gcc -o /usr/bin/answer /tmp/a.c"
    )
    recipe = (
        "stages:\n  - name: build\n    packages: [gcc, libc6-dev]\n    components: [compile.yml]\n"
        "copy_from:\n  - {stage: build, source: /usr/bin/answer, destination: /usr/local/bin/answer}\n"
        "components: [use.yml]\n"
    )
    use = component(
        "code=0; /usr/local/bin/answer || code=$?; test $code = 42", "if command -v gcc; then exit 1; fi"
    )
    directory = write(tmp_path / "stage", tiny, recipe, compile=compiled, use=use)
    facts = build(directory, tiny, "--update-lock").json
    tree = index(tiny.home, facts)
    assert tree["/usr/local/bin/answer"][2] & 0o111
    assert not {"/usr/bin/gcc", "/usr/bin/cc", "/usr/bin/ld", "/usr/include/stdio.h"} & tree.keys()


def test_a_download_with_a_checksum_is_kept_for_offline_builds(tiny: Tiny, tmp_path: Path) -> None:
    (tmp_path / "served").mkdir()
    (tmp_path / "served/tool").write_text("a tool\n")
    with serving(tmp_path / "served") as server:
        digest = hashlib.sha256(b"a tool\n").hexdigest()
        text = (
            "name: Get\nschemaVersion: 1.0\nphases:\n  - name: build\n    steps:\n      - name: Get\n"
            "        action: WebDownload\n        inputs:\n"
            f"          - source: {server.address}/tool\n            destination: /opt/tool\n"
            f"            checksum: {digest}\n            algorithm: SHA256\n"
        )
        directory = write(tmp_path / "download", tiny, "components: [get.yml]\n", get=text)
        facts = build(directory, tiny, "--update-lock").json
        assert read(tiny.home, facts, "/opt/tool") == "a tool\n"
        assert facts["reproducible"] is True
        asked = len(server.asked)
        # On another machine, with the committed locks: the download is fetched again.
        (tiny.home / f"packages/sha256/{digest[:2]}/{digest}").unlink(missing_ok=True)
        again = build(directory, tiny, "--no-cache").json
        assert again["disk_digest"] == facts["disk_digest"]
        assert len(server.asked) > asked
    offline = build(directory, tiny, "--no-cache", "--offline").json
    assert offline["disk_digest"] == facts["disk_digest"]


def test_a_removed_package_is_gone_with_its_files_and_its_record(tiny: Tiny, tmp_path: Path) -> None:
    recipe = "remove:\n  packages: [systemd-repart]\n"
    facts = build(write(tmp_path / "purge", tiny, recipe), tiny).json
    tree, before = index(tiny.home, facts), index(tiny.home, tiny.facts)
    assert {
        "/usr/bin/systemd-repart",
        "/var/lib/dpkg/info/systemd-repart.list",
    } <= before.keys() - tree.keys()
    assert "\nPackage: systemd-repart\n" in read(tiny.home, tiny.facts, "/var/lib/dpkg/status")
    assert "\nPackage: systemd-repart\n" not in read(tiny.home, facts, "/var/lib/dpkg/status")
    assert "/usr/bin/systemctl" in tree


NEEDY = """\
packages: [ca-certificates, console-setup, locales, netbase, nftables, openssh-server, systemd-timesyncd, tzdata]
customizations:
  hostname: needy
  timezone: {timezone: Europe/Berlin, ntpservers: [time.example.invalid]}
  locale: {languages: [de_DE.UTF-8], keyboard: de}
  firewall: {ports: ["8080:tcp"], services: {enabled: [ssh]}}
  sshd: {permit_root_login: "no"}
  services: {enabled: [nftables], masked: [getty@tty2]}
  cacerts: {pem_certs: ["CERTIFICATE"]}
"""
"""Each of these customizations needs a package that the smallest image does not have."""


def certificate(room: Path) -> str:
    """A certificate of an authority of one's own, as YAML has it within double quotes."""
    words = ["-x509", "-newkey", "ed25519", "-nodes", "-subj", "/CN=A test", "-keyout", "/dev/null"]
    done = subprocess.run(["openssl", "req", *words], cwd=room, capture_output=True, text=True, check=True)
    return done.stdout.replace("\n", "\\n")


@pytest.mark.slow
def test_customizations_that_need_more_packages_go_together(tiny: Tiny, tmp_path: Path) -> None:
    recipe = NEEDY.replace("CERTIFICATE", certificate(tmp_path))
    directory = write(tmp_path / "needy", tiny, recipe)
    facts = build(directory, tiny, "--update-lock").json
    tree = index(tiny.home, facts)

    def text(path: str) -> str:
        return read(tiny.home, facts, path)

    assert tree["/etc/localtime"][8] == "/usr/share/zoneinfo/Europe/Berlin"
    assert "LANG=de_DE.UTF-8" in text("/etc/locale.conf")
    assert "/usr/lib/locale/locale-archive" in tree
    assert 'XKBLAYOUT="de"' in text("/etc/default/keyboard")
    assert "8080" in text("/etc/nftables.conf")
    assert any("time.example.invalid" in text(path) for path in tree if "timesyncd.conf.d/" in path)
    assert any(
        "PermitRootLogin no" in text(path) for path in tree if path.startswith("/etc/ssh/sshd_config.d/")
    )
    assert len([path for path in tree if path.startswith("/usr/local/share/ca-certificates/")]) == 1
    assert "/etc/systemd/system/sysinit.target.wants/nftables.service" in tree
    assert tree["/etc/systemd/system/getty@tty2.service"][8] == "/dev/null"
    assert not [path for path in tree if path.startswith("/etc/ssh/ssh_host_")]
    again = build(directory, tiny, "--no-cache").json
    assert again["disk_digest"] == facts["disk_digest"]


def test_what_a_component_put_off_is_recorded(tiny: Tiny, tmp_path: Path) -> None:
    """A reboot and a started service: neither happens in a build, and both are told."""
    reboot = (
        component("true") + "      - name: Again\n        action: Reboot\n        inputs: {delaySeconds: 7}\n"
    )
    start = component("systemctl start systemd-timesyncd.service", "systemctl restart cron nginx.service")
    directory = write(
        tmp_path / "recorded", tiny, "components: [reboot.yml, start.yml]\n", reboot=reboot, start=start
    )
    facts = build(directory, tiny).json
    keys = {step["name"]: step["key"] for step in facts["steps"]}

    def results() -> list[layers.Layer | None]:
        names = ("component 1 reboot.yml", "component 2 start.yml")
        return [layers.load(Home(tiny.home), keys[name]) for name in names]

    if not all(results()):  # an image outlives the layers that it was made from
        build(directory, tiny, "--no-cache")
    assert [layer.notes["recorded"] for layer in results() if layer] == [
        ["reboot after 7 s: the image is not running, so the next step follows"],
        ["systemctl start systemd-timesyncd.service", "systemctl restart cron nginx.service"],
    ]
