"""Everything that a disk gives away is found where it lies; what a package ships is not."""

import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.assay.leaks import disk, secrets
from tests.assay.leaks.disk import Disk
from tests.fixtures_images import Goldsmith

TOOLS = ("mke2fs", "debugfs", "sfdisk", "mkfs.vfat", "mcopy", "qemu-img")
pytestmark = pytest.mark.skipif(
    any(shutil.which(tool) is None for tool in TOOLS), reason=f"needs {', '.join(TOOLS)}"
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Disk:
    return disk.make(tmp_path_factory.mktemp("disk"))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


Leaks = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def leaks(goldsmith: Goldsmith, home: Path) -> Leaks:
    """What ``goldsmith leaks --json`` says; exit code 1 is checked against what it says."""

    def ask(ref: str | Path) -> dict[str, Any]:
        done = goldsmith("leaks", ref, "--json", home=home)
        assert done.returncode in {0, 1}, done.stderr
        found = json.loads(done.stdout)
        assert isinstance(found, dict)
        assert found["ok"] == (done.returncode == 0)
        return found

    return ask


@pytest.fixture(scope="module")
def report(leaks: Leaks, made: Disk) -> dict[str, Any]:
    return leaks(made.path)


def at(report: dict[str, Any], **wanted: object) -> list[dict[str, Any]]:
    return [
        item for item in report["findings"] if all(item.get(name) == value for name, value in wanted.items())
    ]


IN_FILES = {
    "a machine's identity": ("machine-id", "/etc/machine-id"),
    "a host key, as a trace": ("ssh-host-keys", "/etc/ssh/ssh_host_ed25519_key"),
    "a host key, as a secret": ("private-key", "/etc/ssh/ssh_host_ed25519_key"),
    "a token": ("github-pat", "/etc/app.conf"),
    "credentials in a home that is not below /home": ("cloud-credentials", "/srv/bob/.netrc"),
    "the same as a secret": ("netrc", "/srv/bob/.netrc"),
    "a token across the seam of two chunks": ("gitlab-pat", "/opt/large"),
    "an example that its package does not ship so": ("private-key", disk.ALTERED),
}


@pytest.mark.parametrize(("kind", "path"), IN_FILES.values(), ids=IN_FILES)
def test_in_files(report: dict[str, Any], kind: str, path: str) -> None:
    (found,) = at(report, kind=kind, path=path)
    assert found["where"] == "file"


def test_a_secrets_offset_in_its_file(report: dict[str, Any]) -> None:
    (found,) = at(report, kind="gitlab-pat")
    assert found["offset"] == disk.FILES["/opt/large"].index(secrets.GITLAB)


OUTSIDE: dict[str, tuple[str, str, Callable[[Disk], int]]] = {
    "a deleted key": ("private-key", "free-block", lambda made: made.deleted),
    "a token behind a file's end": ("slack-bot-token", "free-block", lambda made: made.slack),
    "a token in the journal": ("stripe-access-token", "journal", lambda made: made.journal),
    "a key in swap": ("age-secret-key", "partition", lambda made: made.swap),
    "a token between partitions": ("gcp-api-key", "partition", lambda made: made.gap),
    "deleted data, the first of it": ("deleted-data", "free-block", lambda made: made.slack),
    "what is left in the journal": ("old-journal", "journal", lambda made: made.journal),
}


@pytest.mark.parametrize(("kind", "where", "place"), OUTSIDE.values(), ids=OUTSIDE)
def test_outside_files(
    report: dict[str, Any], made: Disk, kind: str, where: str, place: Callable[[Disk], int]
) -> None:
    assert [(item["where"], item["offset"]) for item in at(report, kind=kind) if "path" not in item] == [
        (where, place(made))
    ]


def test_a_boot_loaders_seed_on_the_esp(report: dict[str, Any]) -> None:
    (found,) = at(report, kind="random-seed")
    assert (found["path"], found["partition"]) == ("/loader/random-seed", "partition 2")


def test_nothing_else_is_found(report: dict[str, Any]) -> None:
    kinds = {kind for kind, _ in IN_FILES.values()} | {kind for kind, _, _ in OUTSIDE.values()}
    assert {item["kind"] for item in report["findings"]} == {*kinds, "random-seed"}
    assert at(report, path=disk.EXAMPLE) == []
    assert at(report, path="/etc/hostname") == at(report, path="/var/log/wtmp") == []
    assert "MD5" in "".join(report["notes"])


def test_excerpts_give_nothing_away(report: dict[str, Any]) -> None:
    text = json.dumps(report)
    tokens = (secrets.GITHUB, secrets.GITLAB, secrets.SLACK, secrets.STRIPE, secrets.AGE, secrets.GOOGLE)
    hidden = [
        *(token[8:16] for token in tokens),
        disk.KEY.split("\n")[1][:8],
        disk.DELETED.split("\n")[3][:8],
    ]
    assert [part for part in hidden if part in text] == []
    assert "0123456789abcdef" not in text


@pytest.mark.parametrize("name", ["qcow2", "vmdk", "vpc", "vhdx", "vdi"])
def test_every_format_gives_the_same(
    leaks: Leaks, made: Disk, report: dict[str, Any], name: str, tmp_path: Path
) -> None:
    path = tmp_path / f"disk.{name}"
    subprocess.run(["qemu-img", "convert", "-O", name, made.path, path], check=True)
    assert leaks(path)["findings"] == report["findings"]


def test_an_archive_of_the_root_gives_what_is_in_its_files(
    leaks: Leaks, made: Disk, report: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "root.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(made.path.parent / "tree", arcname=".")
    expected = [item for item in report["findings"] if "path" in item and "partition" not in item]
    assert leaks(path)["findings"] == expected


def make_store(_: Disk, path: Path) -> None:
    path.mkdir()
    (path / "oci-layout").touch()


def test_a_directory_gives_what_is_in_its_files(
    leaks: Leaks, made: Disk, report: dict[str, Any], tmp_path: Path
) -> None:
    tree = tmp_path / "tree"
    shutil.copytree(made.path.parent / "tree", tree)
    (tmp_path / "outside").write_text(f"{secrets.SLACK}\n")
    (tree / "srv/sparse").write_text("." * 5000)
    os.truncate(tree / "srv/sparse", 1 << 42)
    (tree / "srv/away").symlink_to(tmp_path / "outside")
    (tree / "etc/resolv.conf").symlink_to("/" + "../" * 20 + str(tmp_path / "outside"))
    os.mkfifo(tree / "srv/pipe")
    expected = [item for item in report["findings"] if "path" in item and "partition" not in item]
    assert leaks(tree)["findings"] == expected


def test_a_disk_gives_the_same_when_it_is_imported(
    goldsmith: Goldsmith, home: Path, leaks: Leaks, made: Disk, report: dict[str, Any]
) -> None:
    goldsmith("import", made.path, "--name", "vendor", "--version", "1.0.0", home=home)
    assert leaks("vendor")["findings"] == report["findings"]


def test_an_archive_gives_the_same_when_it_is_imported(
    goldsmith: Goldsmith, home: Path, leaks: Leaks, made: Disk, tmp_path: Path
) -> None:
    path = tmp_path / "root.tar"
    with tarfile.open(path, "w") as archive:
        archive.add(made.path.parent / "tree", arcname=".")
    goldsmith("import", path, "--name", "archive", "--version", "1.0.0", home=home)
    findings = leaks(path)["findings"]
    assert findings
    assert leaks("archive")["findings"] == findings


BAD: dict[str, tuple[Callable[[Disk, Path], object], str]] = {
    "no image": (lambda _, path: path.write_bytes(b"hello\n" * 1000), "it is no image"),
    "an empty file": (lambda _, path: path.touch(), "it is no image"),
    "a raw disk that was cut off": (
        lambda made, path: path.write_bytes(made.path.read_bytes()[: 50 << 20]),
        "partition 3 reaches from byte",
    ),
    "nothing at all": (lambda *_: None, "cannot be read: No such file"),
    "a directory": (lambda _, path: path.mkdir(), "is a directory without a system"),
    "a pipe": (lambda _, path: os.mkfifo(path), "is no ordinary file"),
    "a store": (make_store, "is a directory of OCI images"),
}


@pytest.mark.parametrize(("make", "message"), BAD.values(), ids=BAD)
def test_bad_input(
    goldsmith: Goldsmith,
    home: Path,
    made: Disk,
    tmp_path: Path,
    make: Callable[[Disk, Path], object],
    message: str,
) -> None:
    path = tmp_path / "given"
    make(made, path)
    done = goldsmith("leaks", path, home=home)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert "hint: " in done.stderr


@pytest.mark.parametrize("name", ["qcow2", "vmdk", "vdi", "vhdx", "vpc"])
def test_a_file_that_was_cut_off(
    goldsmith: Goldsmith, home: Path, made: Disk, tmp_path: Path, name: str
) -> None:
    whole, part = tmp_path / "whole", tmp_path / "part"
    subprocess.run(["qemu-img", "convert", "-O", name, made.path, whole], check=True)
    part.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    done = goldsmith("leaks", part, home=home)
    assert (done.returncode, done.stdout) == (2, ""), done.stdout
    assert f"goldsmith: {part}: " in done.stderr


def test_an_unknown_image(goldsmith: Goldsmith, home: Path) -> None:
    done = goldsmith("leaks", "nobody", home=home)
    assert done.returncode == 2
    assert "there is no image 'nobody'" in done.stderr


def test_what_cannot_be_read_is_no_clean_bill(leaks: Leaks, tmp_path: Path) -> None:
    path = tmp_path / "encrypted.raw"
    path.write_bytes(b"LUKS\xba\xbe" + bytes(1 << 20) + f"\n{secrets.GITHUB}\n".encode() + bytes(1 << 20))
    report = leaks(path)
    assert (report["ok"], report["complete"]) == (False, False)
    assert [item["kind"] for item in report["findings"]] == ["github-pat"]


CLOSED = {
    "LUKS": (0, b"LUKS\xba\xbe"),
    "xfs": (0, b"XFSB"),
    "btrfs": (0x10040, b"_BHRfS_M"),
    "LVM": (512, b"LABELONE"),
}


@pytest.mark.parametrize(("at", "mark"), CLOSED.values(), ids=CLOSED)
def test_a_partition_beside_the_system_that_cannot_be_read_is_no_clean_bill(
    goldsmith: Goldsmith,
    home: Path,
    leaks: Leaks,
    made: Disk,
    report: dict[str, Any],
    tmp_path: Path,
    request: pytest.FixtureRequest,
    at: int,
    mark: bytes,
) -> None:
    path = tmp_path / "disk.raw"
    shutil.copyfile(made.path, path)
    with path.open("r+b") as stream:
        stream.seek(disk.SWAP_AT)
        stream.write((bytes(at) + mark).ljust(8192, b"\0"))
    name = request.node.callspec.id
    found = leaks(path)
    assert found["complete"] is False
    assert f"partition 4 holds {name}: no file" in "".join(found["notes"])
    assert at_paths(found) == at_paths(report)
    goldsmith("import", path, "--name", f"beside-{name.lower()}", "--version", "1.0.0", home=home)
    assert leaks(f"beside-{name.lower()}")["complete"] is False


SYSTEM = {"etc/os-release": "ID=debian\n", "etc/passwd": "", "etc/hostname": "localhost\n"}
BAKED = {"etc/machine-id": "0123456789abcdef0123456789abcdef\n", "root/token": f"{secrets.GITHUB}\n"}
SEVERAL = {
    "two systems": (
        [SYSTEM, SYSTEM | BAKED],
        {("machine-id", "/etc/machine-id", "partition 2"), ("github-pat", "/root/token", "partition 2")},
    ),
    "a system and data": ([SYSTEM, {"token": secrets.GITHUB}], {("github-pat", "/token", "partition 2")}),
    "data alone": ([{"token": secrets.GITHUB}], {("github-pat", "/token", "partition 1")}),
    "a system that does not say its name": (
        [BAKED],
        {("machine-id", "/etc/machine-id", "partition 1"), ("github-pat", "/root/token", "partition 1")},
    ),
    "one that mounts what is not known": (
        [SYSTEM | {"etc/fstab": "PARTLABEL=data /data ext4 defaults 0 0\n"} | BAKED],
        {("machine-id", "/etc/machine-id", ""), ("github-pat", "/root/token", "")},
    ),
}


@pytest.mark.parametrize(("trees", "expected"), SEVERAL.values(), ids=SEVERAL)
def test_a_disk_with_several_systems_or_none(
    leaks: Leaks, tmp_path: Path, trees: list[dict[str, str]], expected: set[tuple[str, str, str]]
) -> None:
    path = tmp_path / "disk.raw"
    with path.open("wb") as stream:
        stream.truncate((len(trees) + 1) * 20 * disk.MIB)
    rows = [f"start={1 + 20 * number}MiB, size=16MiB, type=L" for number in range(len(trees))]
    rows.append(f"start={1 + 20 * len(trees)}MiB, size=8MiB, type=L, name=data")
    subprocess.run(["sfdisk", "-q", path], input="\n".join(["label: gpt", *rows]), text=True, check=True)
    for number, files in enumerate(trees):
        tree, made_of = tmp_path / f"tree-{number}", tmp_path / f"{number}.ext4"
        for name, text in files.items():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).write_text(text)
        disk.run("mke2fs", "-q", "-t", "ext4", "-d", tree, made_of, "16M")
        with path.open("r+b") as stream:
            stream.seek((1 + 20 * number) * disk.MIB)
            stream.write(made_of.read_bytes())
    report = leaks(path)
    found = {(item["kind"], item["path"], item.get("partition", "")) for item in report["findings"]}
    assert found == expected
    assert report["complete"] == ("etc/fstab" not in trees[0])
    assert report["files"] == sum(map(len, trees))


def at_paths(report: dict[str, Any]) -> list[str]:
    return [item["path"] for item in report["findings"] if "path" in item]
