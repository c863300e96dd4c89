"""Account files: pure changes, and the same lines as the real useradd and groupadd."""

import itertools
import os
import shutil
import stat
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldsmith.builder.customize import groups, users
from goldsmith.builder.customize.accounts import (
    Passwd,
    next_id,
    row_named,
    rows,
    with_member,
    with_row,
    with_subordinate_ids,
)
from goldsmith.builder.customize.login_defs import LoginDefs, parse_login_defs
from goldsmith.effects.root import Root
from goldsmith.errors import InputError, Place
from goldsmith.model.recipe import Group, User

EPOCH = 1_700_000_000
FILES = ("passwd", "group", "shadow", "gshadow", "subuid", "subgid")
HASH = "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"
BASH = ("-m", "-s", "/bin/bash")

LIKE_USERADD = {
    "a user": (["useradd", *BASH, "alice"], [User("alice")]),
    "a user with a number": (["useradd", *BASH, "-u", "4000", "alice"], [User("alice", uid=4000)]),
    "a user with a number below the ordinary": (
        ["useradd", *BASH, "-u", "500", "alice"],
        [User("alice", uid=500)],
    ),
    "a group": (["groupadd", "deploy"], [Group("deploy")]),
    "a group with a number": (["groupadd", "-g", "1500", "deploy"], [Group("deploy", 1500)]),
    "two groups": (["groupadd", "one", ";", "groupadd", "two"], [Group("one"), Group("two")]),
    "two users": (["useradd", *BASH, "alice", ";", "useradd", *BASH, "bob"], [User("alice"), User("bob")]),
    "a user after a group took the number": (
        ["groupadd", "deploy", ";", "useradd", *BASH, "alice"],
        [Group("deploy"), User("alice")],
    ),
    "a user in further groups": (
        ["useradd", *BASH, "-G", "sudo,adm", "alice"],
        [User("alice", groups=("sudo", "adm"))],
    ),
    "two users in one group": (
        ["useradd", *BASH, "-G", "sudo", "alice", ";", "useradd", *BASH, "-G", "sudo", "bob"],
        [User("alice", groups=("sudo",)), User("bob", groups=("sudo",))],
    ),
    "a user whose name is a group's": (
        ["groupadd", "alice", ";", "useradd", *BASH, "-g", "alice", "alice"],
        [Group("alice"), User("alice")],
    ),
    "a user with an existing primary group": (
        ["useradd", *BASH, "-g", "100", "alice"],
        [User("alice", gid=100)],
    ),
    "a user with a full name, a home elsewhere and an end": (
        ["useradd", *BASH, "-c", "Alice A.", "-d", "/srv/alice", "-e", "2030-01-01", "alice"],
        [User("alice", description="Alice A.", home="/srv/alice", expiredate=21915)],
    ),
    "a user with a hash": (["useradd", *BASH, "-p", HASH, "alice"], [User("alice", password=HASH)]),
    "a user after a gap of numbers": (
        ["useradd", *BASH, "-u", "1005", "alice", ";", "useradd", *BASH, "bob"],
        [User("alice", uid=1005), User("bob")],
    ),
}


def apply(tree: Root, wanted: Sequence[User | Group]) -> None:
    groups.apply(tree, [row for row in wanted if isinstance(row, Group)])
    users.apply(tree, [row for row in wanted if isinstance(row, User)], seed="plan", epoch=EPOCH)


def homes(directory: Path) -> list[tuple[str, str, int, int]]:
    found = []
    for top in ("home", "srv"):
        for path in sorted((directory / top).rglob("*")):
            facts = path.lstat()
            found.append(
                (str(path.relative_to(directory)), stat.filemode(facts.st_mode), facts.st_uid, facts.st_gid)
            )
    return found


@pytest.mark.parametrize(("commands", "wanted"), LIKE_USERADD.values(), ids=LIKE_USERADD)
def test_the_same_lines_and_homes_as_the_real_programs(
    tree: Root, tmp_path: Path, commands: list[str], wanted: list[User | Group]
) -> None:
    if shutil.which("useradd") is None:
        pytest.skip("this host has no useradd: install passwd")
    real = tmp_path / "real"
    shutil.copytree(tree.directory, real, symlinks=True)
    line: list[str] = []
    for word in [*commands, ";"]:
        if word != ";":
            line.append(word)
            continue
        subprocess.run(
            # useradd takes the skeleton from the host, whatever the prefix.
            [
                line[0],
                "--prefix",
                str(real),
                *(["-k", str(real / "etc/skel")] if "-m" in line else []),
                *line[1:],
            ],
            env={**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH)},
            check=True,
        )
        line = []
    apply(tree, wanted)
    for name in FILES:
        assert tree.read_text(f"/etc/{name}") == (real / "etc" / name).read_text(), name
    owned = [row for row in homes(real) if not row[0].endswith(".link")]
    assert [row for row in homes(tree.directory) if not row[0].endswith(".link")] == owned


