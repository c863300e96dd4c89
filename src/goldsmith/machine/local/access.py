"""Into a machine: commands and files by way of the agent, terminals by ssh and the serial console."""

import io
import tarfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from goldsmith.effects.clock import monotonic, sleep
from goldsmith.effects.sockets import banner
from goldsmith.errors import StepFailed, Unavailable, UsageError
from goldsmith.machine.channel import Done, Guest, quoted
from goldsmith.machine.local.create import make_key
from goldsmith.machine.local.room import directory_of, running
from goldsmith.model.vm import LocalMachine, Run
from goldsmith.store.home import Home

HOST_KEYS = "cat /etc/ssh/ssh_host_*_key.pub 2>/dev/null; exit 0"
HOSTS = "known_hosts"
COPY_SECONDS = 3600.0
BANNER_SECONDS = 5.0
LOOK_AGAIN = 0.5
LOGIN = """
user=$1
if [ -z "$user" ]; then
  user=root
  if command -v sshd >/dev/null && sshd -T 2>/dev/null | grep -qx 'permitrootlogin no'; then
    user=$(getent passwd | awk -F: '$3 >= 1000 && $3 < 60000 && $7 !~ /nologin|false/ { print $1; exit }')
  fi
fi
command -v sshd >/dev/null || exit 3
home=$(getent passwd "$user" | cut -d : -f 6)
[ -n "$home" ] || exit 4
mkdir -p -m 700 "$home/.ssh"
touch "$home/.ssh/authorized_keys"
grep -qxF "$2" "$home/.ssh/authorized_keys" || printf '%s\\n' "$2" >>"$home/.ssh/authorized_keys"
chmod 600 "$home/.ssh/authorized_keys"
chown "$user:" "$home/.ssh" "$home/.ssh/authorized_keys"
printf '%s\\n' "$user"
"""
"""Lets the machine's key in; prints the account."""
NO_SERVER = 3
NO_ACCOUNT = 4


def need_running(home: Home, machine: LocalMachine) -> Run:
    """How a machine runs.

    Raises:
        UsageError: it does not.
    """
    run = running(directory_of(home, machine.name))
    if run is None:
        raise UsageError(
            f"{machine.name!r} does not run", hint=f"start it: goldsmith vm start --wait {machine.name}"
        )
    if not run.nonce:
        raise Unavailable(
            f"how {machine.name!r} was started is not known",
            hint=f"start it anew: goldsmith vm kill {machine.name}; goldsmith vm start {machine.name}",
        )
    return run


def wait_for_ssh(run: Run, seconds: float) -> None:
    """Wait until the SSH server answers.

    Raises:
        Unavailable: it does not.
    """
    deadline = monotonic() + seconds
    while not banner(run.ssh, timeout=BANNER_SECONDS).startswith(b"SSH-"):
        if monotonic() >= deadline:
            raise Unavailable(
                f"no SSH server answers inside within {seconds:g} s",
                hint="is it enabled, and the network up? goldsmith vm exec NAME -- systemctl status ssh",
            )
        sleep(LOOK_AGAIN)


