"""What a maintainer script, which is root in its tree, may try; each attempt fails, and its canary shows why it would not."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from goldsmith.effects.sandbox import BASE_ENVIRONMENT, Sandbox

PROGRAM = Path(__file__).with_name("in_sandbox.py")
SECRET = "secret of the host"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="what root must not be able to do is tried as root")


@dataclass(frozen=True)
class Host:
    """What there is outside to be reached."""

    tree: Path
    sentinel: Path
    sleeper: int
    port: int


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A root whose programs are the host's, shown read-only."""
    top = tmp_path / "tree"
    for name in ("etc", "usr", "dev", "proc", "tmp", "run", "root"):
        (top / name).mkdir(parents=True)
    for name in ("bin", "sbin", "lib", "lib64"):
        (top / name).symlink_to(f"usr/{name}")
    return top


@pytest.fixture
def host(tmp_path: Path, tree: Path) -> Iterator[Host]:
    sentinel = tmp_path / "sentinel"
    sentinel.write_text(SECRET)
    sleeper = subprocess.Popen(["sleep", "60"])
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield Host(tree, sentinel, sleeper.pid, server.getsockname()[1])
    alive = sleeper.poll() is None
    sleeper.kill()
    sleeper.wait()
    assert alive
    assert sentinel.read_text() == SECRET


