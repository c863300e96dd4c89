"""The first process of a sandbox; run by path as ``python -I -S sandbox_init.py SPEC``, without goldsmith's package.

It is a program of its own because a process that has threads cannot safely fork and go on in Python. SPEC is the
JSON object that ``sandbox.py`` writes. Mounts, processes and the network are the sandbox's own; capabilities that
reach outside the tree are dropped; when goldsmith dies, by whatever signal, all of it dies.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import signal
import socket
import struct
import sys
import warnings  # noqa: F401 - os.execvpe imports it when Python's own files are out of reach

TYPE_CHECKING = False  # as typing's own, whose import would cost a third of this program's start
if TYPE_CHECKING:
    from typing import Any

PR_SET_PDEATHSIG, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 24, 38
CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWPID, CLONE_NEWNET = (
    0x20000,
    0x4000000,
    0x8000000,
    0x20000000,
    0x40000000,
)
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = (
    1,
    2,
    4,
    8,
    32,
    4096,
    16384,
    1 << 18,
)
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
KEPT_CAPABILITIES = {0, 1, 3, 4, 5, 6, 7, 8, 10, 18, 29, 31}
"""CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE SYS_CHROOT AUDIT_WRITE SETFCAP.

Not MKNOD, SYS_ADMIN, DAC_READ_SEARCH, SYS_RAWIO, ...: with real root they reach the host's disks.
"""
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
READ_ONLY_PROC = ("sys", "sysrq-trigger", "irq", "bus", "fs", "acpi", "scsi")
"""Files of /proc that belong to uid 0 and change the whole host."""
MASKED_PROC = ("kcore", "keys", "timer_list", "latency_stats")

libc = ctypes.CDLL(None, use_errno=True)


def checked(result: int, doing: str) -> None:
    """Raise the error of a C function that returned non-zero."""
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), doing)


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """Mount, as the system call of that name does."""
    texts = [text.encode() or None for text in (source, target, kind)]
    checked(libc.mount(*texts, ctypes.c_ulong(flags), options.encode() or None), f"mount on {target}")


def bind(source: str, target: str, *, writable: bool) -> None:
    """Show ``source`` at ``target``."""
    mount(source, target, flags=MS_BIND | MS_REC)
    flags = MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV
    mount("", target, flags=flags if writable else flags | MS_RDONLY)


def refuse_links(root: str, target: str) -> None:
    """A tree's own symbolic links must not lead a mount out of it: paths are still the host's here."""
    path = root
    for part in target.strip("/").split("/"):
        path = os.path.join(path, part)
        if os.path.islink(path):
            raise OSError(40, f"the tree has a symbolic link where a mount belongs: {target}")


def make_mount_point(root: str, target: str, *, directory: bool) -> None:
    """Make what is needed to mount on ``target``; what is there stays."""
    refuse_links(root, target)
    path = root + target
    if os.path.lexists(path):
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if directory:
        os.mkdir(path)
    else:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o644))


def mount_devices(root: str) -> None:
    """A /dev of the harmless devices only."""
    dev = os.path.join(root, "dev")
    mount("tmpfs", dev, "tmpfs", MS_NOSUID, "mode=0755,size=1m")
    for name in DEVICES:
        path = os.path.join(dev, name)
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o644))
        mount(f"/dev/{name}", path, flags=MS_BIND)
    os.mkdir(os.path.join(dev, "pts"))
    mount(
        "devpts",
        os.path.join(dev, "pts"),
        "devpts",
        MS_NOSUID | MS_NOEXEC,
        "newinstance,ptmxmode=0666,mode=0620",
    )
    os.symlink("pts/ptmx", os.path.join(dev, "ptmx"))
    os.mkdir(os.path.join(dev, "shm"))
    mount("tmpfs", os.path.join(dev, "shm"), "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777")
    for name, target in (("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        os.symlink(target, os.path.join(dev, name))


def mount_proc(root: str) -> None:
    """A /proc of the sandbox's own processes, in which the host's settings cannot be written."""
    proc = os.path.join(root, "proc")
    mount("proc", proc, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    for name in READ_ONLY_PROC:
        path = os.path.join(proc, name)
        if os.path.exists(path):
            mount(path, path, flags=MS_BIND | MS_REC)
            mount("", path, flags=MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC)
    for name in MASKED_PROC:
        path = os.path.join(proc, name)
        if os.path.exists(path):
            mount("/dev/null", path, flags=MS_BIND)


def enter_root(spec: dict[str, Any]) -> None:
    """Build the sandbox's view and make it the root."""
    root = spec["root"]
    mount("", "/", flags=MS_REC | MS_PRIVATE)
    mount(root, root, flags=MS_BIND | MS_REC)
    for name in ("/dev", "/proc", *spec["tmpfs"]):
        make_mount_point(root, name, directory=True)
    mount_devices(root)
    mount_proc(root)
    for name in spec["tmpfs"]:
        mount(
            "tmpfs",
            root + name,
            "tmpfs",
            MS_NOSUID | MS_NODEV,
            "mode=0755" if name == "/run" else "mode=1777",
        )
    for source, target, writable in spec["binds"]:
        make_mount_point(root, target, directory=os.path.isdir(source))
        bind(source, root + target, writable=writable)
    flags = MS_REMOUNT | MS_BIND | MS_NODEV | (0 if spec["writable"] else MS_RDONLY)
    mount("", root, flags=flags)
    os.chdir(root)
    checked(libc.syscall(PIVOT_ROOT[os.uname().machine], b".", b"."), "pivot_root")
    checked(libc.umount2(b".", 2), "umount of the old root")
    os.chdir(spec["cwd"])


