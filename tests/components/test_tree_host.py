"""Components in a tree that is being built; each test is a process of its own, which enters a namespace."""

import hashlib
import json
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from goldsmith.effects.namespace import has_system_administration

SCRIPT = Path(__file__).with_name("in_tree.py")
Build = Callable[..., Any]

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not has_system_administration(), reason="needs root that may mount"
)


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Runs steps in a tree below ``tmp_path``; gives the phase's steps, and all."""

    def build_it(steps: str, *, downloads: dict[str, str] | None = None, network: bool = False) -> Any:
        document = "schemaVersion: 1.0\nphases:\n- name: build\n  steps:\n" + textwrap.indent(
            textwrap.dedent(steps).strip("\n") + "\n", "  "
        )
        done = subprocess.run(
            [sys.executable, str(SCRIPT), str(tmp_path), *(["network"] if network else [])],
            input=json.dumps({"document": document, "downloads": downloads or {}}),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return build_it


def bash(name: str, command: str, more: str = "") -> str:
    return f"- name: {name}\n  action: ExecuteBash\n{more}  inputs: {{commands: [{json.dumps(command)}]}}\n"


def said(result: Any, number: int = 0) -> str:
    step = result["phases"][0]["steps"][number]
    assert step["status"] == "Success", step["failureMessage"]
    return str(step["outputs"][0]["stdout"])


def test_commands_see_the_tree_and_nothing_else(build: Build, tmp_path: Path) -> None:
    result = build(bash("A", f"pwd; ls /; test -e {tmp_path} || echo not there; id -u; cat; echo end"))
    assert said(result).split() == [
        "/opt", "bin", "dev", "etc", "lib", "lib64", "opt", "proc", "run", "tmp", "usr", "not", "there", "0", "end",
    ]  # fmt: skip


def test_a_build_has_no_network(build: Build) -> None:
    result = build(bash("A", "echo >/dev/tcp/192.0.2.1/80"))
    assert "Network is unreachable" in result["failureMessage"]


def test_file_modules_and_commands_see_the_same_files_in_tmp_too(build: Build, tmp_path: Path) -> None:
    result = build(
        "- {name: Make, action: CreateFile, inputs: [{path: /tmp/a, content: one}, {path: b, content: two}]}\n"
        + bash("Read", "cat /tmp/a b; echo three >/tmp/c")
        + "- {name: Back, action: ReadFile, inputs: [{path: /tmp/c}]}\n"
        + "- {name: Check, action: Assert, inputs: [{binaryExists: cat}, {not: {binaryExists: gcc}}, {fileExists: b}]}\n"
    )
    assert (result["status"], said(result, 1)) == ("Success", "onetwo")
    assert result["phases"][0]["steps"][2]["outputs"] == [{"content": "three\n"}]
    assert (tmp_path / "tree/opt/b").read_text() == "two"


def test_run_is_kept_from_step_to_step_and_not_in_the_tree(build: Build, tmp_path: Path) -> None:
    result = build(bash("A", "mkdir /run/nginx") + bash("B", "ls /run"))
    assert said(result, 1).split() == ["goldsmith", "nginx"]
    assert os.listdir(tmp_path / "tree/run") == []


def test_a_step_leaves_nothing_of_goldsmith_in_the_tree(build: Build, tmp_path: Path) -> None:
    build(bash("A", "systemctl enable nginx"))
    names = {name for _, folders, files in os.walk(tmp_path / "tree") for name in [*folders, *files]}
    assert not [name for name in names if "goldsmith" in name or "script" in name]
    assert (tmp_path / "tree/usr/bin/systemctl").read_text().startswith("#!/bin/bash")


def test_owners_are_those_of_the_tree(build: Build, tmp_path: Path) -> None:
    result = build("- {name: A, action: CreateFile, inputs: [{path: /opt/f, owner: only-here}]}\n")
    assert result["status"] == "Success"
    assert (tmp_path / "tree/opt/f").stat().st_uid == 4242


def test_systemctl_enables_and_records(build: Build) -> None:
    result = build(
        bash(
            "A",
            "systemctl enable --now nginx && systemctl restart nginx ssh; systemctl is-active nginx; echo $?",
        )
        + bash("B", "systemctl daemon-reload")
    )
    assert said(result) == "real SYSTEMD_OFFLINE=1 enable nginx\ninactive\n3"
    assert result["recorded"] == [
        "systemctl start nginx", "systemctl restart nginx ssh", "systemctl daemon-reload",
    ]  # fmt: skip


def test_reboots_and_updates_are_recorded_and_the_build_goes_on(build: Build) -> None:
    result = build(
        "- {name: Update, action: UpdateOS, inputs: {include: [nginx], exclude: [bash]}}\n"
        "- {name: Boot, action: Reboot, inputs: {delaySeconds: 9}}\n"
        + bash("A", "test -e /opt/again && exit 0; touch /opt/again; exit 194")
        + bash("B", "echo next")
    )
    assert said(result, 3) == "next"
    assert result["recorded"] == [
        "UpdateOS nginx -bash: the lock's versions are installed",
        "reboot after 9 s: the image is not running, so the next step follows",
        "reboot after 0 s: the image is not running, so the next step follows",
    ]


def test_a_deadline_ends_all_that_a_step_started(build: Build, tmp_path: Path) -> None:
    more = "  timeoutSeconds: 3\n"
    result = build(bash("A", "(sleep 5; touch /opt/late) & echo begun; sleep 60", more))
    assert result["status"] == "TimedOut"
    assert result["failureMessage"].endswith("| begun")
    time.sleep(2.5)
    assert not (tmp_path / "tree/opt/late").exists()


def test_daemons_end_with_their_step(build: Build) -> None:
    result = build(
        bash("A", "sleep 77 & echo $!") + bash("B", "for p in /proc/[0-9]*; do cat $p/cmdline; done")
    )
    assert "sleep" not in said(result, 1).replace("\0", " ")


URL = "http://example.invalid/tool"
SHA = hashlib.sha256(b"tool").hexdigest()
DOWNLOAD = f"- {{name: A, action: WebDownload, inputs: [{{source: '{URL}', destination: /opt/t%s}}]}}\n"


def test_a_download_with_a_checksum_comes_from_the_lock(build: Build, tmp_path: Path) -> None:
    (tmp_path / "kept").write_bytes(b"tool")
    result = build(DOWNLOAD % f", checksum: {SHA}", downloads={URL: str(tmp_path / "kept")})
    assert result["status"] == "Success"
    assert (tmp_path / "tree/opt/t").read_bytes() == b"tool"


def test_even_a_file_of_the_lock_must_have_the_right_digest(build: Build, tmp_path: Path) -> None:
    (tmp_path / "kept").write_bytes(b"other")
    result = build(DOWNLOAD % f", checksum: {SHA}", downloads={URL: str(tmp_path / "kept")})
    assert f"not {SHA}" in result["failureMessage"]
    assert os.listdir(tmp_path / "tree/opt") == []


@pytest.mark.parametrize(
    ("more", "downloads", "failure"),
    [
        pytest.param(
            "",
            {},
            f"build.A: '{URL}' has no checksum, and this component has no network\n  hint: add 'checksum:' and "
            "'algorithm:' so that the lock holds the file, or set 'network: true' in the recipe",
            id="no checksum",
        ),
        pytest.param(
            "",
            {URL: "/etc/hostname"},
            f"build.A: '{URL}' has no checksum, and this component has no network\n  hint: add 'checksum:' and "
            "'algorithm:' so that the lock holds the file, or set 'network: true' in the recipe",
            id="no checksum, though the lock has a file of that address",
        ),
        pytest.param(
            f", checksum: {SHA}",
            {},
            f"build.A: '{URL}' is not in the lock, and this component has no network\n  hint: renew the lock with "
            "'goldsmith lock'; an address that comes from a step's output needs 'network: true' in the recipe",
            id="not in the lock",
        ),
    ],
)
def test_other_downloads_need_the_network(
    build: Build, more: str, downloads: dict[str, str], failure: str
) -> None:
    assert build(DOWNLOAD % more, downloads=downloads)["failureMessage"] == failure
