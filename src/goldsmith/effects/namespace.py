"""Become root in a namespace of one's own: as root only the mounts are private; as a user the ids are mapped too.

After ``enter()`` the rest of goldsmith is written once, for root. Mounts made later vanish with the process,
however it ends, so nothing can be left mounted.
"""

import ctypes
import os
import pwd
from pathlib import Path

from goldsmith.effects.process import run
from goldsmith.errors import Unavailable

CLONE_NEWNS = 0x0002_0000
CLONE_NEWUSER = 0x1000_0000
MS_REC = 0x4000
MS_PRIVATE = 1 << 18
CAP_SYS_ADMIN = 21
IDS = 65_536
"""How many ids a tree needs: 0 to 65535, so that ``nobody`` is one of them."""

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, doing: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), doing)


def unshare(flags: int) -> None:
    """Leave namespaces, for the whole process, which must have one thread only."""
    _checked(_libc.unshare(flags), "unshare")


def mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    """Mount, as the system call of that name does."""
    arguments = [text.encode() or None for text in (source, target, kind)]
    _checked(_libc.mount(*arguments, ctypes.c_ulong(flags), options.encode() or None), target)


def unmount(target: str) -> None:
    """Detach a mount at once, even if it is in use."""
    lazy = 2
    _checked(_libc.umount2(target.encode(), lazy), target)


def has_system_administration() -> bool:
    """Whether this process may mount."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> CAP_SYS_ADMIN & 1)
    return False


def subordinate_range(table: Path, user: str, uid: int) -> tuple[int, int] | None:
    """The first range of ``IDS`` - 1 ids or more that ``/etc/subuid`` or ``/etc/subgid`` gives a user."""
    try:
        lines = table.read_text().splitlines()
    except FileNotFoundError:
        return None
    for line in lines:
        owner, _, numbers = line.partition(":")
        start, _, count = numbers.partition(":")
        if owner in {user, str(uid)} and start.isdigit() and count.isdigit() and int(count) >= IDS - 1:
            return int(start), int(count)
    return None


def enter(*, trees: bool = True) -> None:
    """Give this process private mounts, and, if it is not root, all ids of a tree.

    Must be called before any thread starts. Calling it again does nothing.

    Args:
        trees: whether trees are written; else a user's own id will do where there are no others.

    Raises:
        Unavailable: user namespaces or subordinate ids are missing; the hint says how to get them.
    """
    if os.environ.get("GOLDSMITH_NAMESPACE") == str(os.getpid()):
        return
    if os.geteuid() == 0 and has_system_administration():
        unshare(CLONE_NEWNS)
    else:
        _enter_user_namespace(trees=trees)
    mount("", "/", "", MS_REC | MS_PRIVATE)
    os.environ["GOLDSMITH_NAMESPACE"] = str(os.getpid())


def _enter_with_own_id(user: str, uid: int, gid: int) -> None:
    """As root of a namespace that has this user only, which nobody need allow."""
    try:
        unshare(CLONE_NEWUSER | CLONE_NEWNS)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    except OSError as error:
        raise _forbidden(user, error) from error


def _forbidden(user: str, error: OSError) -> Unavailable:
    return Unavailable(
        f"this host does not let user {user!r} make a user namespace: {error.strerror}",
        hint="allow it (sysctl kernel.unprivileged_userns_clone=1, user.max_user_namespaces), or run as root",
    )


def _enter_user_namespace(*, trees: bool) -> None:
    uid, gid = os.geteuid(), os.getegid()
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:  # a container may run with a number that has no name
        user = str(uid)
    ranges = {}
    for table in ("subuid", "subgid"):
        found = subordinate_range(Path("/etc", table), user, uid)
        if found is None and not trees:
            _enter_with_own_id(user, uid, gid)
            return
        if found is None:
            raise Unavailable(
                f"user {user!r} has no range of {IDS - 1} or more ids in /etc/{table}",
                hint=f"let an administrator run: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {user}",
            )
        ranges[table] = found[0]
    pid = os.getpid()
    ready, go = os.pipe()
    mapper = os.fork()
    if mapper == 0:
        code = 1
        try:
            os.close(go)
            os.read(ready, 1)
            rest = str(IDS - 1)
            run(["newuidmap", str(pid), "0", str(uid), "1", "1", str(ranges["subuid"]), rest])
            run(["newgidmap", str(pid), "0", str(gid), "1", "1", str(ranges["subgid"]), rest])
            code = 0
        except BaseException as error:  # noqa: BLE001 - a forked child must not return into the parent's code
            os.write(2, f"{error}\n".encode())
        finally:
            os._exit(code)
    os.close(ready)
    try:
        unshare(CLONE_NEWUSER | CLONE_NEWNS)
    except OSError as error:
        os.kill(mapper, 9)
        os.waitpid(mapper, 0)
        raise _forbidden(user, error) from error
    finally:
        os.close(go)
    _, status = os.waitpid(mapper, 0)
    if status != 0:
        raise Unavailable(
            f"the ids of user {user!r} could not be mapped",
            hint="install newuidmap and newgidmap: apt-get install --no-install-recommends uidmap",
        )
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
