"""A file that may be packed by gzip, zstd, xz or bzip2, as plain bytes, within bounds."""

import bz2
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import zstandard

from goldsmith.disk.read.area import malformed, refused
from goldsmith.effects.files import free_bytes
from goldsmith.errors import NoSpace

WINDOW = 1 << 20
BEYOND = 2 << 30
"""Bytes that every file may unpack to ..."""
TIMES = 64
"""... and how many times its own size beyond that; roots pack to a half or a fifth."""
MEMORY = 256 << 20
"""Bytes that unpacking xz may take; ``xz -9`` asks for 65 MiB."""
END = b"\0goldsmith: the end of a stream\0"
MARKS = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"\xfd7zXZ\0": "xz", b"BZh": "bzip2"}


def packing(head: bytes) -> str:
    """What a file that begins so is packed by; empty if it is not."""
    return next((name for mark, name in MARKS.items() if head.startswith(mark)), "")


def unpack(source: BinaryIO, size: int, output: Path, *, beyond: int = BEYOND) -> None:
    """Unpack a stream into a file.

    Args:
        source: the packed bytes.
        size: how many they are.
        output: the file to make.
        beyond: bytes that every file may unpack to.

    Raises:
        InputError: they are damaged, or unpack to too much.
        NoSpace: there is no room for it.
    """
    allowed = beyond + TIMES * size
    done = 0
    try:
        with output.open("wb") as stream:
            for data in _pieces(source):
                done += len(data)
                if done > allowed:
                    raise refused(
                        f"it unpacks to more than {TIMES} times its {size >> 20} MiB",
                        "if it is what you want, unpack it yourself first",
                    )
                if done % (64 << 20) < len(data) and free_bytes(output.parent) < 64 << 20:
                    raise NoSpace(
                        f"no space is left in {output.parent} to unpack it",
                        hint="free some space, or set GOLDSMITH_HOME to a larger file system",
                    )
                stream.write(data)
    except (zlib.error, lzma.LZMAError, zstandard.ZstdError, OSError, EOFError, ValueError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise malformed(f"it cannot be unpacked: {error}") from error


def _pieces(source: BinaryIO) -> Iterator[bytes]:
    head = source.read(6)
    source.seek(0)
    kind = packing(head)
    if kind == "zstd":
        yield from _zstd(source)
        return
    if kind == "gzip":
        yield from _gzip(source)
        return
    yield from _stream(
        source, (lambda: lzma.LZMADecompressor(memlimit=MEMORY)) if kind == "xz" else bz2.BZ2Decompressor
    )


def _stream(
    source: BinaryIO, make: Callable[[], lzma.LZMADecompressor | bz2.BZ2Decompressor]
) -> Iterator[bytes]:
    stream = make()
    waiting = source.read(WINDOW)
    while True:
        data = stream.decompress(waiting, WINDOW)
        waiting = b""
        if data:
            yield data
        if stream.eof:
            waiting = stream.unused_data or source.read(WINDOW)
            if not waiting.strip(b"\0"):
                return
            stream = make()
        elif stream.needs_input:
            waiting = source.read(WINDOW)
            if not waiting:
                raise EOFError("it is cut off")


class _Followed(io.RawIOBase):
    """A stream with a frame behind it, by which it shows whether the stream was whole."""

    def __init__(self, source: BinaryIO, tail: bytes) -> None:
        super().__init__()
        self._source = source
        self._tail = io.BytesIO(tail)

    def readable(self) -> bool:
        """As it says."""
        return True

    def readinto(self, buffer: object) -> int:
        """The next bytes."""
        view = memoryview(buffer)  # type: ignore[arg-type] # any writable buffer
        data = self._source.read(len(view)) or self._tail.read(len(view))
        view[: len(data)] = data
        return len(data)


def _zstd(source: BinaryIO) -> Iterator[bytes]:
    """Zstandard tells nothing of a frame that is cut off, so a frame of our own must come out behind it."""
    ours = zstandard.ZstdCompressor().compress(END)
    held = b""
    unpacker = zstandard.ZstdDecompressor(max_window_size=1 << 27)
    followed = io.BufferedReader(_Followed(source, ours), WINDOW)
    with unpacker.stream_reader(followed, read_across_frames=True) as stream:
        while data := stream.read(WINDOW):
            held += data
            if len(held) > len(END):
                yield held[: -len(END)]
                held = held[-len(END) :]
    if held != END:
        raise EOFError("it is cut off")


def _gzip(source: BinaryIO) -> Iterator[bytes]:
    stream = zlib.decompressobj(wbits=31)
    waiting = source.read(WINDOW)
    while True:
        data = stream.decompress(waiting, WINDOW)
        waiting = stream.unconsumed_tail
        if data:
            yield data
        if stream.eof:
            waiting = stream.unused_data or source.read(WINDOW)
            if not waiting.strip(b"\0"):
                return
            stream = zlib.decompressobj(wbits=31)
        elif not waiting and not data:
            waiting = source.read(WINDOW)
            if not waiting:
                raise EOFError("it is cut off")
