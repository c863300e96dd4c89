"""One door to other programs: a clean environment, a log, a deadline, and errors that say what to do."""

import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from goldsmith.errors import MissingTool, StepFailed

TAIL_LINES = 15

PACKAGE_OF = {
    "apt-get": "apt",
    "apt-cache": "apt",
    "dpkg-deb": "dpkg",
    "debugfs": "e2fsprogs",
    "dpkg": "dpkg",
    "newuidmap": "uidmap",
    "newgidmap": "uidmap",
    "qemu-img": "qemu-utils",
    "qemu-system-x86_64": "qemu-system-x86",
    "gpgv": "gpgv",
    "setpriv": "util-linux",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
}
"""Which Debian package has a host program; the hint of ``MissingTool``."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A program that has ended."""

    argv: tuple[str, ...]
    code: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        """What it printed on standard output."""
        return self.stdout.decode(errors="replace")


def missing(program: str) -> MissingTool:
    """The error for a host program that is not installed."""
    package = PACKAGE_OF.get(program, program)
    return MissingTool(
        f"the program {program!r} is not installed on this host",
        hint=f"install it: apt-get install --no-install-recommends {package}",
    )


def need(*programs: str) -> None:
    """Check that host programs are installed, before something is begun that needs them.

    Raises:
        MissingTool: naming all that are missing, and one command that installs them.
    """
    path = environment()["PATH"]
    absent = [program for program in programs if shutil.which(program, path=path) is None]
    if len(absent) == 1:
        raise missing(absent[0])
    if absent:
        packages = sorted({PACKAGE_OF.get(program, program) for program in absent})
        raise MissingTool(
            f"these programs are not installed on this host: {', '.join(absent)}",
            hint=f"install them: apt-get install --no-install-recommends {' '.join(packages)}",
        )


def tail(output: bytes, lines: int = TAIL_LINES) -> str:
    """The last lines of what a program printed, as text."""
    return "\n".join(output.decode(errors="replace").rstrip().splitlines()[-lines:])


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """A small, equal environment for every program: none of the caller's variables, but PATH and TMPDIR."""
    kept = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
    base = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
    }
    return {**base, **kept, **(extra or {})}


def run(
    argv: Sequence[str],
    *,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout: float | None = None,
    check: bool = True,
    log: Path | None = None,
    pass_fds: Sequence[int] = (),
    hint: str = "look at the lines above",
    shown: Sequence[str] = (),
) -> Finished:
    """Run a program to its end.

    Args:
        argv: the program and its arguments; never a shell string.
        stdin: what it reads on standard input.
        env: variables added to the small base environment.
        cwd: the directory it starts in.
        timeout: seconds after which it is killed.
        check: whether an exit code other than 0 raises.
        log: a file to which both outputs are appended; then ``stdout`` and ``stderr`` are empty, and the error's
            tail comes from the log.
        pass_fds: file descriptors it inherits.
        hint: what to do when it fails.
        shown: the command as a person knows it, where ``argv`` is a wrapper around it.

    Raises:
        MissingTool: the program is not installed.
        StepFailed: it failed, or did not end in time.
    """
    stream = None
    try:
        if log is not None:
            stream = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        done = subprocess.run(
            list(argv),
            input=stdin,
            stdout=subprocess.PIPE if stream is None else stream,
            stderr=subprocess.PIPE if stream is None else stream,
            env=environment(env),
            cwd=cwd,
            timeout=timeout,
            check=False,
            pass_fds=tuple(pass_fds),
        )
    except FileNotFoundError as error:
        if cwd is not None and not cwd.is_dir():
            raise
        raise missing(argv[0]) from error
    except subprocess.TimeoutExpired as error:
        raise StepFailed(
            f"{(shown or argv)[0]} did not end within {timeout:g} s",
            hint=hint,
            log=str(log) if log else None,
            tail=tail(error.stderr or b""),
        ) from error
    finally:
        if stream is not None:
            os.close(stream)
    if check and done.returncode != 0:
        printed = log.read_bytes() if log else done.stderr + done.stdout
        raise StepFailed(
            f"{shlex.join((shown or argv)[:6])} failed with exit code {done.returncode}",
            hint=hint,
            log=str(log) if log else None,
            tail=tail(printed),
        )
    return Finished(tuple(argv), done.returncode, done.stdout or b"", done.stderr or b"")


def kill_children() -> None:
    """Kill every process that this one has started and that still runs."""
    for listing in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):
            for pid in listing.read_text().split():
                with suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)


def interact(argv: Sequence[str]) -> int:
    """Hand the terminal to a program until it ends; its exit code."""
    kind = {"TERM": os.environ["TERM"]} if "TERM" in os.environ else None
    return subprocess.run(list(argv), env=environment(kind), check=False).returncode
