"""What is in a layer, read from its bytes: of one that came from elsewhere, or of which nothing is kept any more.

Only an archive that ``pack`` could have written counts: each header must be, byte for byte, the one that its entry would
get, each path must stand once and below a directory that was named, and there are no whiteouts. So whoever made the layer,
what is read here is what every other program finds in it.
"""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import zstandard

from goldsmith.model.disk import BLOCK
from goldsmith.model.oci import WHITEOUT, Descriptor
from goldsmith.model.tree import TreeEntry, normal
from goldsmith.store import pack, tar
from goldsmith.store.layers import Content, Packed, Place, StoredLayer, packed
from goldsmith.store.layout import Layout
from goldsmith.store.pack import LARGEST_FRAME, Head

PIECE = 1 << 20
LARGEST_PAX = 1 << 20
KINDS = {code: kind for kind, code in tar.TYPES.items()}


def read_layer(layout: Layout, blob: Descriptor, *, top: bool = False) -> StoredLayer:
    """All that is known of a layer that this program has packed itself.

    Args:
        layout: the store.
        blob: the layer.
        top: it is the last one, which has directories of its own and may have whiteouts; in others they are refused.

    Raises:
        ValueError: it is not as ``pack`` writes one.
        IntegrityError: it is not in the store.
    """
    reader = Reader(top)
    frames: list[Packed] = []
    state, own = hashlib.sha256(), hashlib.sha256()
    for data, raw in frames_of(layout, blob):
        own.update(data)
        state.update(raw)
        reader.frame(len(frames), raw)
        frames.append(packed(len(raw), data))
    if f"sha256:{own.hexdigest()}" != blob.digest:
        raise ValueError("its bytes are not those of its name")
    return StoredLayer(
        blob,
        f"sha256:{state.hexdigest()}",
        tuple(frames),
        reader.places,
        reader.spots,
        reader.heads,
        reader.content(),
    )


def frames_of(layout: Layout, blob: Descriptor) -> Iterator[tuple[bytes, bytes]]:
    """The frames of a layer, as they lie there and unpacked."""
    with layout.blobs.open(blob.digest) as stream:
        rest = b""
        while rest or (rest := stream.read(PIECE)):
            unpack = zstandard.ZstdDecompressor(max_window_size=LARGEST_FRAME).decompressobj()
            size, data, raw = 0, bytearray(), bytearray()
            while not unpack.eof:
                try:
                    raw += unpack.decompress(rest)
                except zstandard.ZstdError as error:
                    raise ValueError(f"it cannot be unpacked ({error})") from error
                data += rest
                size = len(data) - len(unpack.unused_data)
                if max(size, len(raw)) > LARGEST_FRAME:
                    raise ValueError("it has a frame that is too large")
                rest = unpack.unused_data if unpack.eof else stream.read(PIECE)
                if not unpack.eof and not rest:
                    raise ValueError("its last frame is cut short")
            yield bytes(data[:size]), bytes(raw)


