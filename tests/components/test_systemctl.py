"""The wrapper over systemctl, run by sh with a real one that only says how it is called."""

import subprocess
from pathlib import Path

import pytest

from goldsmith.builder.components.tree import WRAPPER

REAL = '#!/bin/sh\nprintf "%s|" "${SYSTEMD_OFFLINE:-online}" "$@"\necho\nexit ${FAIL:-0}\n'


def call(tmp_path: Path, *arguments: str, script: Path = WRAPPER, **more: str) -> tuple[str, int, str]:
    """What is printed, the exit code, and what is recorded."""
    real, record = tmp_path / "real", tmp_path / "recorded"
    real.write_text(REAL)
    real.chmod(0o755)
    environment = {
        "PATH": "/usr/bin:/bin",
        "GOLDSMITH_SYSTEMCTL": str(real),
        "GOLDSMITH_RECORDED": str(record),
    }
    done = subprocess.run(
        ["sh", str(script), *arguments],
        env={**environment, **more},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip(), done.returncode, record.read_text() if record.exists() else ""


@pytest.mark.parametrize(
    ("arguments", "printed", "code", "recorded"),
    [
        (["enable", "nginx"], "1|enable|nginx|", 0, ""),
        (["enable", "--now", "nginx", "ssh"], "1|enable|nginx|ssh|", 0, "systemctl start nginx ssh\n"),
        (["--now", "enable", "nginx"], "1|enable|nginx|", 0, "systemctl start nginx\n"),
        (["disable", "--now", "nginx"], "1|disable|nginx|", 0, "systemctl stop nginx\n"),
        (["mask", "--now", "a.timer"], "1|mask|a.timer|", 0, "systemctl stop a.timer\n"),
        (["-q", "--no-reload", "mask", "a"], "1|-q|--no-reload|mask|a|", 0, ""),
        (["unmask", "a"], "1|unmask|a|", 0, ""),
        (["preset", "a"], "1|preset|a|", 0, ""),
        (["preset-all"], "1|preset-all|", 0, ""),
        (["is-enabled", "a"], "1|is-enabled|a|", 0, ""),
        (["set-default", "multi-user.target"], "1|set-default|multi-user.target|", 0, ""),
        (["get-default"], "1|get-default|", 0, ""),
        (["list-unit-files", "--type", "service"], "1|list-unit-files|--type|service|", 0, ""),
        (["cat", "a b"], "1|cat|a b|", 0, ""),
        (["--version"], "1|--version|", 0, ""),
        (["--root=/x", "enable", "a"], "online|--root=/x|enable|a|", 0, ""),
        (["start", "nginx"], "", 0, "systemctl start nginx\n"),
        (["stop", "a", "b"], "", 0, "systemctl stop a b\n"),
        (["--no-block", "restart", "a"], "", 0, "systemctl restart a\n"),
        (["-s", "HUP", "kill", "a"], "", 0, "systemctl kill a\n"),
        (["reload", "a"], "", 0, "systemctl reload a\n"),
        (["try-restart", "a"], "", 0, "systemctl try-restart a\n"),
        (["daemon-reload"], "", 0, "systemctl daemon-reload\n"),
        (["reset-failed"], "", 0, "systemctl reset-failed\n"),
        (["isolate", "rescue.target"], "", 0, "systemctl isolate rescue.target\n"),
        (["reboot"], "", 0, "systemctl reboot\n"),
        (["is-active", "nginx"], "inactive", 3, ""),
        (["is-active", "a", "b"], "inactive\ninactive", 3, ""),
        (["is-active", "--quiet", "a", "b"], "", 3, ""),
        (["is-failed", "a"], "inactive", 1, ""),
        (["is-system-running"], "offline", 1, ""),
        (["status", "a"], "", 3, ""),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_systemctl(tmp_path: Path, arguments: list[str], printed: str, code: int, recorded: str) -> None:
    assert call(tmp_path, *arguments) == (printed, code, recorded)


@pytest.mark.parametrize(
    ("name", "arguments", "recorded"),
    [
        ("reboot", [], "reboot\n"),
        ("poweroff", ["--force"], "poweroff --force\n"),
        ("shutdown", ["-r", "now"], "shutdown -r now\n"),
        ("halt", [], "halt\n"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_the_machine_is_not_stopped(tmp_path: Path, name: str, arguments: list[str], recorded: str) -> None:
    """These programs are links to systemctl."""
    link = tmp_path / name
    link.symlink_to(WRAPPER)
    assert call(tmp_path, *arguments, script=link) == ("", 0, recorded)


def test_what_fails_for_real_is_not_recorded_as_started(tmp_path: Path) -> None:
    assert call(tmp_path, "enable", "--now", "nothing", FAIL="5") == ("1|enable|nothing|", 5, "")


def test_a_record_that_cannot_be_written_does_not_fail_the_step(tmp_path: Path) -> None:
    assert call(tmp_path, "restart", "a", GOLDSMITH_RECORDED="/nowhere/recorded")[1] == 0
