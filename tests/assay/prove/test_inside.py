"""Components, shell tests and files by way of the agent, which runs here."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from goldsmith.assay.prove.components import component_tests
from goldsmith.assay.prove.files import GuestFiles
from goldsmith.assay.prove.inside import shell_test
from goldsmith.builder.components.paths import copy_file, copy_folder
from goldsmith.builder.inputs import read_inputs
from goldsmith.effects.root import Root
from goldsmith.errors import StepFailed
from goldsmith.machine.channel import Guest
from goldsmith.model.proof import Standing
from goldsmith.recipe.read import read_recipe

RECIPE = "name: x\nversion: 1.0.0\nfrom: debian:trixie\ncomponents: [c.yml]\n"
COMPONENT = """\
schemaVersion: 1.0
name: c
phases:
  - name: build
    steps:
      - {{name: Never, action: ExecuteBash, inputs: {{commands: [exit 9]}}}}
  - name: validate
    steps:
      - {{name: Quiet, action: ExecuteBash, inputs: {{commands: [echo given]}}}}
  - name: test
    steps:
      - {{name: Looks, action: {action}, inputs: {inputs}}}
"""
TELLS = "{{commands: [\"test '{{{{ {} }}}}' = given\"]}}"


@pytest.mark.parametrize(
    ("action", "inputs", "standing", "reason"),
    [
        pytest.param("ExecuteBash", '{commands: ["test -d /proc"]}', Standing.PASSED, "", id="bash"),
        pytest.param(
            "ExecuteBash",
            '{commands: ["echo no >&2", "exit 1"]}',
            Standing.FAILED,
            "the step 'Looks' failed",
            id="bash that fails",
        ),
        pytest.param(
            "ExecuteBinary", "{path: /bin/true, arguments: [x]}", Standing.PASSED, "", id="a program"
        ),
        pytest.param("ReadFile", "[{path: /etc/hostname}]", Standing.PASSED, "", id="a file"),
        pytest.param("ReadFile", "[{path: /etc/nowhere}]", Standing.FAILED, "'Looks' failed", id="no file"),
        pytest.param(
            "ListFiles",
            "[{path: /etc, recursive: true, fileNamePattern: '*.conf'}]",
            Standing.PASSED,
            "",
            id="files below",
        ),
        pytest.param(
            "ListFiles", "[{path: /etc/hostname}]", Standing.FAILED, "'Looks' failed", id="no folder"
        ),
        pytest.param(
            "Assert",
            "{and: [{fileExists: /etc/hostname}, {not: {fileExists: /etc}}]}",
            Standing.PASSED,
            "",
            id="what holds",
        ),
        pytest.param(
            "Assert", "{folderExists: /nowhere}", Standing.FAILED, "'Looks' failed", id="what does not"
        ),
        pytest.param("Assert", "{binaryExists: sh}", Standing.PASSED, "", id="a program on the PATH"),
        pytest.param(
            "ExecuteBash",
            TELLS.format("validate.Quiet.outputs.stdout"),
            Standing.PASSED,
            "",
            id="a step before",
        ),
        pytest.param(
            "ExecuteBash",
            TELLS.format("build.Never.outputs.stdout"),
            Standing.SKIPPED,
            "it refers to steps of 'build', whose values only the build knows",
            id="a step of the build",
        ),
        pytest.param(
            "ExecuteBash",
            "{commands: [cat /run/secrets/token]}",
            Standing.SKIPPED,
            "it reads /run/secrets, and no machine is given a secret",
            id="a secret of the build",
        ),
        pytest.param(
            "Reboot", "{delaySeconds: 1}", Standing.SKIPPED, "Reboot is not done in a test", id="a reboot"
        ),
        pytest.param("UpdateOS", "{}", Standing.SKIPPED, "UpdateOS is not done in a test", id="an update"),
        pytest.param(
            "WebDownload",
            "[{source: 'https://host.invalid/x', destination: /tmp/x}]",
            Standing.FAILED,
            "the step 'Looks' failed",
            id="a download that nothing vouches for",
        ),
    ],
)
def test_a_components_test_phase_runs_inside(
    guest: Guest, tmp_path: Path, action: str, inputs: str, standing: Standing, reason: str
) -> None:
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    (tmp_path / "c.yml").write_text(COMPONENT.format(action=action, inputs=inputs))
    read = read_inputs(read_recipe(tmp_path / "recipe.yaml"))
    validated, tested = component_tests(guest, read, tmp_path / "room")
    assert (validated.name, validated.standing) == ("component c.yml: validate", Standing.PASSED)
    assert (tested.name, tested.standing) == ("component c.yml: test", standing)
    assert reason in tested.reason


CHANGES = """\
schemaVersion: 1.0
name: c
phases:
  - name: validate
    steps:
      - name: Stops
        action: ExecuteBash
        inputs: {commands: [exit 3]}
  - name: test
    steps:
      - name: Late
        action: ExecuteBash
        inputs: {commands: [exit 0]}
