"""``goldsmith boot``: its words, its exit codes, and what it prints where."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from goldsmith.cli.boot import as_object, find_disk, in_words, read_page
from goldsmith.errors import UsageError
from goldsmith.machine.boot import Page
from goldsmith.model.machine import Accelerator, BootReport, Firmware, GuestReport, HttpAnswer
from goldsmith.store.home import Home

REPORT = BootReport(
    disk=Path("/d/disk.raw"),
    accelerator=Accelerator.TCG,
    firmware=Firmware.UEFI,
    guest=GuestReport(
        state="running",
        kernel="6.12.1",
        times=("Startup finished in 9s", "graphical.target reached"),
        root_bytes=3 << 20,
        root_used=1 << 20,
        cloud_init=("status: done",),
    ),
    seconds=41.26,
    attempts=2,
    http=HttpAnswer(80, "/", 200, 6, "ab" * 32, "hello\nyou"),
)

IN_WORDS = f"""\
web is well: systemd says 'running', no unit failed (41 s, uefi, tcg)
  kernel      6.12.1
  root        3 MiB, 1 MiB used
  boot        Startup finished in 9s
  cloud-init  status: done
  attempts    2; an emulated CPU failed before
  http        80/ answers 200, 6 bytes: 'hello'
              sha256:{"ab" * 32}"""


def boot(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from goldsmith.cli.main import main; main()", "boot", *words],
        env={**os.environ, "GOLDSMITH_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_report_in_words() -> None:
    assert in_words("web", REPORT) == IN_WORDS


def test_the_report_for_machines_is_json() -> None:
    read = json.loads(json.dumps(as_object("web", REPORT)))
    assert (read["ok"], read["seconds"], read["accelerator"], read["firmware"]) == (True, 41.3, "tcg", "uefi")
    assert read["guest"]["state"] == "running"
    assert read["http"]["sha256"] == "ab" * 32


@pytest.mark.parametrize(
    ("text", "page"),
    [
        pytest.param("80", Page(80, "/"), id="a port alone means its root"),
        pytest.param("80/", Page(80, "/"), id="a port and a slash"),
        pytest.param("8080/a/b?c=d", Page(8080, "/a/b?c=d"), id="a port and a path with a query"),
    ],
)
def test_a_page_is_read(text: str, page: Page) -> None:
    assert read_page(text) == page


@pytest.mark.parametrize("text", ["", "/", "http://127.0.0.1/", "0/", "65536/", "80/a b", "-1/", "80x"])
def test_what_is_no_page_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_page(text)
    assert caught.value.message == f"--http {text!r} is not PORT/PATH"


def test_a_word_with_a_slash_is_a_path_and_one_without_is_an_image(tmp_path: Path) -> None:
    assert find_disk(Home(tmp_path), "./web.raw") == Path("web.raw")
    with pytest.raises(UsageError, match="there is no image 'web'"):
        find_disk(Home(tmp_path), "web")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        pytest.param(["web"], 2, "there is no image 'web'", id="an unknown image"),
        pytest.param(
            ["/nowhere/disk.raw"], 2, "'/nowhere/disk.raw' is no disk image: there is nothing", id="no file"
        ),
        pytest.param(["x", "--http", "web"], 2, "--http 'web' is not PORT/PATH", id="a bad page"),
        pytest.param(
            ["x", "--firmware", "coreboot"], 2, "'coreboot' is not one of", id="an unknown firmware"
        ),
        pytest.param(
            ["x", "--timeout", "soon"],
            2,
            "'soon' is not a valid number of seconds",
            id="a timeout that is no number",
        ),
    ],
)
def test_bad_words_have_exit_code_2_and_a_message(
    tmp_path: Path, words: list[str], code: int, message: str
) -> None:
    done = boot(tmp_path, *words, "--accelerator", "tcg")
    assert done.returncode == code
    assert message in done.stderr
    assert done.stdout == ""


@pytest.mark.usefixtures("qemu")
def test_a_machine_that_is_not_well_has_exit_code_1_and_json(
    tmp_path: Path, disk_that_says: Callable[..., Path]
) -> None:
    disk = disk_that_says("grub rescue> ")
    done = boot(
        tmp_path, str(disk), "--firmware", "bios", "--accelerator", "tcg", "--timeout", "60", "--json"
    )
    assert done.returncode == 1
    read = json.loads(done.stdout)
    assert (read["error"], read["exit_code"]) == ("CheckFailed", 1)
    assert read["message"].startswith(
        "the machine did not come up: the boot loader stopped at its rescue prompt"
    )


@pytest.mark.usefixtures("qemu")
def test_progress_goes_to_stderr_and_keep_says_where(
    tmp_path: Path, disk_that_says: Callable[..., Path]
) -> None:
    disk = disk_that_says("one line\r\ngrub> ")
    done = boot(
        tmp_path,
        str(disk),
        "--firmware",
        "bios",
        "--accelerator",
        "tcg",
        "--timeout",
        "60",
        "--console",
        "--keep",
    )
    assert done.stdout == ""
    assert f"booting {disk} by bios under TCG (as asked for)\n" in done.stderr
    assert "\none line\n" in done.stderr
    (kept,) = (tmp_path / "machines").glob("*-*")
    assert f"the machine's directory is kept: {kept}\n" in done.stderr
