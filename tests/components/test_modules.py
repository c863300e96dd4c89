"""Every action module with real files; conditions too."""

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.components.steps import HELLO, MD5, SHA1, SHA256, SHA512, Runner, one, outputs, shape

from goldsmith.builder.components.local import LocalHost, update_script
from goldsmith.builder.components.modules import MODULES
from goldsmith.effects.root import Root
from goldsmith.model.action import ACTIONS


def test_every_action_has_its_function() -> None:
    assert list(MODULES) == list(ACTIONS)


def prepare(tree: Path) -> None:
    """What the cases below find."""
    opt = tree / "opt"
    (opt / "a.txt").write_text("alpha")
    (opt / "b.txt").write_text("beta")
    (opt / "c.conf").write_text("gamma")
    (opt / "full/deep").mkdir(parents=True)
    (opt / "full/one").write_text("1")
    (opt / "full/deep/two").write_text("2")
    (opt / "full/link").symlink_to("one")
    (opt / "empty").mkdir()
    (opt / "a.txt").chmod(0o640)
    (opt / "full/deep/two").chmod(0o4755)
    (opt / "out").symlink_to("/etc")


def prepare_bad(tree: Path) -> None:
    prepare(tree)
    os.mkfifo(tree / "opt/pipe")


GONE = "gone"
GOOD: list[tuple[str, str, dict[str, str]]] = [
    ("CreateFile makes parents", one("CreateFile", "path: /new/er/f, content: hi"), {"new/er/f": "0644 0:0 'hi'", "new/er": "0755 0:0 ['f']"}),
    ("CreateFile is empty without content", one("CreateFile", "path: /opt/f"), {"opt/f": "0644 0:0 ''"}),
    ("CreateFile replaces what is there, mode too", one("CreateFile", "path: /opt/a.txt, content: x"), {"opt/a.txt": "0644 0:0 'x'"}),
    ("CreateFile takes mode and owner by name", one("CreateFile", "path: /opt/f, permissions: 0600, owner: web, group: adm"), {"opt/f": "0600 1234:4 ''"}),
    ("CreateFile takes an owner by number", one("CreateFile", "path: /opt/f, owner: 77, group: '88'"), {"opt/f": "0644 77:88 ''"}),
    ("CreateFile writes utf16-LE", one("CreateFile", "path: /opt/f, content: hi, encoding: utf16-LE"), {"opt/f": "0644 0:0 'h\\x00i\\x00'"}),
    ("CreateFile writes utf-32-be", one("CreateFile", "path: /opt/f, content: h, encoding: utf-32-BE"), {"opt/f": "0644 0:0 '\\x00\\x00\\x00h'"}),
    ("CreateFile writes a mark for utf16", one("CreateFile", "path: /opt/f, content: h, encoding: utf-16"), {"opt/f": "0644 0:0 'ÿþh\\x00'"}),
    ("CreateFile takes many", one("CreateFile", "path: /opt/f", "path: /opt/g"), {"opt/f": "0644 0:0 ''", "opt/g": "0644 0:0 ''"}),
    ("CreateFile with a relative path starts at the host's directory", one("CreateFile", "path: opt/f"), {"opt/f": "0644 0:0 ''"}),
    ("CreateFolder makes parents", one("CreateFolder", "path: /new/er"), {"new": "0755 0:0 ['er']", "new/er": "0755 0:0 []"}),
    ("CreateFolder takes mode and owner", one("CreateFolder", "path: /opt/d/, permissions: 02770, group: adm"), {"opt/d": "2770 0:4 []"}),
    ("CreateFolder keeps what is in a folder", one("CreateFolder", "path: /opt/full"), {"opt/full": "0755 0:0 ['deep', 'link', 'one']"}),
    ("CreateFolder changes the mode of a folder that exists if told", one("CreateFolder", "path: /opt/empty, permissions: 0700"), {"opt/empty": "0700 0:0 []"}),
    ("CreateSymlink makes a link", one("CreateSymlink", "path: /new/l, target: ../opt"), {"new/l": "-> ../opt"}),
    ("CreateSymlink with force replaces a file", one("CreateSymlink", "path: /opt/a.txt, target: b.txt, force: true"), {"opt/a.txt": "-> b.txt"}),
    ("CreateSymlink may dangle", one("CreateSymlink", "path: /opt/l, target: /nowhere"), {"opt/l": "-> /nowhere"}),
    ("AppendFile adds at the end and keeps the mode", one("AppendFile", "path: /opt/a.txt, content: '+'"), {"opt/a.txt": "0640 0:0 'alpha+'"}),
    ("CopyFile copies bytes and mode", one("CopyFile", "source: /opt/a.txt, destination: /new/x"), {"new/x": "0640 0:0 'alpha'", "opt/a.txt": "0640 0:0 'alpha'"}),
    ("CopyFile into a folder keeps the name", one("CopyFile", "source: /opt/a.txt, destination: /new/"), {"new/a.txt": "0640 0:0 'alpha'"}),
    ("CopyFile with a wildcard copies all", one("CopyFile", "source: /opt/*.txt, destination: /new/"), {"new": "0755 0:0 ['a.txt', 'b.txt']"}),
    ("CopyFile replaces by default", one("CopyFile", "source: /opt/a.txt, destination: /opt/b.txt"), {"opt/b.txt": "0640 0:0 'alpha'"}),
    ("CopyFile through a link stays in the tree", one("CopyFile", "source: /opt/a.txt, destination: /opt/out/x"), {"etc/x": "0640 0:0 'alpha'"}),
    ("CopyFile follows a link", one("CopyFile", "source: /opt/full/link, destination: /new/x"), {"new/x": "0644 0:0 '1'"}),
    ("CopyFolder copies all in it", one("CopyFolder", "source: /opt/full, destination: /new"), {"new/deep/two": "4755 0:0 '2'", "new/link": "-> one", "new/one": "0644 0:0 '1'"}),
    ("CopyFolder into a folder keeps the name", one("CopyFolder", "source: /opt/full/, destination: /new/"), {"new/full/one": "0644 0:0 '1'"}),
    ("CopyFolder adds to a folder that exists", one("CopyFolder", "source: /opt/full, destination: /opt/empty"), {"opt/empty": "0755 0:0 ['deep', 'link', 'one']"}),
    ("CopyFolder with a wildcard copies folders only", one("CopyFolder", "source: /opt/*, destination: /new/"), {"new": "0755 0:0 ['empty', 'full', 'out']"}),
    ("MoveFile moves", one("MoveFile", "source: /opt/a.txt, destination: /new/x"), {"new/x": "0640 0:0 'alpha'", "opt/a.txt": GONE}),
    ("MoveFile with a wildcard moves all", one("MoveFile", "source: /opt/*.txt, destination: /new/"), {"new": "0755 0:0 ['a.txt', 'b.txt']", "opt/b.txt": GONE}),
    ("MoveFolder moves", one("MoveFolder", "source: /opt/full, destination: /new/f"), {"new/f/deep/two": "4755 0:0 '2'", "opt/full": GONE}),
    ("MoveFolder adds to a full folder", one("MoveFolder", "source: /opt/full/deep, destination: /opt/full") , {"opt/full": "0755 0:0 ['link', 'one', 'two']"}),
    ("DeleteFile deletes", one("DeleteFile", "path: /opt/a.txt"), {"opt/a.txt": GONE, "opt/b.txt": "0644 0:0 'beta'"}),
    ("DeleteFile with a wildcard deletes files only", one("DeleteFile", "path: /opt/*"), {"opt": "0755 0:0 ['empty', 'full', 'out']"}),
    ("DeleteFile of nothing is done already", one("DeleteFile", "path: /opt/nothing", "path: /no/*", "path: /opt/z*"), {"opt/a.txt": "0640 0:0 'alpha'"}),
    ("DeleteFile with force deletes a folder", one("DeleteFile", "path: /opt/full, force: true"), {"opt/full": GONE}),
    ("DeleteFile deletes a link, not its target", one("DeleteFile", "path: /opt/full/link"), {"opt/full/link": GONE, "opt/full/one": "0644 0:0 '1'"}),
    ("DeleteFolder deletes an empty folder", one("DeleteFolder", "path: /opt/empty/"), {"opt/empty": GONE}),
    ("DeleteFolder with force deletes a full one", one("DeleteFolder", "path: /opt/full, force: true"), {"opt/full": GONE}),
    ("DeleteFolder with force does not follow a link", one("DeleteFolder", "path: /opt/out, force: true"), {"opt/out": GONE, "etc/group": "0644 0:0 'root:x:0:\\nweb:x:1235:\\nadm:x:4:\\n'"}),
    ("SetFileEncoding writes another encoding", one("SetFileEncoding", "path: /opt/a.txt, encoding: utf16-BE"), {"opt/a.txt": "0640 0:0 '\\x00a\\x00l\\x00p\\x00h\\x00a'"}),
    ("SetFileOwner sets the owner and keeps the group", one("SetFileOwner", "path: /opt/a.txt, owner: web"), {"opt/a.txt": "0640 1234:0 'alpha'"}),
    ("SetFileOwner sets both", one("SetFileOwner", "path: /opt/*.txt, owner: web, group: web"), {"opt/a.txt": "0640 1234:1235 'alpha'", "opt/b.txt": "0644 1234:1235 'beta'"}),
    ("SetFolderOwner goes down", one("SetFolderOwner", "path: /opt/full, owner: web, group: adm"), {"opt/full": "0755 1234:4 ['deep', 'link', 'one']", "opt/full/deep/two": "0755 1234:4 '2'"}),
    ("SetFolderOwner stays if told", one("SetFolderOwner", "path: /opt/full, owner: web, recursive: false"), {"opt/full": "0755 1234:0 ['deep', 'link', 'one']", "opt/full/one": "0644 0:0 '1'"}),
    ("SetFilePermissions sets bits", one("SetFilePermissions", "path: /opt/a.txt, permissions: 4711"), {"opt/a.txt": "4711 0:0 'alpha'"}),
    ("SetFolderPermissions goes down", one("SetFolderPermissions", "path: /opt/full, permissions: 0700"), {"opt/full": "0700 0:0 ['deep', 'link', 'one']", "opt/full/deep/two": "0700 0:0 '2'"}),
    ("SetFolderPermissions stays if told", one("SetFolderPermissions", "path: /opt/full, permissions: 0700, recursive: False"), {"opt/full/deep": "0755 0:0 ['two']"}),
]  # fmt: skip


