"""Into a machine: commands by way of the agent, terminals by ssh and the serial console."""

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
