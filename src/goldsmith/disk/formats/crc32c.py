"""CRC-32C (Castagnoli), as VHDX uses it; RFC 3720, appendix B.4. The standard library has only the other CRC-32."""

POLYNOMIAL = 0x82F6_3B78
"""The polynomial with its bits in reverse."""


def table_row(byte: int) -> int:
    """What eight shifts make of one byte."""
    value = byte
    for _ in range(8):
        value = value >> 1 ^ (POLYNOMIAL if value & 1 else 0)
    return value


TABLE = tuple(table_row(byte) for byte in range(256))


def crc32c(data: bytes) -> int:
    """The checksum; about 10 MB/s, enough for headers."""
    table = TABLE
    value = 0xFFFF_FFFF
    for byte in data:
        value = table[(value ^ byte) & 0xFF] ^ value >> 8
    return value ^ 0xFFFF_FFFF
