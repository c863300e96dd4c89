"""Files into a machine and out of it, as tar archives by way of the agent."""

import io
import shutil
import tarfile
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from goldsmith.errors import GoldsmithError, StepFailed, UsageError
from goldsmith.machine.channel import Done, Guest, quoted

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer

COPY_SECONDS = 3600.0
PART = 4 << 20
SEND = f"""
room=$(mktemp -d -p /run goldsmith-copy.XXXXXX 2>/dev/null || mktemp -d) || exit
export room
setsid timeout {COPY_SECONDS:.0f} sh -c '
  {{ tar -c -f - --hard-dereference -C "$1" -- "$2" 2>"$room/err"; echo $? >"$room/code"; }} |
    split -b {PART} --filter="cat >\\$room/new && mv \\$room/new \\$room/part &&
      while [ -e \\$room/part ]; do sleep 0.05; done"
  [ ! -d "$room" ] || : >"$room/done"
' sh "$1" "$2" </dev/null >/dev/null 2>&1 &
echo "$room"
"""
"""Begins to send: each part lies in ``part`` until it was fetched; ``done`` comes after the last."""
NEXT = """
until [ -e "$room/part" ] || [ -e "$room/done" ]; do sleep 0.05; done
[ -e "$room/part" ] || exit 9
cat "$room/part" && rm "$room/part"
"""
RESULT = 'tail -n 3 "$room/err" >&2; exit "$(cat "$room/code")"'
NO_MORE = 9


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
    with closing(Sent(inside, PurePosixPath(source))) as sent:
        try:
            links = _unpack(sent, target)
        except tarfile.TarError as error:
            sent.finish()
            hint = "look at goldsmith vm logs, and copy it again"
            raise StepFailed(f"{source!r} did not arrive whole: {error}", hint=hint) from error
        sent.finish()
    for path, to in links:  # last, so that nothing is written through one
        path.unlink(missing_ok=True)
        path.symlink_to(to)


def _unpack(sent: "Sent", target: Path) -> list[tuple[Path, str]]:
    """Write what comes; the symbolic links that are still to be made."""
    into = target.is_dir()
    links = []
    with tarfile.open(fileobj=sent, mode="r|") as archive:
        for item in archive:
            inner = item.name if into else item.name.partition("/")[2]
            path = target / inner if inner else target
            if ".." in PurePosixPath(inner).parts or inner.startswith("/"):
                raise StepFailed(
                    f"the machine sends a file that would lie elsewhere: {item.name!r}",
                    hint="do not trust what runs in this machine",
                )
            if item.issym():
                links.append((path, item.linkname))
            else:
                _extract(archive, item, path)
    return links


def _extract(archive: tarfile.TarFile, item: tarfile.TarInfo, path: Path) -> None:
    if item.isdir():
        path.mkdir(exist_ok=True)
    elif found := archive.extractfile(item):
        with path.open("wb") as stream:
            shutil.copyfileobj(found, stream, PART)
        path.chmod(item.mode & 0o777)


class Sent(io.RawIOBase):
    """The tar archive of something inside, as it comes: in parts, since a guest has little room to put it down in."""

    def __init__(self, inside: Guest, source: PurePosixPath) -> None:
        self._inside = inside
        self._source = source
        self._room = ""
        self._held = memoryview(b"")
        words = (str(source.parent), source.name)
        self._room = inside.check(f"set -- {quoted(*words)}\n{SEND}").strip()

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: "Buffer", /) -> int:
        """Fill a buffer as far as the present part goes.

        Raises:
            StepFailed: the next part cannot be read.
        """
        if not self._held:
            done = self._ask(NEXT)
            if done.code == NO_MORE:
                return 0
            if done.code:
                raise self._unread(done)
            self._held = memoryview(done.stdout)
        into = memoryview(buffer).cast("B")
        count = min(len(into), len(self._held))
        into[:count] = self._held[:count]
        self._held = self._held[count:]
        return count

    def finish(self) -> None:
        """Take the rest, and see whether all could be read.

        Raises:
            StepFailed: it could not.
        """
        while self.read(PART):
            pass
        done = self._ask(RESULT)
        if done.code:
            raise self._unread(done)

    def close(self) -> None:
        """Let what still sends end."""
        if self._room and not self.closed:
            with suppress(GoldsmithError):
                self._inside.run(f"rm -rf {quoted(self._room)}")
        super().close()

    def _ask(self, script: str) -> Done:
        return self._inside.run(f"room={quoted(self._room)}\n{script}", timeout=COPY_SECONDS)

    def _unread(self, done: Done) -> StepFailed:
        return StepFailed(
            f"{str(self._source)!r} cannot be read inside",
            hint="look at the lines above",
            tail=done.stderr.decode(errors="replace").strip(),
        )
