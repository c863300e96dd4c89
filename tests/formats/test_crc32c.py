import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldsmith.disk.formats.crc32c import crc32c


@pytest.mark.parametrize(
    ("data", "checksum"),
    [
        pytest.param(bytes(32), 0x8A9136AA, id="32 zeros, of RFC 3720"),
        pytest.param(b"\xff" * 32, 0x62A8AB43, id="32 bytes of ones, of RFC 3720"),
        pytest.param(bytes(range(32)), 0x46DD794E, id="rising bytes, of RFC 3720"),
        pytest.param(bytes(range(31, -1, -1)), 0x113FDB5C, id="falling bytes, of RFC 3720"),
        pytest.param(b"123456789", 0xE3069283, id="the usual check value"),
        pytest.param(b"", 0, id="nothing"),
    ],
)
def test_known_checksums(data: bytes, checksum: int) -> None:
    assert crc32c(data) == checksum


def by_bits(data: bytes) -> int:
    """The polynomial division, a bit at a time, highest power first."""
    value = 0xFFFFFFFF
    for byte in data:
        for bit in range(8):
            carry = value >> 31 ^ byte >> bit & 1
            value = value << 1 & 0xFFFFFFFF ^ (0x1EDC6F41 if carry else 0)
    return int(f"{value ^ 0xFFFFFFFF:032b}"[::-1], 2)


@given(st.binary(max_size=300))
def test_it_is_the_division_by_the_polynomial(data: bytes) -> None:
    assert crc32c(data) == by_bits(data)
