from pathlib import Path

import pytest

from goldsmith.effects.sparse import chunks, copy_sparse, extents

K = 4096


@pytest.fixture
def holes(room: Path) -> Path:
    """Data at blocks 1, 3 and 9, an odd end after block 20."""
    path = room / "holes"
    with path.open("wb") as stream:
        stream.truncate(20 * K + 100)
        for block in (1, 3, 9, 20):
            stream.seek(block * K)
            stream.write(b"d" * 50)
    return path


@pytest.mark.parametrize(
    ("unit", "found"),
    [
        pytest.param(K, [(1, 2), (3, 4), (9, 10), (20, 20.0244140625)], id="by blocks, the end is the file's own"),
        pytest.param(4 * K, [(0, 4), (8, 12), (20, 20.0244140625)], id="larger units swallow small holes, each once"),
        pytest.param(64 * K, [(0, 20.0244140625)], id="one unit is all"),
    ],
)  # fmt: skip
def test_ranges_of_data(holes: Path, unit: int, found: list[tuple[float, float]]) -> None:
    with holes.open("rb") as stream:
        assert [(a / K, b / K) for a, b in extents(stream.fileno(), unit=unit)] == found


def test_chunks_are_cut_at_units(room: Path) -> None:
    (room / "full").write_bytes(b"x" * 10_000)
    with (room / "full").open("rb") as stream:
        assert list(chunks(stream.fileno(), unit=K)) == [(0, K), (K, 2 * K), (2 * K, 10_000)]


def test_an_empty_file_and_a_hole_have_no_data(room: Path) -> None:
    (room / "empty").touch()
    with (room / "hole").open("wb") as stream:
        stream.truncate(1 << 30)
    for name in ("empty", "hole"):
        with (room / name).open("rb") as stream:
            assert list(extents(stream.fileno(), unit=K)) == []


def test_a_copy_keeps_bytes_and_holes(holes: Path, room: Path) -> None:
    with (room / "copy").open("w+b") as stream:
        stream.truncate(8 * K + holes.stat().st_size)
        copy_sparse(holes, stream.fileno(), 8 * K)
    assert (room / "copy").read_bytes() == bytes(8 * K) + holes.read_bytes()