"""


def test_a_phase_after_one_that_failed_is_not_run(guest: Guest, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    (tmp_path / "c.yml").write_text(CHANGES)
    found = component_tests(guest, read_inputs(read_recipe(tmp_path / "recipe.yaml")), tmp_path / "room")
    assert [(one.standing, one.reason) for one in found] == [
        (Standing.FAILED, "the step 'Stops' failed"),
        (Standing.SKIPPED, "the phase before it failed"),
    ]


@pytest.mark.parametrize(
    ("text", "standing"), [("true", Standing.PASSED), ("echo no; exit 4", Standing.FAILED)]
)
def test_a_shell_test_runs_inside(guest: Guest, tmp_path: Path, text: str, standing: Standing) -> None:
    (tmp_path / "t.sh").write_text(text)
    found = shell_test(guest, tmp_path / "t.sh")
    assert (found.standing, found.lines) == (standing, ("no",) if "no" in text else ())


def test_a_shell_test_in_another_encoding_runs_as_it_is(guest: Guest, tmp_path: Path) -> None:
    (tmp_path / "t.sh").write_bytes(b"# gr\xfc\xdfe\ntest \"$(printf '\xfc' | od -An -tx1)\" = ' fc'\n")
    assert shell_test(guest, tmp_path / "t.sh").standing is Standing.PASSED


def seen(root: Root, path: str) -> list[object]:
    """All that can be looked at at a path, as plain values."""

    def facts(found: os.stat_result) -> tuple[int, ...]:
        return found.st_mode, found.st_uid, found.st_gid, found.st_size

    looks: tuple[Callable[[], object], ...] = (
        lambda: facts(root.stat(path)),
        lambda: facts(root.lstat(path)),
        lambda: root.readlink(path),
        lambda: root.listdir(path),
        lambda: sorted(root.scan(path)),
        lambda: [(name, facts(found)) for name, found in root.walk(path)],
        lambda: root.read(path),
        lambda: (root.exists(path), root.lexists(path), root.is_dir(path), root.is_file(path)),
    )
    told: list[object] = []
    for look in looks:
        try:
            told.append(look())
        except OSError as error:
            told.append(error.errno)
    return told


def test_a_guests_files_look_as_they_are(guest: Guest, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "a b").mkdir(parents=True)
    (tree / "a b/it's").write_bytes(os.urandom(5000))
    (tree / "a b/it's").chmod(0o4751)
    (tree / "a b.d").mkdir()
    (tree / "link").symlink_to("a b")
    (tree / "dangling").symlink_to("nowhere")
    os.mkfifo(tree / "pipe")
    (tmp_path / "nothing").mkdir()
    names = ("", "/a b", "/a b/it's", "/link", "/dangling", "/none", "/a b/it's/below")
    with GuestFiles(guest, tmp_path / "nothing") as inside, Root(Path("/")) as here:
        for name in names:
            assert seen(inside, f"{tree}{name}") == seen(here, f"{tree}{name}"), name
        assert not inside.is_file(f"{tree}/new")
        (tree / "new").touch()
        inside.forget()
        assert inside.is_file(f"{tree}/new")


WRITES: tuple[tuple[str, Callable[[Root, str], object]], ...] = (
    ("a new file", lambda root, tree: root.write(f"{tree}/new", b"x" * 70_000)),
    ("a new file with a mode", lambda root, tree: root.write(f"{tree}/new", b"x", mode=0o4711, uid=7, gid=8)),
    ("a file written over", lambda root, tree: root.write(f"{tree}/a b/it's", b"x")),
    ("a file with another group", lambda root, tree: root.write(f"{tree}/a b/it's", b"x", gid=9)),
    ("a file by a link", lambda root, tree: root.write(f"{tree}/link/new", b"x")),
    ("a file in a folder that is not there", lambda root, tree: root.write(f"{tree}/none/new", b"x")),
    ("a file where a folder is", lambda root, tree: root.write(f"{tree}/a b", b"x")),
    ("more of a file", lambda root, tree: root.append(f"{tree}/a b/it's", b"more")),
    ("a folder", lambda root, tree: root.mkdir(f"{tree}/new", mode=0o2750, uid=7, gid=8)),
    ("folders", lambda root, tree: root.mkdir(f"{tree}/new/er", parents=True)),
    ("a folder where one is", lambda root, tree: root.mkdir(f"{tree}/a b", mode=0o700)),
    ("a folder where a file is", lambda root, tree: root.mkdir(f"{tree}/a b/it's")),
    ("a link", lambda root, tree: root.symlink(f"{tree}/new", "-to a")),
    ("a link where one is", lambda root, tree: root.symlink(f"{tree}/link", "x")),
    ("a link in place of one", lambda root, tree: root.symlink(f"{tree}/link", "x", force=True)),
    ("a link in place of a folder", lambda root, tree: root.symlink(f"{tree}/a b", "x", force=True)),
    ("a file elsewhere", lambda root, tree: root.rename(f"{tree}/a b/it's", f"{tree}/new")),
    ("a folder elsewhere", lambda root, tree: root.rename(f"{tree}/a b", f"{tree}/new")),
    ("a folder onto a full one", lambda root, tree: root.rename(f"{tree}/empty", f"{tree}/a b")),
    ("nothing elsewhere", lambda root, tree: root.rename(f"{tree}/none", f"{tree}/new")),
    ("no file", lambda root, tree: root.remove(f"{tree}/a b/it's")),
    ("no folder", lambda root, tree: root.remove(f"{tree}/a b")),
    ("no link", lambda root, tree: root.remove(f"{tree}/link")),
    ("not what is not there", lambda root, tree: root.remove(f"{tree}/none")),
    ("another mode", lambda root, tree: root.chmod(f"{tree}/a b/it's", 0o600)),
    ("a folder's mode without its setgid bit", lambda root, tree: root.chmod(f"{tree}/setgid", 0o755)),
    ("another owner", lambda root, tree: root.chown(f"{tree}/a b/it's", 7, -1)),
    ("another group", lambda root, tree: root.chown(f"{tree}/a b", -1, 8)),
    ("no other owner", lambda root, tree: root.chown(f"{tree}/a b", -1, -1)),
    ("the mode of nothing", lambda root, tree: root.chmod(f"{tree}/none", 0o600)),
    ("a copy", lambda root, tree: copy_file(root, f"{tree}/a b/it's", f"{tree}/new")),
    ("a copy onto itself", lambda root, tree: copy_file(root, f"{tree}/a b/it's", f"{tree}/link/it's")),
    ("a copy of a folder", lambda root, tree: copy_folder(root, f"{tree}/a b", f"{tree}/new")),
    (
        "a copy of a folder into itself",
        lambda root, tree: copy_folder(root, f"{tree}/a b", f"{tree}/link/new"),
    ),
)


def made(tree: Path, write: Callable[[Root, str], object], root: Root) -> list[object]:
    """What becomes of a small tree, and what is raised."""
    (tree / "a b").mkdir(parents=True)
    (tree / "a b/it's").write_bytes(bytes(range(256)) * 20)
    (tree / "a b/it's").chmod(0o750)
    (tree / "empty").mkdir()
    (tree / "setgid").mkdir()
    (tree / "setgid").chmod(0o2755)
    (tree / "link").symlink_to("a b")
    told: list[object] = []
    try:
        write(root, str(tree))
    except (OSError, StepFailed) as error:
        told.append(error.errno if isinstance(error, OSError) else type(error))
    with Root(tree) as looked:
        return told + [
            (
                path,
                facts.st_mode,
                facts.st_uid,
                facts.st_gid,
                (tree / path[1:]).read_bytes() if (tree / path[1:]).is_file() else "",
            )
            for path, facts in looked.walk("/")
        ]


@pytest.mark.skipif(os.getuid() != 0, reason="owners are root's to give")
@pytest.mark.parametrize(("name", "write"), WRITES, ids=[name for name, _ in WRITES])
def test_a_guests_files_change_as_a_trees_do(
    guest: Guest, tmp_path: Path, name: str, write: Callable[[Root, str], object]
) -> None:
    (tmp_path / "nothing").mkdir()
    with Root(Path("/")) as here:
        wanted = made(tmp_path / "here", write, here)
    with GuestFiles(guest, tmp_path / "nothing") as inside:
        assert made(tmp_path / "inside", write, inside) == wanted, name


def test_a_write_that_is_given_up_leaves_the_guests_file_alone(guest: Guest, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    (tmp_path / "old").write_text("old")

    def give_up(root: Root) -> None:
        with root.opened(f"{tmp_path}/old", os.O_WRONLY | os.O_CREAT | os.O_TRUNC) as descriptor:
            os.write(descriptor, b"new")
            raise StepFailed("given up", hint="none")

    with GuestFiles(guest, tmp_path / "nothing") as inside:
        with pytest.raises(StepFailed):
            give_up(inside)
        with pytest.raises(OSError, match="not supported"), inside.opened("/", os.O_PATH):
            pass
    assert (tmp_path / "old").read_text() == "old"
