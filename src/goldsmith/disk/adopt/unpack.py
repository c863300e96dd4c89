"""A file that may be packed by gzip, zstd, xz or bzip2, as plain bytes, within bounds."""

import bz2
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
MARKS = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"\xfd7zXZ\0": "xz", b"BZh": "bzip2"}


def packing(head: bytes) -> str:
    """What a file that begins so is packed by; empty if it is not."""
    return next((name for mark, name in MARKS.items() if head.startswith(mark)), "")


def unpack(source: BinaryIO, size: int, output: Path) -> None:
    """Unpack a stream into a file.

    Args:
        source: the packed bytes.
        size: how many they are.
        output: the file to make.

    Raises:
        InputError: they are damaged, or unpack to too much.
        NoSpace: there is no room for it.
    """
    allowed = BEYOND + TIMES * size
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
        unpacker = zstandard.ZstdDecompressor(max_window_size=1 << 27)
        with unpacker.stream_reader(source, read_across_frames=True, closefd=False) as stream:
            while data := stream.read(WINDOW):
                yield data
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