@pytest.mark.parametrize(("steps", "then"), [case[1:] for case in GOOD], ids=[case[0] for case in GOOD])
def test_a_module_does_what_it_says(run: Runner, tree: Path, steps: str, then: dict[str, str]) -> None:
    prepare(tree)
    result = run(steps)
    assert result.failures == ()
    found = {path: shape(tree / path) if os.path.lexists(tree / path) else GONE for path in then}
    assert found == then


BAD: list[tuple[str, str, str]] = [
    ("CreateFile without overwrite", one("CreateFile", "path: /opt/a.txt, overwrite: false"), "'/opt/a.txt' exists, and 'overwrite' is false\n  hint: remove it before, or let it be overwritten"),
    ("CreateFile on a folder", one("CreateFile", "path: /opt/full"), "'/opt/full' is a folder\n  hint: name a file, or use CreateFolder"),
    ("CreateFile below a file", one("CreateFile", "path: /opt/a.txt/x"), "'/opt/a.txt' is no folder\n  hint: remove it before, or choose another path"),
    ("CreateFile with an unknown owner", one("CreateFile", "path: /opt/f, owner: wbe"), "there is no user 'wbe' in /etc/passwd\n  hint: did you mean 'web'?"),
    ("CreateFile with an unknown group", one("CreateFile", "path: /opt/f, group: staff"), "there is no group 'staff' in /etc/group\n  hint: use one of: root, web, adm"),
    ("CreateFolder on a file", one("CreateFolder", "path: /opt/a.txt"), "'/opt/a.txt' is a file\n  hint: remove it before, or choose another path"),
    ("CreateFolder without overwrite", one("CreateFolder", "path: /opt/full, overwrite: false"), "'/opt/full' exists, and 'overwrite' is false\n  hint: remove it before, or let it be overwritten"),
    ("CreateSymlink without force", one("CreateSymlink", "path: /opt/a.txt, target: b"), "'/opt/a.txt' exists\n  hint: set 'force: true' to replace it"),
    ("CreateFile on a pipe", one("CreateFile", "path: /opt/pipe"), "'/opt/pipe' is a device, socket or pipe\n  hint: file modules act on files and folders"),
    ("ReadFile of a pipe", one("ReadFile", "path: /opt/pipe"), "'/opt/pipe' is a device, socket or pipe\n  hint: file modules act on files and folders"),
    ("CopyFile from a pipe", one("CopyFile", "source: /opt/pipe, destination: /opt/x"), "'/opt/pipe' is a device, socket or pipe\n  hint: file modules act on files and folders"),
    ("CopyFile to a pipe", one("CopyFile", "source: /opt/a.txt, destination: /opt/pipe"), "'/opt/pipe' is a device, socket or pipe\n  hint: file modules act on files and folders"),
    ("AppendFile to nothing", one("AppendFile", "path: /opt/x, content: y"), "there is no file '/opt/x'\n  hint: make it before, with CreateFile"),
    ("CopyFile of nothing", one("CopyFile", "source: /opt/x, destination: /opt/y"), "there is no file '/opt/x'\n  hint: check the path, and the steps that should have made it"),
    ("CopyFile of a folder", one("CopyFile", "source: /opt/full, destination: /opt/y"), "'/opt/full' is no file\n  hint: check the path, and the steps that should have made it"),
    ("CopyFile to a folder without a slash", one("CopyFile", "source: /opt/a.txt, destination: /opt/full"), "the destination '/opt/full' is a folder\n  hint: end it with a slash: '/opt/full/'"),
    ("CopyFile with a wildcard to a file", one("CopyFile", "source: /opt/*.txt, destination: /opt/y"), "the destination '/opt/y' of a wildcard must be a folder\n  hint: end it with a slash: '/opt/y/'"),
    ("CopyFile with a wildcard that matches nothing", one("CopyFile", "source: /opt/*.md, destination: /opt/"), "no file matches '/opt/*.md'\n  hint: check the path, and the steps that should have made it"),
    ("CopyFile with a wildcard in a folder's name", one("CopyFile", "source: /o*t/a.txt, destination: /opt/"), "'/o*t/a.txt' has a '*' before its last part\n  hint: only the last part may have a '*'"),
    ("CopyFile onto itself", one("CopyFile", "source: /opt/a.txt, destination: /opt/../opt/a.txt"), "'/opt/a.txt' and '/opt/../opt/a.txt' are the same file\n  hint: choose another destination"),
    ("CopyFile without overwrite", one("CopyFile", "source: /opt/a.txt, destination: /opt/b.txt, overwrite: false"), "'/opt/b.txt' exists, and 'overwrite' is false\n  hint: remove it before, or let it be overwritten"),
    ("CopyFolder into itself", one("CopyFolder", "source: /opt/full, destination: /opt/full/deep/x"), "'/opt/full/deep/x' lies in '/opt/full'\n  hint: choose a destination outside the source"),
    ("CopyFolder of a file", one("CopyFolder", "source: /opt/a.txt, destination: /opt/x"), "'/opt/a.txt' is no folder\n  hint: check the path, and the steps that should have made it"),
    ("MoveFile without overwrite", one("MoveFile", "source: /opt/a.txt, destination: /opt/b.txt, overwrite: false"), "'/opt/b.txt' exists, and 'overwrite' is false\n  hint: remove it before, or let it be overwritten"),
    ("DeleteFile of a folder", one("DeleteFile", "path: /opt/full"), "'/opt/full' is a folder\n  hint: use DeleteFolder, or set 'force: true'"),
    ("DeleteFolder of a full folder", one("DeleteFolder", "path: /opt/full"), "the folder '/opt/full' is not empty\n  hint: set 'force: true' to delete what is in it"),
    ("DeleteFolder of a file", one("DeleteFolder", "path: /opt/a.txt, force: true"), "'/opt/a.txt' is no folder\n  hint: use DeleteFile"),
    ("DeleteFolder of everything", one("DeleteFolder", "path: /, force: true"), "'/' cannot be deleted\n  hint: name a path in it"),
    ("ReadFile of nothing", one("ReadFile", "path: /opt/x"), "No such file or directory: '/opt/x'"),
    ("ReadFile in another encoding", one("ReadFile", "path: /opt/a.txt, encoding: utf32-LE"), "'/opt/a.txt' is not utf32-LE: byte 0 does not fit\n  hint: name its encoding with 'encoding'"),
    ("ListFiles of nothing", one("ListFiles", "path: /opt/x"), "there is no folder '/opt/x'\n  hint: check the path, and the steps that should have made it"),
    ("SetFileOwner of nothing", one("SetFileOwner", "path: /opt/x, owner: web"), "there is no file '/opt/x'\n  hint: check the path, and the steps that should have made it"),
    ("SetFolderPermissions of a file", one("SetFolderPermissions", "path: /opt/a.txt, permissions: 0700"), "'/opt/a.txt' is no folder\n  hint: check the path, and the steps that should have made it"),
    ("ExecuteBinary of nothing", "- {name: Do, action: ExecuteBinary, inputs: {path: /nowhere/x}}", "exit code 127\n  | /nowhere/x: No such file or directory"),
    ("ExecuteBinary with a NUL", '- {name: Do, action: ExecuteBinary, inputs: {path: echo, arguments: ["a\\0b"]}}', "embedded null byte"),
    ("Assert of what is not so", "- {name: Do, action: Assert, inputs: [{fileExists: /opt/a.txt}, {stringEquals: a, value: b}]}", "this does not hold: stringEquals('a', 'b')"),
]  # fmt: skip


