"""Mutations of sound files: the kind of damage that finds faults in parsers."""

import random

NUMBERS = (
    0,
    1,
    2,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0xFFFF,
    0x7FFF_FFFF,
    0x8000_0000,
    0xFFFF_FFFF,
    1 << 40,
    (1 << 64) - 1,
)


def weak_spots(data: bytes) -> list[int]:
    """Where something stands: zeros are mostly room."""
    return [at for at, byte in enumerate(data) if byte] or [0]


def mutate(data: bytes, chance: random.Random, spots: list[int]) -> bytes:
    """A damaged copy."""
    result = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        result = result or bytearray(1)
        at = min(len(result) - 1, max(0, chance.choice(spots) + chance.randrange(-8, 9)))
        kind = chance.randrange(6)
        if kind == 0:
            result[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            result[at] = chance.randrange(256)
        elif kind == 2:
            width = chance.choice((1, 2, 4, 8))
            number = chance.choice(NUMBERS) & ((1 << 8 * width) - 1)
            value = number.to_bytes(width, chance.choice(("little", "big")))
            result[at : at + width] = value[: len(result) - at]
        elif kind == 3:
            length = chance.choice((1, 4, 16, 64, 512))
            source = chance.choice(spots)
            piece = bytes(result[source : source + length])
            result[at : at + len(piece)] = piece
        elif kind == 4:
            result[at : at + chance.choice((1, 4, 32))] = b""
        else:
            del result[chance.randrange(len(result)) :]
            result += b"\0"
    return bytes(result)
