"""The bytes of patches: zstd frames with a part of the old content as their dictionary, and streams unpacked and packed again."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, cast

import zstandard

from goldsmith.store.remote.patches import BLOCK, LARGEST, Stream, window

MAGIC = b"\x28\xb5\x2f\xfd"
HEADER = 110
"""Bytes of a header of a cpio archive, "new ASCII format"."""
NAMED = b"070701"
"""How it begins."""
END = b"TRAILER!!!\0"
MEMBERS = 20_000
"""Members of plain archives, at most."""
LONGEST_NAME = 64
"""Bytes of a name that are looked at."""
ALIGNED = 4
ZEROS = 4096
"""Bytes that are looked at in one go for being zeros."""
PACKINGS = ((9, False), (1, False), (3, False), (9, True), (6, True))
"""Level, and whether in one go: initial RAM disks by Debian's default, by Ubuntu's and by zstd's; lists of a store."""
LARGEST_LOG = 22
"""Of the encoder's tables: 16 MiB each."""
WINDOW = 24
"""The largest window that a frame needs, as a power of two."""
PIECE = 1 << 20
Bytes = bytes | bytearray
Reader = Callable[[int, int], Bytes]
"""Some bytes: where they begin, and how many."""


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes that are read piece by piece; what is asked for behind their end is left out."""

    read: Reader
    size: int


def pack_block(block: Bytes, base: Bytes) -> bytes:
    """A frame that makes ``block``."""
    if not base:
        return zstandard.ZstdCompressor(level=9).compress(block)
    size = len(block) + len(base)
    log = max(10, min(LARGEST_LOG, size.bit_length()))
    parameters = zstandard.ZstdCompressionParameters(
        window_log=max(10, size.bit_length()),
        hash_log=log,
        chain_log=log,
        search_log=5,
        min_match=5,
        strategy=zstandard.STRATEGY_LAZY2,
    )
    words = zstandard.ZstdCompressionDict(bytes(base), dict_type=zstandard.DICT_TYPE_RAWCONTENT)
    return zstandard.ZstdCompressor(dict_data=words, compression_params=parameters).compress(block)


def unpack_block(data: bytes, base: bytes, size: int) -> bytes:
    """What a frame makes.

    Raises:
        ValueError: it is no frame, or does not make ``size`` bytes.
    """
    words = (
        zstandard.ZstdCompressionDict(bytes(base), dict_type=zstandard.DICT_TYPE_RAWCONTENT) if base else None
    )
    try:
        if zstandard.frame_content_size(data) != size:
            raise ValueError(f"a frame makes something else than {size} bytes")
        unpacker = zstandard.ZstdDecompressor(dict_data=words, max_window_size=1 << WINDOW)
        found = unpacker.decompress(data, max_output_size=size)
    except zstandard.ZstdError as error:
        raise ValueError(f"a frame cannot be unpacked ({error})") from error
    if len(found) != size:
        raise ValueError(f"a frame makes {len(found)} bytes instead of {size}")
    return found


def pack_blocks(new: Content, base: Content) -> Iterator[bytes]:
    """The frames of a patch."""
    for start in range(0, new.size, BLOCK):
        begin, end = window(start, base.size)
        yield pack_block(new.read(start, min(BLOCK, new.size - start)), base.read(begin, end - begin))


def frame_begin(content: Content) -> int | None:
    """Where a zstd frame begins: at once, or behind plain cpio archives and the zeros after them; None for neither."""
    at, read = 0, content.read
    for _ in range(MEMBERS):
        if read(at, len(NAMED)) != NAMED:
            break
        header = read(at, HEADER)
        try:
            size, name_size = int(header[54:62], 16), int(header[94:102], 16)
        except ValueError:
            return None
        name = read(at + HEADER, min(name_size, LONGEST_NAME))
        at = aligned(aligned(at + HEADER + name_size) + size)
        if name == END:
            at = after_zeros(content, at)
    return at if read(at, len(MAGIC)) == MAGIC else None


def after_zeros(content: Content, at: int) -> int:
    """Where something begins again that is no zero, in words of four bytes."""
    while at < content.size:
        room = bytes(content.read(at, ZEROS))
        rest = room.lstrip(b"\0")
        at += len(room) - len(rest)
        if rest:
            break
    return at - at % ALIGNED


def aligned(at: int) -> int:
    """The next place where something may begin."""
    return at + -at % ALIGNED


@dataclass
class Tail:
    """A content from some place on, as a file that is read once."""

    content: Content
    at: int

    def read(self, size: int) -> bytes:
        """The next bytes."""
        data = bytes(self.content.read(self.at, max(0, min(size, self.content.size - self.at))))
        self.at += len(data)
        return data


def unpacked(content: Content, before: int) -> Bytes:
    """A content with the zstd frame unpacked that begins at ``before``; what follows the frame is left out.

    Raises:
        ValueError: there is none, or it becomes too large.
    """
    if before > LARGEST:
        raise ValueError(f"its frame begins behind {before} bytes")
    found = bytearray(content.read(0, before))
    unpacker = zstandard.ZstdDecompressor(max_window_size=1 << WINDOW)
    try:
        with unpacker.stream_reader(cast("BinaryIO", Tail(content, before))) as stream:
            while piece := stream.read(PIECE):
                if len(found) + len(piece) > LARGEST:
                    raise ValueError(f"unpacked it has more than {LARGEST} bytes")
                found += piece
    except zstandard.ZstdError as error:
        raise ValueError(f"its frame cannot be unpacked ({error})") from error
    return found


def pack_stream(data: Reader, stream: Stream) -> Iterator[Bytes]:
    """A content from what it is with its frame unpacked."""
    yield data(0, stream.before)
    if stream.plain:
        whole = data(stream.before, stream.size - stream.before)
        yield zstandard.ZstdCompressor(level=stream.level, write_checksum=True).compress(whole)
        return
    # With one thread beside the one that feeds it, as the program does it; more would give the same bytes.
    packer = zstandard.ZstdCompressor(level=stream.level, write_checksum=True, threads=1).compressobj()
    for start in range(stream.before, stream.size, PIECE):
        yield packer.compress(data(start, min(PIECE, stream.size - start)))
    yield packer.flush()


def streams(new: Content, base: Content) -> tuple[Stream, Bytes, Bytes] | None:
    """How two contents are patched unpacked, and what they are then; None if they are not, or packing would not give ``new``."""
    before, base_before = frame_begin(new), frame_begin(base)
    if before is None or base_before is None:
        return None
    try:
        one = unpacked(new, before)
        found = packing(new, before, one)
        other = unpacked(base, base_before) if found else b""
    except ValueError:
        return None
    if found is None:
        return None
    return Stream(before, len(one), base_before, len(other), *found), one, other


def packing(content: Content, before: int, data: Bytes) -> tuple[int, bool] | None:
    """By which level a content is packed, and whether in one go."""
    for level, plain in PACKINGS:
        if makes(Stream(before, len(data), 0, 0, level, plain), data, content):
            return level, plain
    return None


def makes(stream: Stream, data: Bytes, wanted: Content) -> bool:
    """Whether packing gives these bytes; stops at the first that is another."""
    at = 0
    for piece in pack_stream(lambda start, size: data[start : start + size], stream):
        if wanted.read(at, len(piece)) != piece:
            return False
        at += len(piece)
    return at == wanted.size