def test_modes_and_owners_of_the_account_files_stay(tree: Root) -> None:
    apply(tree, [User("alice")])
    facts = tree.stat("/etc/shadow")
    assert (stat.S_IMODE(facts.st_mode), facts.st_uid, facts.st_gid) == (0o640, 0, 42)


def test_a_missing_shadow_file_is_not_readable_by_all(tree: Root) -> None:
    tree.remove("/etc/shadow")
    apply(tree, [User("alice")])
    facts = tree.stat("/etc/shadow")
    assert (stat.S_IMODE(facts.st_mode), facts.st_gid) == (0o640, 42)


def test_without_subordinate_files_none_are_made(tree: Root) -> None:
    tree.remove("/etc/subuid")
    tree.remove("/etc/gshadow")
    apply(tree, [User("alice", groups=("sudo",))])
    assert not tree.exists("/etc/subuid")
    assert not tree.exists("/etc/gshadow")
    assert "sudo:x:27:alice\n" in tree.read_text("/etc/group")


def test_who_asks_for_a_number_is_served_first(tree: Root) -> None:
    apply(tree, [User("alice"), User("bob", uid=1000), Group("g"), Group("h", 1000)])
    passwd = tree.read_text("/etc/passwd")
    assert row_named(passwd, Passwd, "bob") is not None
    assert [row.uid for row in rows(passwd, Passwd) if row.name in {"alice", "bob"}] == ["1000", "1001"]


def test_an_account_that_exists_is_changed(tree: Root) -> None:
    before = tree.read_text("/etc/passwd")
    apply(
        tree,
        [User("www-data", shell="/bin/bash", key="ssh-ed25519 AAAA", groups=("adm",), password="secret")],
    )
    changed = before.replace("/var/www:/usr/sbin/nologin", "/var/www:/bin/bash")
    assert tree.read_text("/etc/passwd") == changed
    assert "adm:x:4:www-data\n" in tree.read_text("/etc/group")
    assert "www-data:$6$" in tree.read_text("/etc/shadow")
    assert tree.read_text("/var/www/.ssh/authorized_keys") == "ssh-ed25519 AAAA\n"
    facts = tree.stat("/var/www/.ssh/authorized_keys")
    assert (stat.S_IMODE(facts.st_mode), facts.st_uid, facts.st_gid) == (0o600, 33, 33)