def raise_loopback() -> None:
    """Bring up ``lo``, the only interface of a sandbox without network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        fcntl.ioctl(probe, 0x8914, struct.pack("16sh14x", b"lo", 0x41))


def drop_capabilities() -> None:
    """Give up what reaches outside the tree, for good."""
    with open("/proc/sys/kernel/cap_last_cap") as stream:
        last = int(stream.read())
    for number in range(last + 1):
        if number not in KEPT_CAPABILITIES:
            checked(libc.prctl(PR_CAPBSET_DROP, number, 0, 0, 0), "drop a capability")
    checked(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no new privileges")


def exit_code(status: int) -> int:
    """A wait status as a shell would tell it."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def init(spec: dict[str, Any]) -> int:
    """Be process 1: start the command, reap whatever ends, leave with the command's code."""
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    enter_root(spec)
    checked(libc.sethostname(b"localhost", 9), "sethostname")
    if not spec["network"]:
        raise_loopback()
    drop_capabilities()
    os.umask(0o022)
    child = os.fork()
    if child == 0:
        if not spec["terminal"]:
            os.setsid()
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        try:
            os.execvpe(spec["argv"][0], spec["argv"], spec["environment"])  # noqa: S606 - never a shell string
        except OSError as error:
            os.write(2, f"{spec['argv'][0]}: {error.strerror}\n".encode())
            os._exit(127)
    while True:
        pid, status = os.wait()
        if pid == child:
            return exit_code(status)


def main() -> int:
    """Unshare, fork into the new process namespace, wait."""
    spec = json.loads(sys.argv[1])
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != spec["parent"]:
        return 137
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    flags = (
        CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | (0 if spec["network"] else CLONE_NEWNET)
    )
    checked(libc.unshare(flags), "unshare")
    child = os.fork()
    if child == 0:
        code = 125
        try:
            code = init(spec)
        except BaseException as error:  # noqa: BLE001 - the forked child must not return into the parent's code
            os.write(2, f"sandbox: {error}\n".encode())
        finally:
            os._exit(code)
    return exit_code(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    sys.exit(main())