def inside(tree: Path, script: str, **more: Any) -> tuple[int, str, str]:
    binds = [("/usr", "/usr", False), *more.pop("binds", [])]
    spec = {"root": str(tree), "script": script, "binds": binds, **more}
    done = subprocess.run(
        [sys.executable, PROGRAM, json.dumps(spec)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    code, out, err = json.loads(done.stdout)
    return code, out, err


def python(*lines: str) -> str:
    """A shell command that runs Python, libc at hand; ``call`` raises the error of a system call."""
    head = (
        "import ctypes, os, socket, struct, time",
        "libc = ctypes.CDLL(None, use_errno=True)",
        "def call(*words):",
        "    if libc.syscall(*words) < 0: raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))",
    )
    return "exec /usr/bin/python3 - <<'END'\n" + "\n".join([*head, *lines]) + "\nEND\n"


ATTEMPTS: dict[str, tuple[Callable[[Host], str], str]] = {
    "to read a file of the host": (lambda h: f"cat {h.sentinel}", "No such file"),
    "to read a file of the host through a link": (
        lambda h: f"ln -s {h.sentinel} /etc/l && cat /etc/l",
        "No such file",
    ),
    "to read a file of the host through init": (
        lambda h: f"cat /proc/1/root{h.sentinel}",
        "Permission denied",
    ),
    "to climb out of a chroot": (
        lambda h: python(
            "os.mkdir('/root/x'); os.chroot('/root/x')",
            "for _ in range(99): os.chdir('..')",
            "os.chroot('.')",
            f"print(open('{h.sentinel}').read())",
        ),
        "FileNotFoundError",
    ),
    "to climb out by a kept descriptor": (
        lambda h: python(
            "d = os.open('/', os.O_RDONLY); os.mkdir('/root/x'); os.chroot('/root/x'); os.fchdir(d)",
            "for _ in range(99): os.chdir('..')",
            f"print(open('.{h.sentinel}').read())",
        ),
        "FileNotFoundError",
    ),
    "to open a file by its handle": (
        lambda _: python(
            "handle = ctypes.create_string_buffer(struct.pack('Ii', 128, 0) + bytes(128)); mount = ctypes.c_int()",
            "call(303, -100, b'/usr', handle, ctypes.byref(mount), 0)",
            "d = os.open('/usr', os.O_RDONLY); call(304, d, handle, 0)",
        ),
        "Operation not permitted",
    ),
    "to write to a read-only part": (lambda _: "echo x >/usr/evil", "Read-only file system"),
    "to make it writable": (lambda _: "mount -o remount,rw,bind /usr", "permission denied"),
    "to make the settings of the kernel writable": (
        lambda _: "mount -o remount,rw,bind /proc/sys",
        "permission denied",
    ),
    "to take away what covers the settings": (lambda _: "umount /proc/sys", "must be superuser"),
    "to mount": (lambda _: "mount -t tmpfs none /etc", "permission denied"),
    "to mount another /proc": (lambda _: "mount -t proc proc /proc", "permission denied"),
    "to bind another place": (lambda _: "mount --bind /usr /etc", "permission denied"),
    "to enter the namespaces of init": (
        lambda _: "nsenter -m -t 1 true",
        "Permission denied|Operation not permitted",
    ),
    "to make new namespaces": (lambda _: "unshare -m true", "Operation not permitted"),
    "to make a disk's device": (lambda _: "mknod /etc/disk b 8 0", "Operation not permitted"),
    "to make the memory's device": (lambda _: "mknod /dev/mem c 1 1", "Operation not permitted"),
    "to find a disk's device": (lambda _: "ls /dev/vda /dev/sda /dev/mem /dev/kmsg", "cannot access"),
    "to change a setting of the kernel": (
        lambda _: "v=$(cat /proc/sys/vm/swappiness); echo $v >/proc/sys/vm/swappiness",
        "Read-only file system",
    ),
    "to set what runs when a program dumps core": (
        lambda _: 'v=$(cat /proc/sys/kernel/core_pattern); echo "$v" >/proc/sys/kernel/core_pattern',
        "Read-only file system",
    ),
    "to press a magic key": (lambda _: "echo h >/proc/sysrq-trigger", "Read-only|nonexistent"),
    "to read the kernel's memory": (
        lambda _: "test -s /proc/kcore || head -c 1 /proc/kcore | grep -q .",
        "",
    ),
    "to find the kernel's files": (lambda _: "ls /sys/kernel", "No such file"),
    "to load a module": (
        lambda _: python("call(175, b'not a module', 12, b'')"),
        "Operation not permitted|not implemented",
    ),
    "to set the clock": (
        lambda _: python("time.clock_settime(time.CLOCK_REALTIME, time.time())"),
        "Operation not permitted",
    ),
    "to restart the machine": (
        lambda _: python("call(169, 0xfee1dead, 672274793, 0x89ABCDEF, 0)"),  # "Ctrl-Alt-Del is on": harmless
        "Operation not permitted",
    ),
    "to name the machine": (lambda _: "hostname evil", "must be root"),
    "to use ports of the hardware": (
        lambda _: python("call(173, 0x80, 1, 1)"),
        "not permitted|not implemented",
    ),
    "to kill a process of the host": (lambda h: f"kill -9 {h.sleeper}", "No such process"),
    "to trace a process of the host": (
        lambda h: python(f"call(101, 16, {h.sleeper}, 0, 0)"),
        "No such process",
    ),
    "to see a process of the host": (lambda h: f"ls /proc/{h.sleeper}/cmdline", "No such file"),
    "to reach a server of the host": (
        lambda h: python(f"socket.create_connection(('127.0.0.1', {h.port}), 2)"),
        "Connection refused",
    ),
    "to reach the network": (
        lambda _: python("socket.create_connection(('192.0.2.1', 80), 2)"),
        "Network is unreachable",
    ),
    "to gain rights by a file's owner": (
        lambda _: (
            "cp /usr/bin/id /root/id && chmod 4755 /root/id && "
            "setpriv --reuid 65534 --clear-groups /root/id -u | grep -qx 0"
        ),
        "",
    ),
    "to read what other programs of goldsmith have open": (
        lambda _: "test $(ls /proc/self/fd | wc -l) -gt 4",
        "",
    ),
    "to read the caller's variables": (lambda _: "env | grep -i -e goldsmith -e pytest", ""),
}
"""What is tried: the script, and what it hears."""


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_an_attempt_fails(host: Host, attempt: str) -> None:
    script, heard = ATTEMPTS[attempt]
    code, out, err = inside(host.tree, script(host))
    assert code != 0, (out, err)
    assert re.search(heard, out + err)
    assert SECRET not in out + err


CANARIES: dict[str, Callable[[Host], str]] = {
    "a file of the host can be read": lambda h: f"cat {h.sentinel}",
    "a file system can be mounted": lambda h: f"mount -t tmpfs none {h.tree}/etc",
    "a device can be made": lambda h: f"mknod {h.tree}/etc/disk b 8 0",
    "a setting can be set": lambda _: "v=$(cat /proc/sys/vm/swappiness); echo $v >/proc/sys/vm/swappiness",
    "a process can be seen and traced": lambda h: python(
        f"call(101, 16, {h.sleeper}, 0, 0); os.waitpid({h.sleeper}, 0x40000000); call(101, 17, {h.sleeper}, 0, 0)"
    ),
    "a server can be reached": lambda h: python(f"socket.create_connection(('127.0.0.1', {h.port}), 2)"),
    "a file can be opened by its handle": lambda _: python(
        "handle = ctypes.create_string_buffer(struct.pack('Ii', 128, 0) + bytes(128)); mount = ctypes.c_int()",
        "call(303, -100, b'/usr', handle, ctypes.byref(mount), 0)",
        "d = os.open('/usr', os.O_RDONLY); call(304, d, handle, 0)",
    ),
    "the clock's right is there": lambda _: "grep CapEff /proc/self/status | grep -qi f",
}
"""The same outside the sandbox (in mounts of its own): it can be done, so the sandbox is what prevents it."""


@pytest.mark.parametrize("canary", CANARIES)
def test_without_the_sandbox(host: Host, canary: str) -> None:
    command = ["unshare", "--mount", "/bin/sh", "-c", CANARIES[canary](host)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


ALLOWED = {
    "own files can be written": ("echo x >/etc/new && cat /etc/new", "x\n"),
    "owners and modes can be set": (
        "touch /etc/f && chown 33:33 /etc/f && chmod 4755 /etc/f && stat -c '%u %a' /etc/f",
        "33 4755\n",
    ),
    "/tmp and /run are empty and writable": (
        "touch /tmp/x /run/x && ls /tmp /run | tr '\\n' ' '",
        "/run: x  /tmp: x ",
    ),
    "null can be written": ("echo x >/dev/null && head -c 2 /dev/zero | wc -c", "2\n"),
    "there is a loopback of its own": (
        python(
            "server = socket.create_server(('127.0.0.1', 80))",
            "socket.create_connection(('127.0.0.1', 80)); print('met')",
        ),
        "met\n",
    ),
    "the environment is small and the same for all": (
        "env -u PWD -u OLDPWD -u SHLVL -u _ | sort",
        "".join(f"{name}={value}\n" for name, value in sorted(BASE_ENVIRONMENT.items())),
    ),
    "the umask is 022": ("umask", "0022\n"),
    "the machine has no name": ("uname -n", "localhost\n"),
    "its processes are its own": ("echo $$", "2\n"),
}


@pytest.mark.parametrize("case", ALLOWED)
def test_what_scripts_need_works(tree: Path, case: str) -> None:
    script, expected = ALLOWED[case]
    code, out, err = inside(tree, script)
    assert (code, out) == (0, expected), err


def test_what_is_written_is_in_the_tree(tree: Path) -> None:
    inside(tree, "echo x >/etc/new; echo y >/tmp/gone; echo z >/run/gone")
    assert (tree / "etc/new").read_text() == "x\n"
    assert list((tree / "tmp").iterdir()) == list((tree / "run").iterdir()) == []


def test_a_read_only_tree_cannot_be_written(tree: Path) -> None:
    code, _, err = inside(tree, "echo x >/etc/new", writable=False)
    assert code != 0
    assert "Read-only file system" in err


@pytest.mark.parametrize(
    ("writable", "code"), [pytest.param(True, 0, id="yes"), pytest.param(False, 2, id="no")]
)
def test_a_bind_is_writable_where_it_says_so(
    tree: Path, tmp_path: Path, *, writable: bool, code: int
) -> None:
    (tmp_path / "shown").mkdir()
    binds = [(str(tmp_path / "shown"), "/mnt/shown", writable)]
    found, _, err = inside(tree, "echo x >/mnt/shown/new", binds=binds)
    assert found == code, err
    assert (tmp_path / "shown/new").exists() is writable


@pytest.mark.parametrize(
    "place",
    [
        pytest.param("dev", id="/dev"),
        pytest.param("proc", id="/proc"),
        pytest.param("tmp", id="/tmp"),
        pytest.param("run", id="/run"),
    ],
)
def test_a_mount_point_that_is_a_link_is_refused(tree: Path, host: Host, place: str) -> None:
    (tree / place).rmdir()
    (tree / place).symlink_to(host.sentinel.parent)
    before = sorted(host.sentinel.parent.iterdir())
    code, _, err = inside(tree, "true")
    assert code == 125
    assert f"a symbolic link where a mount belongs: /{place}" in err
    assert sorted(host.sentinel.parent.iterdir()) == before


@pytest.mark.parametrize(
    ("script", "code"),
    [
        pytest.param("exit 7", 7, id="its code"),
        pytest.param("kill -9 $$", 137, id="a signal, as a shell tells it"),
        pytest.param("exec /none", 127, id="a program that is not there"),
        pytest.param("sleep 60 & exit 0", 0, id="a daemon does not hold it up"),
    ],
)
def test_how_it_ends(tree: Path, script: str, code: int) -> None:
    assert inside(tree, script)[0] == code


def test_all_of_it_dies_with_goldsmith(tree: Path) -> None:
    seconds = 1_000_000 + os.getpid()  # other runs of this test have processes of their own
    spec = {
        "root": str(tree),
        "script": f"exec sleep {seconds}",
        "binds": [("/usr", "/usr", False)],
    }
    goldsmith = subprocess.Popen([sys.executable, PROGRAM, json.dumps(spec)])

    def sleepers() -> str:
        return subprocess.run(
            ["pgrep", "-f", f"^sleep {seconds}$"], capture_output=True, text=True, check=False
        ).stdout

    for _ in range(600):
        if sleepers():
            break
        subprocess.run(["sleep", "0.05"], check=True)
    assert sleepers()
    goldsmith.kill()
    goldsmith.wait()
    for _ in range(600):
        if not sleepers():
            return
        subprocess.run(["sleep", "0.05"], check=True)
    pytest.fail("the sandbox outlived the process that started it")


def test_the_command_names_no_shell() -> None:
    words = Sandbox(root=Path("/x")).argv(["a b", "$c"])
    assert json.loads(words[-1])["argv"] == ["a b", "$c"]
