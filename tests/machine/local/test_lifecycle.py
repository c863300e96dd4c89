"""Machines come, run, change and go; what cannot be is refused and changes nothing."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.machine.local.conftest import BIOS, Make, refusal

from goldsmith.effects.clock import monotonic, sleep
from goldsmith.errors import CheckFailed, UsageError
from goldsmith.machine.launch import read
from goldsmith.machine.local.clone import clone
from goldsmith.machine.local.create import create, read_forward
from goldsmith.machine.local.lifecycle import change, delete, rename
from goldsmith.machine.local.room import RUN, all_machines, directory_of, find_machine, held, running
from goldsmith.machine.local.run import Start, pull_plug, start
from goldsmith.machine.local.snapshots import revert, take
from goldsmith.machine.local.well import wait_until_well
from goldsmith.machine.need import need_space
from goldsmith.machine.qemu import CONSOLE
from goldsmith.model.machine import Accelerator, Firmware, Forward
from goldsmith.store.home import Home

TCG = Start(Accelerator.TCG)
PROGRAM = "from goldsmith.cli.main import main; main()"


def vm(home: Home, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, "vm", *words],
        env={**os.environ, "GOLDSMITH_HOME": str(home.path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    deadline = monotonic() + seconds
    while not condition():
        assert monotonic() < deadline
        sleep(0.02)


def test_a_machine_starts_writes_on_its_console_and_is_ended(home: Home, make: Make) -> None:
    machine = make()
    run = start(home, machine, TCG)
    directory = directory_of(home, "one")
    assert running(directory) == run
    until(lambda: b"hello" in read(directory / CONSOLE))
    assert refusal(lambda: start(home, machine, TCG)) == "UsageError: 'one' runs already"
    assert pull_plug(home, machine)
    assert running(directory) is None
    assert not pull_plug(home, machine)


def test_the_console_of_the_start_before_is_kept(home: Home, make: Make) -> None:
    machine = make()
    directory = directory_of(home, "one")
    start(home, machine, TCG)
    until(lambda: b"hello" in read(directory / CONSOLE))
    pull_plug(home, machine)
    start(home, machine, TCG)
    assert b"hello" in read(directory / f"{CONSOLE}.before")


def test_a_machine_outlives_the_command_that_started_it_and_says_so_in_words(home: Home, make: Make) -> None:
    make()
    started = vm(home, "start", "one", "--accelerator", "tcg")
    assert (started.returncode, started.stdout) == (0, "one is started (tcg)\n")
    listed = vm(home, "list")
    assert re.fullmatch(r"NAME +STATE +IMAGE +MEMORY +PORTS\none +running +/\S+ +128 MiB\n", listed.stdout)
    assert "process" in vm(home, "show", "one").stdout
    assert vm(home, "kill", "one").stdout == "one is ended\n"
    assert "stopped" in vm(home, "list").stdout


def test_a_qemu_that_was_killed_is_no_running_machine(home: Home, make: Make) -> None:
    run = start(home, make(), TCG)
    os.kill(run.pid, signal.SIGKILL)
    until(lambda: running(directory_of(home, "one")) is None)


def test_a_record_from_before_the_hosts_start_is_not_believed(home: Home, make: Make) -> None:
    start(home, make(), TCG)
    directory = directory_of(home, "one")
    told = (directory / RUN).read_text()
    for word, other in (('"boot": "', '"boot": "x'), ('"started": ', '"started": 9')):
        (directory / RUN).write_text(told.replace(word, other))
        found = running(directory)
        assert found is not None
        assert found.pid == 0
    assert pull_plug(home, find_machine(home, "one"))


def test_an_interrupted_start_leaves_no_qemu(home: Home, make: Make) -> None:
    make()
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "vm", "start", "one", "--wait", "--accelerator", "tcg"],
        env={**os.environ, "GOLDSMITH_HOME": str(home.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    directory = directory_of(home, "one")
    until(lambda: b"hello" in read(directory / CONSOLE))
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors.strip()) == (130, b"goldsmith: interrupted")
    assert running(directory) is None


def test_a_port_in_use_is_refused_before_anything_is_started(home: Home, make: Make) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        machine = make("one", replace(BIOS, forwards=(Forward(port, 80),)))
        assert refusal(lambda: start(home, machine, TCG)) == (
            f"Unavailable: port {port} of this host is in use, and the machine forwards it to its port 80"
        )
    assert running(directory_of(home, "one")) is None
    start(home, machine, TCG)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_a_port_that_is_roots_is_not_said_to_be_in_use() -> None:
    with Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").open() as stream:
        port = int(stream.read()) - 1
    code = (
        "import os, sys\nfrom goldsmith.machine.local.run import check_port\n"
        "from goldsmith.model.machine import Forward\nfrom goldsmith.errors import Unavailable\n"
        "os.setresuid(65534, 65534, 65534)\n"
        f"try:\n    check_port(Forward({port}, 80))\nexcept Unavailable as error:\n    print(error.message)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"port {port} of this host is not for this user to listen on: Permission denied\n"


def test_a_machine_whose_disk_was_written_to_behind_its_back_does_not_start(home: Home, make: Make) -> None:
    machine = make()
    disk = Path(machine.origin.path)
    with disk.open("r+b") as stream:
        stream.seek(100_000)
        stream.write(b"x")
    assert refusal(lambda: start(home, machine, TCG)) == (
        f"IntegrityError: the disk that 'one' was made from was written to: {disk}"
    )
    disk.unlink()
    for act in (
        lambda: start(home, machine, TCG),
        lambda: take(home, machine, "x"),
        lambda: revert(home, machine, "just-created"),
        lambda: clone(home, machine, "two", full=False),
        lambda: clone(home, machine, "two", full=True, snapshot="just-created"),
    ):
        assert refusal(act) == f"IntegrityError: the disk that 'one' was made from is gone: {disk}"
    assert list(all_machines(home)) == [machine]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["create", "a/b", "--image", "DISK"], "'a/b' cannot be the name of a machine"),
        (["create", "../a", "--image", "DISK"], "'../a' cannot be the name of a machine"),
        (["create", "", "--image", "DISK"], "'' cannot be the name of a machine"),
        (["create", ".a", "--image", "DISK"], "'.a' cannot be the name of a machine"),
        (["create", "a" * 64, "--image", "DISK"], f"'{'a' * 64}' cannot be the name of a machine"),
        (["create", "one", "--image", "DISK"], "there is a machine 'one' already"),
        (["create", "two", "--image", "nothing"], "there is no image 'nothing' in"),
        (["create", "two", "--image", "TEXT"], "this file is no disk"),
        (["create", "two", "--image", "./none"], "/none' is no disk image: there is nothing"),
        (["create", "two", "--image", "DISK", "--disk", "512"], "--disk '512' is no size"),
        (["create", "two", "--image", "DISK", "--disk", "0G"], "--disk '0G' is no size"),
        (["create", "two", "--image", "DISK", "--disk", "99999T"], "is too large"),
        (["create", "two", "--image", "DISK", "--forward", "80"], "--forward '80' is not HOST:GUEST"),
        (["create", "two", "--image", "DISK", "--forward", "0:80"], "--forward '0:80' is not HOST:GUEST"),
        (["create", "two", "--image", "DISK", "--forward", "80:99999"], "is not HOST:GUEST"),
        (
            ["create", "two", "--image", "DISK", "--forward", "81:80", "--forward", "81:81"],
            "port 81 of this host is forwarded twice",
        ),
        (["create", "two", "--image", "DISK", "--user-data", "TEXT"], "this is no user data"),
        (["create", "two", "--image", "DISK", "--user-data", "none"], "--user-data cannot be read"),
        (
            ["create", "two", "--image", "DISK", "--user-data", "."],
            "--user-data cannot be read: Is a directory",
        ),
        (["create", "two", "--image", "DISK", "--user-data", "BINARY"], "no user data: byte 14 is no UTF-8"),
        (["create", "two", "--image", ""], "'' is no image"),
        (["create", "two", "--image", "PIPE"], "is no disk image: there is no ordinary file"),
        (["create", "two", "--image", "DISK", "--disk", "1.5G"], "--disk '1.5G' is no size"),
        (["create", "zwölf", "--image", "DISK"], "'zwölf' cannot be the name of a machine"),
        (["create", "a\u202eb", "--image", "DISK"], r"'a\u202eb' cannot be the name of a machine"),
        (["create", "a\n", "--image", "DISK"], r"'a\n' cannot be the name of a machine"),
        (["create", "..", "--image", "DISK"], "'..' cannot be the name of a machine"),
        (["create", "two", "--image", "DISK", "--forward", "\uff18\uff10:80"], "is not HOST:GUEST"),
        (["create", "two", "--image", "DISK", "--forward", "tcp:80:80"], "is not HOST:GUEST"),
        (["rename", "one", "one"], "there is a machine 'one' already"),
        (["start", "one", "--wait", "--timeout", "nan"], "'nan' is not a valid number of seconds"),
        (["snapshot", "create", "one", "s", "--comment", "two\nlines"], "is not one line of text"),
        (["snapshot", "create", "one", "s", "--comment", "\x1b[31mred"], "is not one line of text"),
        (["start", "two"], "there is no machine 'two'"),
        (["set", "one", "--forward", "8080:80", "--no-forward"], "exclude each other"),
        (["create", "two", "--image", "DISK", "--user-data", "LONG"], "1048590 bytes of user data"),
        (["stop", "two"], "there is no machine 'two'"),
        (["show", "../one"], "'../one' cannot be the name of a machine"),
        (["exec", "one", "--", "true"], "'one' does not run"),
        (["ssh", "one"], "'one' does not run"),
        (["console", "one"], "'one' does not run"),
        (["screenshot", "one", "x.png"], "'one' does not run"),
        (["copy", "a", "b"], "one side of a copy must be inside a machine"),
        (["copy", "one:/a", "one:/b"], "one side of a copy must be inside a machine"),
        (["rename", "one", "a/b"], "'a/b' cannot be the name of a machine"),
        (["clone", "one", "one"], "there is a machine 'one' already"),
        (["snapshot", "revert", "one", "none"], "'one' has no snapshot 'none'"),
        (["snapshot", "create", "one", "a/b"], "'a/b' cannot be the name of a snapshot"),
        (["snapshot", "create", "one", "just-created"], "'one' has a snapshot 'just-created' already"),
        (["snapshot", "delete", "one", "just-created"], "'just-created' cannot be deleted"),
    ],
    ids=lambda words: " ".join(words)[:40] if isinstance(words, list) else "",
)
def test_what_cannot_be_is_refused_and_harms_nothing(
    home: Home, make: Make, tmp_path: Path, words: list[str], message: str
) -> None:
    machine = make()
    text = tmp_path / "text"
    text.write_text("no disk\n" * 100)
    binary = tmp_path / "binary"
    binary.write_bytes(b"#cloud-config\n\xff\xfe")
    long = tmp_path / "long"
    long.write_bytes(b"#cloud-config\n" + b"#" * (1 << 20))
    os.mkfifo(tmp_path / "pipe")
    known = {
        "DISK": machine.origin.path,
        "TEXT": str(text),
        "BINARY": str(binary),
        "LONG": str(long),
        "PIPE": f"{tmp_path}/pipe",
    }
    done = vm(home, *(known.get(word, word) for word in words))
    assert (done.returncode in {2, 7}, done.stdout) == (True, ""), done.stderr
    assert message in done.stderr
    assert "hint:" in done.stderr or "Try 'goldsmith vm" in done.stderr
    assert list(all_machines(home)) == [machine]
    assert sorted(path.name for path in (home / "vms").iterdir()) == [".lock", "one"]


def test_a_full_file_system_is_said_before_anything_is_made(make: Make, home: Home) -> None:
    # Needs no small file system: nobody has a hundred exabytes.
    make()
    assert re.match(r"NoSpace: there are \d+ MiB free in ", refusal(lambda: need_space(home.path, 1 << 67)))


def test_more_memory_than_this_host_has_is_said_before_anything_starts(home: Home, make: Make) -> None:
    machine = make("one", replace(BIOS, memory=1 << 30))
    assert re.fullmatch(
        r"Unavailable: the machine is to have 1073741824 MiB of memory, and this host has \d+ MiB",
        refusal(lambda: start(home, machine, TCG)),
    )
    assert running(directory_of(home, "one")) is None


@pytest.mark.parametrize("moment", [0.15, 0.3, 0.45, 0.6])
def test_an_interrupted_create_makes_a_machine_or_none(home: Home, make: Make, moment: float) -> None:
    disk = make().origin.path
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "vm", "create", "two", "--image", disk],
        env={**os.environ, "GOLDSMITH_HOME": str(home.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    sleep(moment)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    names = [machine.name for machine in all_machines(home)]
    # An interruption between the rename and the end of the program leaves a whole machine.
    assert names == ["one", "two"] or (names == ["one"] and process.returncode != 0)
    assert [vm(home, "show", name).returncode for name in names] == [0] * len(names)
    assert vm(home, "create", "three", "--image", disk).returncode == 0
    left = {path.name for path in (home / "vms").iterdir()}
    assert left == {".lock", "three", *names}


def test_a_machine_is_renamed_changed_and_deleted(home: Home, make: Make) -> None:
    made = make()
    with held(home, "one") as machine:
        rename(home, machine, "two")
    assert [machine.name for machine in all_machines(home)] == ["two"]
    with held(home, "two") as machine:
        changed = change(home, machine, memory=256, forwards=(Forward(8080, 80),))
    assert (changed.memory, changed.forwards, changed.uuid) == (256, (Forward(8080, 80),), made.uuid)
    run = start(home, changed, TCG)
    assert refusal(lambda: delete(home, changed, force=False)).startswith(
        "UsageError: cannot delete 'two' while"
    )
    assert refusal(lambda: rename(home, changed, "x")).startswith("UsageError: cannot rename 'two' while")
    delete(home, changed, force=True)
    assert not Path(f"/proc/{run.pid}/exe").exists()
    assert list(all_machines(home)) == []


@pytest.mark.usefixtures("qemu")
@pytest.mark.parametrize(
    ("built", "message"),
    [
        pytest.param(False, "the kernel found no root file system", id="somebody else's disk has cx16"),
        pytest.param(True, "the image asks for a newer processor", id="an image of ours does without"),
    ],
)
def test_what_a_machines_processor_has(
    home: Home, disk_for_x86_64_v2: Path, built: bool, message: str
) -> None:
    machine = create(home, "one", str(disk_for_x86_64_v2), replace(BIOS, firmware=None))
    assert machine.firmware is Firmware.BIOS
    machine = replace(machine, origin=replace(machine.origin, built=built))
    run = start(home, machine, Start(Accelerator.TCG))
    try:
        with pytest.raises(CheckFailed, match=message):
            wait_until_well(directory_of(home, "one"), run, 30)
    finally:
        pull_plug(home, machine)


def test_of_two_that_make_one_name_at_once_one_gets_it(home: Home, make: Make) -> None:
    disk = make("other").origin.path
    words = [sys.executable, "-c", PROGRAM, "vm", "create", "one", "--image", disk, "--firmware", "bios"]
    environment = {**os.environ, "GOLDSMITH_HOME": str(home.path)}
    processes = [
        subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(4)
    ]
    ended = [process.communicate(timeout=60) for process in processes]
    assert sorted(process.returncode for process in processes) == [0, 2, 2, 2], ended
    assert [machine.name for machine in all_machines(home)] == ["one", "other"]


def test_of_two_that_start_one_machine_at_once_one_does(home: Home, make: Make) -> None:
    make()
    words = [sys.executable, "-c", PROGRAM, "vm", "start", "one", "--accelerator", "tcg"]
    environment = {**os.environ, "GOLDSMITH_HOME": str(home.path)}
    processes = [
        subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    ended = [process.communicate(timeout=60) for process in processes]
    assert sorted(process.returncode for process in processes) == [0, 2, 2], ended


def test_what_a_killed_creation_left_is_swept(home: Home, make: Make) -> None:
    make()
    left = home / "vms/.new-12345678"
    left.mkdir()
    (left / "base").write_text("x")
    make("two")
    assert not left.exists()


def test_a_damaged_record_is_said(home: Home, make: Make) -> None:
    make()
    (directory_of(home, "one") / "machine.json").write_text("{")
    assert refusal(lambda: find_machine(home, "one")).startswith("IntegrityError: ")
    listed = vm(home, "list")
    assert (listed.returncode, "warning: one is not listed" in listed.stderr) == (0, True)


@pytest.mark.parametrize(("text", "port"), [("8080:80", Forward(8080, 80)), ("1:65535", Forward(1, 65535))])
def test_a_forward_is_read(text: str, port: Forward) -> None:
    assert read_forward(text) == port


def test_firmware_that_is_asked_for_is_placed(home: Home, make: Make) -> None:
    machine = create(home, "efi", make().origin.path, replace(BIOS, firmware=Firmware.UEFI))
    assert (directory_of(home, machine.name) / "uefi-variables.fd").exists()


def test_a_name_is_one_word() -> None:
    with pytest.raises(UsageError):
        directory_of(Home(Path("/nowhere")), "a b")
