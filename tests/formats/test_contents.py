"""Every byte of a disk is in the file, as the format's own tools read it."""

import random
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from goldsmith.effects.process import run
from goldsmith.errors import StepFailed
from goldsmith.model.format import FORMATS, NAMES, Format

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
NOISE = random.Random(11)
QEMU_NAMES = {"qcow2": "qcow2", "vmdk": "vmdk", "vhd": "vpc", "vhdx": "vhdx", "vdi": "vdi"}
Part = tuple[int, bytes]
MakeDisk = Callable[[int, Iterable[Part]], Path]
Convert = Callable[[Path, str], Path]
Same = Callable[[Path, str, Path], None]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("size", "parts"),
    [
        pytest.param(MIB, [], id="a disk of nothing but a hole"),
        pytest.param(3 * MIB, [(0, bytes(3 * MIB))], id="zeros that were written"),
        pytest.param(2 * MIB, [(0, NOISE.randbytes(2 * MIB))], id="noise that nothing can shrink"),
        pytest.param(512, [(0, b"x" * 512)], id="one sector"),
        pytest.param(MIB + 512, [(MIB, b"x" * 512)], id="a last sector beyond the last whole MiB"),
        pytest.param(5 * MIB - 512, [(0, b"ab" * 3 * MIB)], id="data up to an odd end"),
        pytest.param(GIB, [(GIB - 1, b"x")], id="the last byte only"),
        pytest.param(
            9 * GIB,
            [(4 * GIB - 2, b"around 4 GiB"), (9 * GIB - MIB - 7, b"t" * MIB)],
            id="more than 8 GiB, data around the first 4",
        ),
        pytest.param(
            300 * MIB, [(n * 3 * MIB, b"y" * 600) for n in range(100)], id="many runs with holes between"
        ),
        pytest.param(
            96 * MIB + 64 * KIB,
            [(32 * MIB - 1, b"ab"), (64 * MIB, b"c"), (96 * MIB, b"d")],
            id="data on both sides of a table's end",
        ),
    ],
)
def test_every_byte_is_read_back(
    disk: MakeDisk, convert: Convert, same: Same, name: str, size: int, parts: list[Part]
) -> None:
    raw = disk(size, parts)
    same(convert(raw, name), name, raw)


@pytest.mark.parametrize("name", NAMES)
@given(
    sectors=st.integers(1, 12_000),
    parts=st.lists(
        st.tuples(st.integers(0, 6 * MIB), st.sampled_from([1, 513, 70_000, MIB]), st.booleans()), max_size=6
    ),
)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_disk_is_read_back(
    disk: MakeDisk,
    convert: Convert,
    same: Same,
    name: str,
    sectors: int,
    parts: list[tuple[int, int, bool]],
) -> None:
    raw = disk(
        sectors * 512,
        [(offset, NOISE.randbytes(length) if noisy else b"z" * length) for offset, length, noisy in parts],
    )
    same(convert(raw, name), name, raw)


@pytest.mark.parametrize("name", NAMES)
def test_a_changed_byte_of_the_disk_is_noticed_by_the_comparison(
    mixed: Path, convert: Convert, same: Same, name: str
) -> None:
    path = convert(mixed, name)
    with mixed.open("r+b") as stream:
        stream.seek(7 * MIB)
        stream.write(b"?")
    with pytest.raises(StepFailed, match="Content mismatch at offset 7"):
        same(path, name, mixed)


@pytest.mark.parametrize(
    "row", [row for row in FORMATS if row.name not in {"raw", "gcp"}], ids=lambda r: r.name
)
def test_qemu_sees_the_size_that_the_format_wants(disk: MakeDisk, convert: Convert, row: Format) -> None:
    path = convert(disk(5 * MIB + 512, [(0, b"x")]), row.name)
    wanted = -(-(5 * MIB + 512) // row.unit) * row.unit
    assert f"({wanted} bytes)" in run(["qemu-img", "info", "-f", QEMU_NAMES[row.name], str(path)]).text


@pytest.mark.parametrize("size", [1, 511, 64 * KIB + 1, 2 * MIB - 3])
def test_a_raw_file_is_the_disk_to_its_last_byte(disk: MakeDisk, convert: Convert, size: int) -> None:
    raw = disk(size, [(0, b"x"), (size - 1, b"y")])
    assert convert(raw, "raw").read_bytes() == raw.read_bytes()