@dataclass(slots=True)
class Reader:
    """What has been read of a layer's archive."""

    top: bool
    entries: dict[str, TreeEntry] = field(default_factory=dict)
    above: dict[str, TreeEntry] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)
    spots: dict[str, Place] = field(default_factory=dict)
    heads: dict[str, Head] = field(default_factory=dict)
    file: TreeEntry | None = None
    """Whose bytes come next."""
    done: int = 0
    """How many of them have come."""
    state: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    """SHA-256 of those."""
    ended: bool = False

    def frame(self, number: int, raw: bytes) -> None:
        """Read one frame.

        Raises:
            ValueError: it is not as ``pack`` writes one.
        """
        at = 0
        if raw == tar.END and self.file is None and not self.ended:
            self.ended = True
            return
        while at < len(raw):
            if self.ended:
                raise ValueError("something stands behind its end")
            at = self._header(number, raw, at) if self.file is None else self._bytes(raw, at)

    def content(self) -> Content:
        """What the whole layer holds.

        Raises:
            ValueError: it has no end.
        """
        if not self.ended:
            raise ValueError("it has no end")
        for entry in (*self.entries.values(), *self.above.values()):
            above = entry.path.rpartition("/")[0]
            named = self.entries.get(above) or self.above.get(above)
            if above and (named is None or named.kind != "dir"):
                raise ValueError(f"{entry.path!r} lies in a directory that it does not name")
        return Content(normal(self.entries.values()), tuple(self.above.values()))

    def _header(self, number: int, raw: bytes, at: int) -> int:
        entry, link, end = parsed(raw, at)
        if entry.path in self.entries or entry.path in self.above:
            raise ValueError(f"{entry.path!r} stands in it twice")
        if link:
            first = self.entries.get(link)
            if first is None or first.kind == "dir":
                raise ValueError(f"{entry.path!r} is a second name of something that does not come before it")
            if first.link != link:
                first = self.entries[link] = replace(first, link=link)
            entry = replace(first, path=entry.path)
        expected = tar.header(replace(entry, xattrs=()) if link else entry, link_to=link)
        if raw[at:end] != expected:
            raise ValueError(f"the header of {entry.path!r} is not as this program writes it")
        if entry.path.rpartition("/")[2].startswith(WHITEOUT) and not self.top:
            raise ValueError(f"{entry.path!r} hides something")
        if entry.kind == "dir" and entry.mtime == 0 and not self.top:
            self.above[entry.path] = entry
            return end
        self.entries[entry.path] = entry
        if entry.kind == "file" and entry.size and not link:
            self.places[entry.path] = Place(number, end)
            self.file, self.done, self.state = entry, 0, hashlib.sha256()
        else:
            self.spots[entry.path] = Place(number, end)
            if entry.kind == "file" and not link:
                self.entries[entry.path] = replace(entry, sha256=hashlib.sha256().hexdigest())
        return end

    def _bytes(self, raw: bytes, at: int) -> int:
        entry = self.file
        assert entry is not None
        length = min(entry.size - self.done, len(raw) - at)
        data = memoryview(raw)[at : at + length]
        if entry.path not in self.heads and self.done % BLOCK == 0:
            found = pack.head(bytes(data), self.done // BLOCK)
            if found is not None:
                self.heads[entry.path] = found
        self.state.update(data)
        self.done += length
        if self.done < entry.size:
            return at + length
        padding = -entry.size % tar.RECORD
        if raw[at + length : at + length + padding] != bytes(padding):
            raise ValueError(f"{entry.path!r} is not filled up with zeros")
        self.entries[entry.path] = replace(entry, sha256=self.state.hexdigest())
        self.file = None
        return at + length + padding


def parsed(raw: bytes, at: int) -> tuple[TreeEntry, str, int]:
    """An entry from its header, the path that it is another name of, and where the header ends; read loosely.

    Whether it is written as it should be is found out by writing it again.

    Raises:
        ValueError: it is no header.
    """
    records: dict[bytes, bytes] = {}
    if raw[at + 156 : at + 157] == b"x":
        size = octal(raw, at + 124, 12)
        if size > LARGEST_PAX:
            raise ValueError("a header is too large")
        records = pax(raw[at + tar.RECORD : at + tar.RECORD + size])
        at += tar.RECORD + size + -size % tar.RECORD
    block = raw[at : at + tar.RECORD]
    kind = KINDS.get(block[156:157], "")
    if len(block) < tar.RECORD or not kind:
        raise ValueError("there is no header where one should be")
    name = records.get(b"path", block[:100].rstrip(b"\0"))
    target = os.fsdecode(records.get(b"linkpath", block[157:257].rstrip(b"\0")))
    path = "/" + os.fsdecode(name[:-1] if kind == "dir" else name)
    parts = path[1:].split("/")
    if set(parts) & {"", ".", ".."} and path != "/.":
        raise ValueError(f"{path!r} cannot be a path")
    if kind in tar.DEVICES:
        target = f"{octal(block, 329, 8)}:{octal(block, 337, 8)}"
    xattrs = tuple(
        sorted(
            (os.fsdecode(key.removeprefix(b"SCHILY.xattr.")), value.hex())
            for key, value in records.items()
            if key.startswith(b"SCHILY.xattr.")
        )
    )
    entry = TreeEntry(
        "/" if path == "/." else path,
        "file" if kind == "hardlink" else kind,
        octal(block, 100, 8),
        int(records.get(b"uid", octal(block, 108, 8))),
        int(records.get(b"gid", octal(block, 116, 8))),
        int(records.get(b"mtime", octal(block, 136, 12))),
        int(records.get(b"size", octal(block, 124, 12))),
        target="" if kind == "hardlink" else target,
        xattrs=xattrs,
    )
    return entry, f"/{target}" if kind == "hardlink" else "", at + tar.RECORD


def octal(block: bytes, at: int, length: int) -> int:
    """A number of a header."""
    return int(block[at : at + length].rstrip(b"\0 ") or b"0", 8)


def pax(data: bytes) -> dict[bytes, bytes]:
    """The records of a pax header."""
    found: dict[bytes, bytes] = {}
    at = 0
    while at < len(data):
        digits = data[at : data.index(b" ", at)]
        end = at + int(digits)
        key, equals, value = data[at + len(digits) + 1 : end - 1].partition(b"=")
        if end <= at + len(digits) + 1 or end > len(data) or not equals or key in found:
            raise ValueError("a pax header is damaged")
        found[key] = value
        at = end
    return found