def test_a_plain_password_is_hashed_alike_in_every_build(tree: Root, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(tree.directory, other, symlinks=True)
    apply(tree, [User("alice", password="correct horse")])
    with Root(other) as second:
        apply(second, [User("alice", password="correct horse")])
        assert second.read("/etc/shadow") == tree.read("/etc/shadow")
    assert "correct horse" not in tree.read_text("/etc/shadow")


def test_a_password_that_must_be_changed_was_last_changed_on_day_zero(tree: Root) -> None:
    apply(tree, [User("alice", password=HASH, force_password_reset=True)])
    assert f"alice:{HASH}:0:0:99999:7:::\n" in tree.read_text("/etc/shadow")


PLACE = Place("web.yaml", 7, 5)
REFUSED = {
    "a group that does not exist": (
        User("alice", groups=("sudoo",), where=PLACE),
        "user 'alice' shall be in group 'sudoo', which does not exist in the image",
        "did you mean 'sudo'?",
    ),
    "a group unlike any": (
        User("alice", groups=("zzz",), where=PLACE),
        "user 'alice' shall be in group 'zzz', which does not exist in the image",
        "add it under customizations.group, or add the package that makes it",
    ),
    "a number that is taken": (
        User("alice", uid=33, where=PLACE),
        "uid 33 of user 'alice' is taken by user 'www-data'",
        "leave out the uid, or choose one that is free",
    ),
    "another number than the account has": (
        User("www-data", uid=1000, where=PLACE),
        "user 'www-data' exists in the image with uid 33; the recipe says 1000",
        "leave out the uid, or choose another name",
    ),
    "another group number than the account has": (
        User("www-data", gid=1000, where=PLACE),
        "user 'www-data' exists in the image with gid 33; the recipe says 1000",
        "leave out the gid, or choose another name",
    ),
    "a shell that is not there": (
        User("alice", shell="/usr/bin/zsh", where=PLACE),
        "the shell '/usr/bin/zsh' of user 'alice' is not in the image",
        "add its package to packages, or choose /bin/bash",
    ),
    "sudo that is not installed": (
        User("alice", sudo=True, where=PLACE),
        "user 'alice' has sudo: true, but sudo is not installed in the image",
        "add sudo to packages",
    ),
    "a home where a file is": (
        User("alice", home="/etc/passwd", where=PLACE),
        "the home directory '/etc/passwd' cannot be made: a file of that name is in the image",
        "choose another home",
    ),
    "a group number that is taken": (
        Group("deploy", 27, where=PLACE),
        "gid 27 of group 'deploy' is taken by group 'sudo'",
        "leave out the gid, or choose one that is free",
    ),
    "another number than the group has": (
        Group("sudo", 1000, where=PLACE),
        "group 'sudo' exists in the image with gid 27; the recipe says 1000",
        "leave out the gid, or choose another name",
    ),
}


@pytest.mark.parametrize(("wanted", "message", "hint"), REFUSED.values(), ids=REFUSED)
def test_refused(tree: Root, wanted: User | Group, message: str, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        apply(tree, [wanted])
    assert (caught.value.message, caught.value.hint, caught.value.where) == (message, hint, PLACE)


def test_no_number_is_free(tree: Root) -> None:
    tree.append("/etc/login.defs", b"UID_MIN 33\nUID_MAX 33\n")
    with pytest.raises(InputError, match="no uid is free for user 'alice' between 33 and 33"):
        apply(tree, [User("alice")])


def test_sudo_without_a_password(tree: Root, install: object) -> None:
    assert callable(install)
    install("sudo")
    tree.mkdir("/etc/sudoers.d", mode=0o750)
    apply(tree, [User("alice", sudo=True)])
    path = "/etc/sudoers.d/90-goldsmith-alice"
    assert tree.read_text(path) == "alice ALL=(ALL:ALL) NOPASSWD: ALL\n"
    assert stat.S_IMODE(tree.stat(path).st_mode) == 0o440
    if shutil.which("visudo"):
        subprocess.run(
            ["visudo", "-c", "-f", str(tree.directory / path[1:])], check=True, capture_output=True
        )


NAMES = st.text("abcdefgh", min_size=1, max_size=6)


@given(lines=st.lists(st.text("abc:+-# \t", max_size=20)), name=NAMES)
def test_lines_that_are_not_understood_stay(lines: list[str], name: str) -> None:
    text = "".join(f"{line}\n" for line in lines if line.split(":")[0] != name)
    row = Passwd(name, "x", "1", "1", "", "/", "/bin/sh")
    assert with_row(text, row) == f"{text}{':'.join(row)}\n"


@given(used=st.sets(st.integers(0, 30)), first=st.integers(5, 10), last=st.integers(10, 20))
def test_the_next_number_is_free_and_in_the_range(used: set[int], first: int, last: int) -> None:
    number = next_id(used, first, last)
    if number is None:
        assert used >= set(range(first, last + 1))
    else:
        assert number not in used
        assert first <= number <= last


@given(st.lists(NAMES, unique=True))
def test_subordinate_ranges_never_overlap(names: list[str]) -> None:
    text = "old:100100:70000\n"
    for name in names:
        text = with_subordinate_ids(text, name, 100_000, 65_536)
        assert with_subordinate_ids(text, name, 100_000, 65_536) == text
    ranges = sorted(
        (int(low), int(low) + int(count)) for _, low, count in (line.split(":") for line in text.split())
    )
    assert len(ranges) == len(names) + 1
    assert all(first[1] <= second[0] for first, second in itertools.pairwise(ranges))


@given(st.lists(NAMES), NAMES)
def test_a_member_is_there_once(members: list[str], name: str) -> None:
    assert with_member(with_member(",".join(members), name), name).split(",").count(name) == max(
        members.count(name), 1
    )


def test_login_defs_are_read_as_c_reads_them() -> None:
    text = "HOME_MODE 0750\nUID_MIN\t500 # low\nUID_MAX 0x1000\nPASS_MAX_DAYS -1\nGID_MIN abc\nFOO 1 2\n"
    assert parse_login_defs(text) == LoginDefs(home_mode=0o750, uid_min=500, uid_max=0x1000, pass_max_days=-1)


def test_rows_pass_over_what_is_no_account() -> None:
    assert [row.name for row in rows("+::::::\n#x\na:x:1:1::/:/bin/sh\n:x:1:1::/:/bin/sh\n", Passwd)] == [
        "+",
        "a",
    ]
