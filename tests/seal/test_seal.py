"""Every trace is found and removed; what a recipe declares, and what packages need, stays."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.seal import traces

from goldsmith.builder.seal.certificate import certify, from_json, to_json
from goldsmith.builder.seal.homes import home_directories
from goldsmith.builder.seal.operation import Operation
from goldsmith.builder.seal.run import Residue, prove, seal
from goldsmith.builder.seal.table import OPERATIONS
from goldsmith.effects.root import Root
from goldsmith.errors import IntegrityError, UsageError
from goldsmith.model import seal as model

HOMES = ("/root", "/home/alice", "/var/lib/postgresql", "/home/left-behind")
PASSWD = """\
root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
postgres:x:110:110::/var/lib/postgresql:/bin/bash
alice:x:1000:1000::/home/alice:/bin/bash
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
"""


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Root]:
    for name in (*HOMES, "/etc", "/usr/sbin"):
        (tmp_path / "tree" / name[1:]).mkdir(parents=True)
    (tmp_path / "tree/etc/passwd").write_text(PASSWD)
    (tmp_path / "tree/etc/machine-id").write_text("uninitialized\n")
    (tmp_path / "tree/etc/machine-id").chmod(0o444)
    with Root(tmp_path / "tree") as root:
        yield root


def places(operation: Operation) -> list[str]:
    """A path for every pattern of an operation, in every home."""
    return traces.places(operation, HOMES)


def plant(tree: Root, path: str, token: str, *, uid: int = 0) -> None:
    tree.mkdir(path.rsplit("/", 1)[0], parents=True)
    tree.write(path, f"{token}\n".encode(), uid=uid, gid=0)


def holding(tree: Root, token: str) -> list[str]:
    """All files whose content has a token."""
    regular = [path for path, facts in tree.walk() if stat.S_ISREG(facts.st_mode)]
    return [path for path in regular if token.encode() in tree.read(path)]


def test_there_are_sixty_operations_and_more_each_with_its_own_name() -> None:
    names = [operation.name for operation in OPERATIONS]
    assert len(set(names)) == len(names) >= 60
    assert all(operation.summary.endswith(".") and operation.matches for operation in OPERATIONS)


@pytest.mark.parametrize("operation", OPERATIONS, ids=[operation.name for operation in OPERATIONS])
def test_a_planted_token_is_found_and_removed_by_its_own_operation(tree: Root, operation: Operation) -> None:
    token = f"TOKEN-{operation.name}"
    for path in places(operation):
        plant(tree, path, token)
    planted = holding(tree, token)
    assert planted == sorted(set(places(operation)), key=lambda path: path.split("/")), (
        "without sealing all are found"
    )
    residues = prove(tree)
    report = {sealed.operation: sealed.removed for sealed in seal(tree)}
    if not operation.default:
        assert holding(tree, token) == planted
        assert report[operation.name] == ()
        return
    assert {residue.operation for residue in residues} == {operation.name}
    assert holding(tree, token) == []
    assert prove(tree) == ()
    for path in planted:
        assert any(path == removed or path.startswith(f"{removed}/") for removed in report[operation.name])


def test_everything_at_once_and_twice_the_same(tree: Root) -> None:
    for operation in OPERATIONS:
        if operation.default:
            for path in places(operation):
                plant(tree, path, "TOKEN")
    assert len(holding(tree, "TOKEN")) > 300
    seal(tree)
    assert holding(tree, "TOKEN") == []
    assert prove(tree) == ()
    before = [(path, facts.st_mode, facts.st_mtime_ns) for path, facts in tree.walk()]
    assert all(not sealed.removed for sealed in seal(tree))
    assert [(path, facts.st_mode, facts.st_mtime_ns) for path, facts in tree.walk()] == before


@pytest.mark.parametrize("operation", OPERATIONS, ids=[operation.name for operation in OPERATIONS])
def test_a_kept_operation_is_said_to_be_kept(tree: Root, operation: Operation) -> None:
    for path in places(operation):
        plant(tree, path, "TOKEN")
    kept = seal(tree, keep=frozenset({operation.name}))
    assert [sealed for sealed in kept if sealed.operation == operation.name and sealed.kept]
    assert all(not sealed.removed for sealed in kept)
    assert len(holding(tree, "TOKEN")) == len(set(places(operation)))
    assert {residue.operation for residue in prove(tree)} <= {operation.name}
    assert prove(tree, keep=frozenset({operation.name})) == ()


def test_proving_changes_nothing(tree: Root) -> None:
    plant(tree, "/etc/ssh/ssh_host_rsa_key", "TOKEN")
    plant(tree, "/var/log/syslog", "TOKEN")
    before = [path for path, _ in tree.walk()]
    assert prove(tree) == (
        Residue("ssh-host-keys", "/etc/ssh/ssh_host_rsa_key"),
        Residue("logs", "/var/log/syslog"),
    )
    assert [path for path, _ in tree.walk()] == before


MACHINE_IDS = {
    "an identity": (b"0123456789abcdef0123456789abcdef\n", 0o444),
    "empty": (b"", 0o444),
    "writable": (b"uninitialized\n", 0o644),
    "missing": (None, 0),
}


@pytest.mark.parametrize(("content", "mode"), MACHINE_IDS.values(), ids=MACHINE_IDS)
def test_the_machine_id_is_uninitialized(tree: Root, content: bytes | None, mode: int) -> None:
    tree.remove("/etc/machine-id")
    if content is not None:
        tree.write("/etc/machine-id", content, mode=mode)
        assert prove(tree) == (Residue("machine-id", "/etc/machine-id"),)
    seal(tree)
    assert tree.read("/etc/machine-id") == b"uninitialized\n"
    assert stat.S_IMODE(tree.stat("/etc/machine-id").st_mode) == 0o444


def test_a_machine_id_that_is_a_link_is_replaced(tree: Root) -> None:
    tree.remove("/etc/machine-id")
    plant(tree, "/var/lib/dbus/machine-id", "0123456789abcdef")
    tree.symlink("/etc/machine-id", "/var/lib/dbus/machine-id")
    seal(tree)
    assert stat.S_ISREG(tree.lstat("/etc/machine-id").st_mode)
    assert tree.read("/etc/machine-id") == b"uninitialized\n"
    assert not tree.lexists("/var/lib/dbus/machine-id")


def test_logs_of_other_owners_are_emptied_and_directories_stay(tree: Root) -> None:
    plant(tree, "/var/log/nginx/access.log", "TOKEN", uid=33)
    plant(tree, "/var/log/nginx/access.log.1", "TOKEN", uid=33)
    plant(tree, "/var/log/dpkg.log", "TOKEN")
    plant(tree, "/var/log/wtmp", "TOKEN")
    tree.symlink("/var/log/README", "../../usr/share/doc/README.logs")
    tree.chmod("/var/log/wtmp", 0o664)
    seal(tree)
    assert [path for path, _ in tree.walk("/var/log")] == [
        "/var/log/README",
        "/var/log/nginx",
        "/var/log/nginx/access.log",
        "/var/log/wtmp",
    ]
    assert tree.stat("/var/log/nginx/access.log").st_uid == 33
    assert tree.stat("/var/log/nginx/access.log").st_size == tree.stat("/var/log/wtmp").st_size == 0
    assert stat.S_IMODE(tree.stat("/var/log/wtmp").st_mode) == 0o664


def test_a_link_to_a_running_resolver_stays(tree: Root) -> None:
    tree.symlink("/etc/resolv.conf", "../run/systemd/resolve/stub-resolv.conf")
    seal(tree)
    assert tree.lexists("/etc/resolv.conf")


def test_what_packages_need_stays(tree: Root) -> None:
    needed = (
        "/var/cache/debconf/config.dat",
        "/var/cache/debconf/templates.dat",
        "/var/cache/dictionaries-common/sub/x.db",
        "/etc/mailname",
        "/var/lib/dpkg/status",
        "/var/lib/apt/extended_states",
    )
    for path in needed:
        plant(tree, path, "x")
    tree.mkdir("/var/cache/nginx/proxy", parents=True)
    seal(tree)
    assert [path for path in needed if not tree.exists(path)] == []
    assert tree.is_dir("/var/cache/nginx/proxy")


def test_what_the_recipe_declares_stays_and_its_neighbours_go(tree: Root) -> None:
    declared = frozenset(
        {
            "/etc/hostname",
            "/home/alice/.ssh/authorized_keys",
            "/var/lib/cloud/seed/nocloud/user-data",
            "/var/log/app",
            "/etc/app.conf.bak",
        }
    )
    for path in declared - {"/var/log/app"}:
        plant(tree, path, "x")
    tree.mkdir("/var/log/app", parents=True)
    others = (
        "/root/.ssh/authorized_keys",
        "/var/lib/cloud/seed/other",
        "/var/lib/cloud/instance",
        "/etc/other.bak",
        "/var/log/app/x",
    )
    for path in others:
        plant(tree, path, "x")
    seal(tree, declared=declared)
    assert [path for path in declared if not tree.exists(path)] == []
    assert [path for path in others if tree.exists(path)] == []
    assert prove(tree, declared=declared) == ()
    assert {residue.path for residue in prove(tree)} == {
        "/etc/hostname", "/home/alice/.ssh/authorized_keys", "/var/lib/cloud/seed", "/etc/app.conf.bak",
    }  # fmt: skip


def test_links_are_removed_and_what_they_lead_to_stays(tree: Root, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("x")
    tree.mkdir("/tmp")
    tree.mkdir("/var/log", parents=True)
    plant(tree, "/srv/data/precious", "x")
    tree.symlink("/tmp/way-out", str(outside))
    tree.symlink("/tmp/way-in", "/srv/data")
    tree.symlink("/var/log/elsewhere", "/srv/data")
    tree.symlink("/var/cache", str(outside))
    seal(tree)
    assert (outside / "precious").exists()
    assert tree.exists("/srv/data/precious")
    assert tree.listdir("/tmp") == tree.listdir("/var/log") == []


def test_special_files_are_traces_like_others(tree: Root) -> None:
    tree.mkdir("/var/log", parents=True)
    os.mkfifo(tree.directory / "var/log/pipe")
    os.mkfifo(tree.directory / "var/log/btmp")
    seal(tree)
    assert tree.listdir("/var/log") == ["btmp"]


def test_homes_are_those_of_accounts_and_those_without_one(tree: Root) -> None:
    assert set(home_directories(tree)) == set(HOMES)


def test_an_unknown_name_is_refused_with_the_nearest(tree: Root) -> None:
    for act in (seal, prove):
        with pytest.raises(UsageError) as caught:
            act(tree, frozenset({"machine-ids"}))
        assert caught.value.message == "there is no seal operation 'machine-ids'"
        assert caught.value.hint.startswith("did you mean 'machine-id'")


def test_the_recipes_names_are_those_of_the_table() -> None:
    assert tuple(operation.name for operation in OPERATIONS) == model.OPERATIONS


def test_where_the_recipe_and_an_operation_meet_the_report_says_so(tree: Root) -> None:
    declared = frozenset({"/etc/hostname", "/home/alice/.ssh/authorized_keys", "/var/log/app", "/etc/motd"})
    for path in declared - {"/var/log/app"}:
        plant(tree, path, "x")
    plant(tree, "/root/.ssh/authorized_keys", "x")
    tree.mkdir("/var/log/app", parents=True)
    report = {row.operation: row for row in seal(tree, declared=declared)}
    assert {name: row.declared for name, row in report.items() if row.declared} == {
        "hostname": ("/etc/hostname",),
        "authorized-keys": ("/home/alice/.ssh/authorized_keys",),
    }
    assert report["authorized-keys"].removed == ("/root/.ssh/authorized_keys",)


def test_the_certificate_says_what_was_done_and_what_was_not(tree: Root) -> None:
    for path in ("/etc/machine-id", "/etc/hostname", "/etc/mailname", "/var/log/syslog"):
        plant(tree, path, "x")
    keep = frozenset({"machine-id", "journal"})
    operated = seal(tree, keep, frozenset({"/etc/hostname"}))
    certificate = certify(operated, prove(tree, keep), keep=keep, image={"name": "web"})
    assert [(item.operation, item.reason, item.paths) for item in certificate.exceptions] == [
        ("machine-id", "recipe", ("/etc/machine-id",)),
        ("mail-name", "default", ("/etc/mailname",)),
        ("journal", "recipe", ()),
    ]
    rows = {row.operation: row for row in certificate.operations}
    assert len(rows) == len(OPERATIONS)
    assert rows["logs"].found == rows["logs"].removed == ("/var/log/syslog",)
    assert rows["hostname"].declared == ("/etc/hostname",)
    assert rows["hostname"].left == ("/etc/hostname",), "proved without knowing what is declared"
    assert not certificate.absent
    assert certify(operated, prove(tree, keep, frozenset({"/etc/hostname"})), keep=keep).absent


def test_a_certificate_is_read_as_it_was_written(tree: Root) -> None:
    plant(tree, "/var/log/syslog", "x")
    certificate = certify(seal(tree), prove(tree), declared=["/etc/b", "/etc/a"], image={"name": "web"})
    document = to_json(certificate)
    assert from_json(document) == certificate
    broken: tuple[object, ...] = (
        {},
        [],
        None,
        {**document, "goldsmith": "seal certificate 9"},
        {**document, "operations": [1]},
    )
    for wrong in broken:
        with pytest.raises(IntegrityError, match="the seal certificate is damaged"):
            from_json(wrong)