@pytest.mark.parametrize(("steps", "failure"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_a_module_says_what_is_wrong(run: Runner, tree: Path, steps: str, failure: str) -> None:
    prepare_bad(tree)
    assert [step.failure for _, step in run(steps).failures] == [failure]


def test_nothing_of_the_host_is_reached_through_links(run: Runner, tree: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (tree / "opt/door").symlink_to(outside)
    (tree / "opt/dots").symlink_to("../../../../../../../.." + str(outside))
    result = run(one("CreateFile", "path: /opt/door/x, content: x", "path: /opt/dots/y", "path: /../../../z"))
    assert list(outside.iterdir()) == []
    assert not Path("/z").exists()
    assert [step.status for step in result.phases[0].steps] == ["Failed"]


@pytest.mark.parametrize(
    ("steps", "wanted"),
    [
        pytest.param(one("ReadFile", "path: /opt/a.txt"), {"content": "alpha"}, id="ReadFile"),
        pytest.param(one("ListFiles", "path: /opt"), {"files": "/opt/a.txt,/opt/b.txt,/opt/c.conf"}, id="ListFiles"),
        pytest.param(one("ListFiles", "path: /opt/, fileNamePattern: '*.txt'"), {"files": "/opt/a.txt,/opt/b.txt"}, id="ListFiles by pattern"),
        pytest.param(one("ListFiles", "path: /opt/full, recursive: true"), {"files": "/opt/full/deep/two,/opt/full/link,/opt/full/one"}, id="ListFiles recursively"),
        pytest.param(one("ListFiles", "path: /opt/empty"), {"files": ""}, id="ListFiles of an empty folder"),
        pytest.param("""- {name: Do, action: ExecuteBinary, inputs: {path: /bin/echo, arguments: ['a b', "'", $HOME]}}""", {"stdout": "a b ' $HOME"}, id="ExecuteBinary passes arguments as they are"),
        pytest.param("- {name: Do, action: ExecuteBinary, inputs: {path: echo, arguments: [x]}}", {"stdout": "x"}, id="ExecuteBinary finds a name on the PATH"),
        pytest.param("- {name: Do, action: Reboot}", {}, id="Reboot without inputs"),
    ],
)  # fmt: skip
def test_outputs(run: Runner, tree: Path, steps: str, wanted: dict[str, str]) -> None:
    prepare(tree)
    assert outputs(run(steps)) == wanted


def test_a_file_is_printed_if_asked(run: Runner, tree: Path, tmp_path: Path) -> None:
    prepare(tree)
    run(one("ReadFile", "path: /opt/a.txt, printFileContent: true", "path: /opt/b.txt"))
    assert (tmp_path / "log/console.log").read_text() == "alpha\n"


@pytest.mark.parametrize("before", ["utf8", "utf16", "utf32"])
@pytest.mark.parametrize("after", ["utf8", "utf16", "utf16-LE", "utf32", "utf32-BE"])
def test_an_encoding_is_told_by_its_mark(run: Runner, tree: Path, before: str, after: str) -> None:
    result = run(
        one("CreateFile", f"path: /opt/f, content: Grüße, encoding: {before}")
        + one("SetFileEncoding", f"path: /opt/f, encoding: {after}").replace("Do", "Set")
        + one("ReadFile", f"path: /opt/f, encoding: {after}").replace("Do", "Read")
    )
    assert result.phases[0].steps[-1].outputs[0] == {"content": "Grüße"}
    assert (tree / "opt/f").exists()


CONDITIONS: list[tuple[str, bool]] = [
    ("{stringIsEmpty: ''}", True),
    ("{stringIsEmpty: ' '}", False),
    ('{stringIsWhitespace: " \\t"}', True),
    ("{stringIsWhitespace: ''}", False),
    ("{stringIsWhitespace: ' x'}", False),
    ("{stringEquals: Testing, value: Testing}", True),
    ("{stringEquals: Testing, value: TESTING}", False),
    ("{stringEquals: Testing, value: ' Testing'}", False),
    ("{stringEquals: 1.0, value: '1.0'}", True),
    ("{stringLessThan: A, value: b}", True),
    ("{stringLessThan: b, value: A}", False),
    ("{stringLessThan: a, value: A}", False),
    ("{stringLessThanEquals: a, value: A}", True),
    ("{stringLessThanEquals: b, value: A}", False),
    ("{stringGreaterThan: b, value: A}", True),
    ("{stringGreaterThan: a, value: A}", False),
    ("{stringGreaterThanEquals: A, value: a}", True),
    ("{stringGreaterThanEquals: A, value: b}", False),
    ("{patternMatches: nginx/1.26, value: '^nginx/[0-9.]+$'}", True),
    ("{patternMatches: a nginx here, value: nginx}", True),
    ("{patternMatches: NGINX, value: nginx}", False),
    ("{numberEquals: 1, value: '1.0'}", True),
    ("{numberEquals: 1, value: 2}", False),
    ("{numberEquals: a10, value: a10}", False),
    ("{numberEquals: 9007199254740993, value: 9007199254740992}", False),
    ("{numberEquals: 1e2, value: 100}", True),
    ("{numberEquals: nan, value: nan}", False),
    ("{numberLessThan: 9, value: 10}", True),
    ("{numberLessThan: 10, value: 10}", False),
    ("{numberLessThan: x, value: 10}", False),
    ("{numberLessThanEquals: 10, value: 10}", True),
    ("{numberLessThanEquals: 11, value: 10}", False),
    ("{numberGreaterThan: -1, value: -2}", True),
    ("{numberGreaterThan: 1, value: 1}", False),
    ("{numberGreaterThanEquals: 1, value: 1}", True),
    ("{numberGreaterThanEquals: 0.5, value: 1}", False),
    ("{fileExists: /opt/hello}", True),
    ("{fileExists: opt/hello}", True),
    ("{fileExists: /opt}", False),
    ("{fileExists: /opt/nothing}", False),
    ("{folderExists: /opt}", True),
    ("{folderExists: /opt/hello}", False),
    ("{binaryExists: tool}", True),
    ("{binaryExists: /usr/bin/tool}", True),
    ("{binaryExists: data}", False),
    ("{binaryExists: nothing}", False),
    (f"{{fileMD5Equals: /opt/hello, value: {MD5}}}", True),
    (f"{{fileMD5Equals: /opt/hello, value: {SHA1}}}", False),
    (f"{{fileSHA1Equals: /opt/hello, value: {SHA1}}}", True),
    (f"{{fileSHA256Equals: /opt/hello, value: {SHA256.upper()}}}", True),
    (f"{{fileSHA256Equals: /opt/nothing, value: {SHA256}}}", False),
    (f"{{fileSHA512Equals: /opt/hello, value: {SHA512}}}", True),
    ("{and: [{fileExists: /opt/hello}, {folderExists: /opt}]}", True),
    ("{and: [{fileExists: /opt/hello}, {folderExists: /no}]}", False),
    ("{or: [{fileExists: /no}, {folderExists: /opt}]}", True),
    ("{or: [{fileExists: /no}, {folderExists: /no}]}", False),
    ("{not: {fileExists: /no}}", True),
    ("{not: [{fileExists: /opt/hello}]}", False),
    ("{and: [{binaryExists: tool}, {not: {binaryExists: unzip}}]}", True),
    ("{not: {or: [{fileExists: /no}, {and: [{fileExists: /opt/hello}]}]}}", False),
]  # fmt: skip


@pytest.mark.parametrize(
    ("condition", "true"), CONDITIONS, ids=[f"{text} is {true}" for text, true in CONDITIONS]
)
def test_conditions(run: Runner, tree: Path, condition: str, true: bool) -> None:
    (tree / "opt/hello").write_bytes(HELLO)
    (tree / "usr/bin").mkdir(parents=True)
    for name, mode in (("tool", 0o755), ("data", 0o644)):
        (tree / "usr/bin" / name).write_text("")
        (tree / "usr/bin" / name).chmod(mode)
    asserted = run(f"- {{name: Do, action: Assert, inputs: [{condition}]}}")
    chosen = run(f"- {{name: Do, action: Reboot, if: {condition}}}")
    assert (asserted.status == "Success", chosen.phases[0].steps[0].status == "Success") == (true, true)


def test_update_os_holds_what_is_excluded() -> None:
    script = update_script([], ["linux image", "b"])
    assert "for name in 'linux image' b; do" in script
    assert script.endswith("apt-get -y -o Dpkg::Options::=--force-confold upgrade\n")
    assert "install --only-upgrade -- a 'b c'\n" in update_script(["a", "b c"], [])


def test_update_os_runs_apt_get_of_the_host(tree: Path, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("apt-get", "apt-mark"):
        (tools / name).write_text(f'#!/bin/sh\necho "{name} $*" >>{tmp_path}/called\n')
        (tools / name).chmod(0o755)
    for name in ("bash", "grep", "sh"):
        (tools / name).symlink_to(str(shutil.which(name)))
    with Root(tree) as root:
        ran = LocalHost(root, "/", {"PATH": str(tools)}).update_packages(["a"], ["b"], timeout=10)
    assert (ran.code, ran.stderr) == (0, b"")
    assert (tmp_path / "called").read_text().splitlines() == [
        "apt-get update",
        "apt-mark showhold",
        "apt-mark hold b",
        "apt-get -y -o Dpkg::Options::=--force-confold install --only-upgrade -- a",
        "apt-mark unhold b",
    ]


def test_an_ordinary_user_can_run_file_modules(tree: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path\n"
        "from goldsmith.builder.components.local import LocalHost\n"
        "from goldsmith.builder.components.run import run_document\n"
        "from goldsmith.effects.root import Root\nfrom goldsmith.recipe.component import parse_component\n"
        "os.setgroups([]); os.setgid(4321); os.setuid(4321)\n"
        "result = run_document(parse_component(sys.stdin.read(), 'c.yml'), LocalHost(Root(Path(sys.argv[1])), '/', {}),"
        " log_directory=Path(sys.argv[1], 'home/log'))\nprint(result.status, result.failures)\n"
    )
    home = tree / "home"
    home.mkdir()
    os.chown(home, 4321, 4321)
    for parent in [tree, *tree.parents]:
        with contextlib.suppress(OSError):
            if not parent.stat().st_mode & 1:
                parent.chmod(parent.stat().st_mode | 0o11)
    steps = one("CreateFile", "path: /home/a/f, content: x, permissions: 0640") + one(
        "CopyFolder", "source: /home/a, destination: /home/b"
    ).replace("Do", "Copy")
    text = "schemaVersion: 1.0\nphases:\n- name: build\n  steps:\n" + "".join(
        f"  {line}\n" for line in steps.splitlines()
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tree)], input=text, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("Success ()\n", "")
    assert shape(home / "b/f") == "0640 4321:4321 'x'"


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(one("SetFolderOwner", "path: /opt/full, owner: web"), id="SetFolderOwner"),
        pytest.param(
            one("SetFolderPermissions", "path: /opt/full, permissions: 0700"), id="SetFolderPermissions"
        ),
    ],
)
def test_what_a_link_in_a_folder_points_to_is_left_alone(run: Runner, tree: Path, step: str) -> None:
    prepare(tree)
    (tree / "opt/full/away").symlink_to("../a.txt")
    (tree / "opt/full/dangling").symlink_to("nowhere")
    assert run(step).failures == ()
    assert shape(tree / "opt/a.txt") == "0640 0:0 'alpha'"
