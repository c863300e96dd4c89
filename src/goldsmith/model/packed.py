"""One zstd frame that says how long its content is, unpacked within bounds."""

import zstandard

LEVELS = (9, 6)
"""By which lists, maps and literals are packed; what was packed by a later one, as they once were, is made again by it."""


def unpacked(data: bytes, *, limit: int) -> bytes:
    """The content of a frame.

    Raises:
        ValueError: it is no frame, does not say how long its content is, or that is more than ``limit`` bytes.
    """
    try:
        size = zstandard.frame_content_size(data)
        if not 0 <= size <= limit:
            raise ValueError(
                f"unpacked it would have {'unknown' if size < 0 else size} bytes; {limit} are allowed"
            )
        return zstandard.ZstdDecompressor().decompress(data, max_output_size=max(1, size))
    except zstandard.ZstdError as error:
        raise ValueError(f"it cannot be unpacked ({error})") from error
