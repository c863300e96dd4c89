"""What dpkg is told of packages whose files are in place."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.builder.byhand import build, unpacked

from goldsmith.builder import dpkg
from goldsmith.builder.install import conffiles, mark_automatic, need_installed, write_database
from goldsmith.effects.root import Root
from goldsmith.errors import StepFailed


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Root]:
    (tmp_path / "tree").mkdir()
    with Root(tmp_path / "tree") as root:
        yield root


MD5 = hashlib.md5(b"mine").hexdigest()


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        pytest.param("/etc/mine", {"/etc/mine": MD5}, id="an own file"),
        pytest.param("/etc/mine\n\n/etc/other", {"/etc/mine": MD5}, id="not what the package does not have"),
        pytest.param("/etc/link", {}, id="not what a link leads to"),
        pytest.param("/../../etc/passwd", {}, id="not what lies outside"),
        pytest.param(
            "remove-on-upgrade /etc/old",
            {"/etc/old": "newconffile remove-on-upgrade"},
            id="one that is given up, as dpkg notes it",
        ),
    ],
)
def test_configuration_files(tmp_path: Path, declared: str, expected: dict[str, str]) -> None:
    made = unpacked(
        build(tmp_path, "p", {"etc/mine": b"mine", "etc/link": "/etc/passwd"}, scripts={"triggers": ""})
    )
    (made.control / "conffiles").write_text(declared + "\n")
    made = type(made)(
        type(made.package)(made.package.fields, frozenset({"conffiles"}), made.package.entries),
        made.sha256,
        made.deb,
        made.root,
        made.control,
    )
    assert conffiles(made) == expected


def status(tree: Root) -> dict[str, dict[str, str]]:
    return {s["Package"]: s for s in dpkg.parse_stanzas(tree.read_text("/var/lib/dpkg/status"))}


def test_a_later_package_fires_the_triggers_of_an_earlier_one(tree: Root, tmp_path: Path) -> None:
    triggers = {"triggers": "interest-noawait /usr/share/x\ninterest own-name\n"}
    first = unpacked(build(tmp_path, "first", {"etc/a": b""}, scripts=triggers))
    write_database(tree, [first])
    assert status(tree)["first"]["Status"] == "install ok unpacked"
    assert tree.read_text("/var/lib/dpkg/triggers/File") == "/usr/share/x first/noawait\n"
    assert tree.read_text("/var/lib/dpkg/triggers/own-name") == "first\n"
    text = tree.read_text("/var/lib/dpkg/status")
    tree.write("/var/lib/dpkg/status", text.replace("ok unpacked", "ok installed").encode())
    need_installed(tree, log=tmp_path / "log")
    write_database(tree, [unpacked(build(tmp_path, "second", {"usr/share/x/y": b""}))])
    found = status(tree)
    assert (found["first"]["Status"], found["first"]["Triggers-Pending"]) == (
        "install ok triggers-pending",
        "/usr/share/x",
    )
    assert found["second"]["Status"] == "install ok unpacked"
    with pytest.raises(StepFailed) as caught:
        need_installed(tree, log=tmp_path / "log")
    assert caught.value.message == (
        "dpkg has left packages half-installed: first (triggers-pending), second (unpacked)"
    )


def test_packages_of_the_same_group_fire_nothing(tree: Root, tmp_path: Path) -> None:
    first = unpacked(build(tmp_path, "a", {"etc/a": b""}, scripts={"triggers": "interest /usr/share/x\n"}))
    write_database(tree, [first, unpacked(build(tmp_path, "b", {"usr/share/x/y": b""}))])
    assert {s["Status"] for s in status(tree).values()} == {"install ok unpacked"}


def test_apt_is_told_what_came_as_a_dependency(tree: Root) -> None:
    mark_automatic(tree, ["libc6 amd64", "tzdata all"], architecture="amd64")
    assert tree.read_text("/var/lib/apt/extended_states") == (
        "Package: libc6\nArchitecture: amd64\nAuto-Installed: 1\n\n"
        "Package: tzdata\nArchitecture: amd64\nAuto-Installed: 1\n\n"
    )
