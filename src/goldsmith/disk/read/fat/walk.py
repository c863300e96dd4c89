"""Every path of a FAT volume."""

import struct
from collections.abc import Iterator
from datetime import UTC, datetime

from goldsmith.disk.read.area import Area, malformed
from goldsmith.disk.read.fat.volume import Volume, read_volume
from goldsmith.disk.read.limits import PATH, Tally
from goldsmith.disk.read.node import Body, Node

ENTRY = struct.Struct("<11sBB7xHHHHI")
LONG = 0x0F
LABEL, DIRECTORY = 0x08, 0x10
FREE, DELETED = 0x00, 0xE5
LOWER_BASE, LOWER_TAIL = 0x08, 0x10
LARGEST_DIRECTORY = 2 << 20
"""Bytes of a directory, at most; the format has no larger ones."""
MODE = 0o755
"""What everything has that a kernel mounts without further options; FAT keeps no modes."""


class Fat:
    """One volume."""

    def __init__(self, area: Area, tally: Tally) -> None:
        self.volume: Volume = read_volume(area)
        self.tally = tally
        self._seen: set[int] = set()

    def walk(self) -> Iterator[Node]:
        """Every path, parents before children.

        Raises:
            InputError: the volume is damaged.
        """
        yield Node("/", "dir", MODE, 0, 0, 0)
        waiting = [("", self._root())]
        while waiting:
            above, data = waiting.pop()
            names: set[str] = set()
            for name, attributes, cluster, size, mtime in _entries(data):
                path = f"{above}/{name}"
                if name.casefold() in names or len(path) > PATH:
                    raise malformed(f"a FAT directory has the name {name!r:.100} twice, or it is too long")
                names.add(name.casefold())
                self.tally.entry(len(path))
                if attributes & DIRECTORY:
                    yield Node(path, "dir", MODE, 0, 0, mtime)
                    waiting.append((path, self._directory(cluster)))
                    continue
                self.tally.content(size)
                pieces = self.volume.pieces(cluster, size) if size else ()
                body = Body(self.volume.area.descriptor, size, pieces)
                yield Node(path, "file", MODE, 0, 0, mtime, body=body)

    def _root(self) -> bytes:
        at, length = self.volume.root
        return self.volume.area.read(at, length) if length else self._directory(at)

    def _directory(self, cluster: int) -> bytes:
        if cluster in self._seen:
            raise malformed(f"the FAT directory in cluster {cluster} has two names")
        self._seen.add(cluster)
        pieces = self.volume.pieces(cluster, None)
        size = sum(piece.length for piece in pieces)
        if size > LARGEST_DIRECTORY:
            raise malformed(f"a FAT directory has {size} bytes")
        self.tally.directory(size)
        return Body(self.volume.area.descriptor, size, pieces).read(0, size)


def _entries(data: bytes) -> Iterator[tuple[str, int, int, int, int]]:
    """Name, attributes, first cluster, size and time of each entry."""
    long: dict[int, bytes] = {}
    for at in range(0, len(data) - 31, 32):
        raw = data[at : at + 32]
        if raw[0] == FREE:
            return
        if raw[0] == DELETED:
            long.clear()
            continue
        if raw[11] == LONG:
            long[raw[0] & 0x3F] = raw[1:11] + raw[14:26] + raw[28:32]
            continue
        short, attributes, case, high, time, date, low, size = ENTRY.unpack(raw)
        name = _long_name(long) or _short_name(short, case)
        long.clear()
        if attributes & LABEL or name in {".", ".."}:
            continue
        if not name or "/" in name or "\0" in name:
            raise malformed(f"a FAT directory has the name {name!r:.100}")
        yield name, attributes, high << 16 | low, size, _time(date, time)


def _long_name(parts: dict[int, bytes]) -> str:
    if not parts or set(parts) != set(range(1, len(parts) + 1)):
        return ""
    text = b"".join(parts[number] for number in sorted(parts)).decode("utf-16-le", errors="replace")
    return text.partition("\0")[0]


def _short_name(raw: bytes, case: int) -> str:
    first = b"\xe5" if raw[0] == 0x05 else raw[:1]  # noqa: PLR2004 - how a name that begins with 0xE5 is kept
    base = (first + raw[1:8]).decode("cp437").rstrip()
    tail = raw[8:].decode("cp437").rstrip()
    base = base.lower() if case & LOWER_BASE else base
    tail = tail.lower() if case & LOWER_TAIL else tail
    return f"{base}.{tail}" if tail else base


def _time(date: int, time: int) -> int:
    """Seconds since 1970; FAT keeps no zone, so UTC."""
    try:
        moment = datetime(
            1980 + (date >> 9),
            date >> 5 & 15,
            date & 31,
            time >> 11,
            time >> 5 & 63,
            (time & 31) * 2,
            tzinfo=UTC,
        )
    except ValueError:
        return 0
    return int(moment.timestamp())