def ssh_command(
    home: Home, machine: LocalMachine, run: Run, inside: Guest, user: str, words: tuple[str, ...]
) -> tuple[str, ...]:
    """The ssh command that leads into a machine: its key is let in, and its host keys are known, both from inside.

    Raises:
        Unavailable: it has no SSH server.
        UsageError: it has no such account.
    """
    directory = directory_of(home, machine.name)
    key = make_key(directory, machine.name)
    public = key.with_suffix(".pub").read_text().strip()
    done = inside.run(f"set -- {quoted(user, public)}\n{LOGIN}")
    if done.code == NO_SERVER:
        raise Unavailable(
            f"{machine.name!r} has no SSH server",
            hint=f"goldsmith vm exec {machine.name} -- COMMAND needs none, nor does goldsmith vm console",
        )
    if done.code == NO_ACCOUNT:
        raise UsageError(
            f"{machine.name!r} has no account {user!r}", hint="name one that exists: --user NAME"
        )
    if done.code:
        raise StepFailed(
            "the machine's key could not be let in", hint="look at the line above", tail=done.complaint
        )
    keys = inside.check(HOST_KEYS).splitlines()
    (directory / HOSTS).write_text("".join(f"{machine.name} {' '.join(line.split()[:2])}\n" for line in keys))
    options = {
        "IdentityFile": str(key),
        "IdentitiesOnly": "yes",
        "UserKnownHostsFile": str(directory / HOSTS),
        "GlobalKnownHostsFile": "/dev/null",
        "HostKeyAlias": machine.name,
        "StrictHostKeyChecking": "yes",
        "LogLevel": "ERROR",
        "ConnectTimeout": "30",
    }
    given = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    return ("ssh", "-F", "/dev/null", *given, "-p", str(run.ssh), f"{done.text.strip()}@127.0.0.1", *words)


def execute(inside: Guest, words: tuple[str, ...], *, stdin: bytes, timeout: float) -> Done:
    """Run a command inside, as root; a shell is not between."""
    return inside.run(f"exec {quoted(*words)}", stdin=stdin, timeout=timeout)


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a copy."""

    machine: str
    """The machine; empty for this host."""
    path: str
    """The path there."""


def read_side(text: str) -> Side:
    """``NAME:PATH`` or ``PATH``; one with a slash before the colon is a path of this host."""
    name, colon, path = text.partition(":")
    return Side(name, path) if colon and "/" not in name else Side("", text)


def copy_in(inside: Guest, source: Path, target: str) -> None:
    """Copy a file or a directory into a machine: into ``target`` where that is a directory, else under its name.

    Raises:
        UsageError: there is nothing to copy.
        StepFailed: it cannot be written inside.
    """
    if not source.exists():
        raise UsageError(f"there is no {str(source)!r} on this host", hint="name a file or a directory")
    into = inside.run(f"test -d {quoted(target)}").code == 0
    place = PurePosixPath(target)
    name, room = (source.resolve().name, target) if into else (place.name, str(place.parent))
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(source, arcname=name, filter=_as_root)
    inside.check(
        f"tar -x -f - --no-same-owner -C {quoted(room)}", stdin=packed.getvalue(), timeout=COPY_SECONDS
    )


def _as_root(item: tarfile.TarInfo) -> tarfile.TarInfo:
    item.uid = item.gid = 0
    item.uname = item.gname = "root"
    return item


def copy_out(inside: Guest, source: str, target: Path) -> None:
    """Copy a file or a directory out of a machine; nothing is written outside ``target``.

    Raises:
        StepFailed: it is not there, or cannot be read.
    """
    place = PurePosixPath(source)
    done = inside.run(
        f"tar -c -f - -C {quoted(str(place.parent))} -- {quoted(place.name)}", timeout=COPY_SECONDS
    )
    if done.code:
        raise StepFailed(
            f"{source!r} cannot be read inside", hint="look at the line above", tail=done.complaint
        )
    into = target.is_dir()
    links = []
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        for item in archive:
            inner = item.name if into else item.name.partition("/")[2]
            path = target / inner if inner else target
            if ".." in PurePosixPath(inner).parts or inner.startswith("/"):
                raise StepFailed(
                    f"the machine sends a file that would lie elsewhere: {item.name!r}",
                    hint="do not trust what runs in this machine",
                )
            if item.isdir():
                path.mkdir(exist_ok=True)
            elif item.issym():
                links.append((path, item.linkname))
            elif found := archive.extractfile(item):
                path.write_bytes(found.read())
                path.chmod(item.mode & 0o777)
    for path, to in links:  # last, so that nothing is written through one
        path.unlink(missing_ok=True)
        path.symlink_to(to)
