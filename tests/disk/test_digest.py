import hashlib
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from goldsmith.disk.digest import disk_digest, sha256_sparse

NOISE = random.Random(3)
MIB = 1 << 20


def raw_disk(path: Path, size: int, parts: Sequence[tuple[int, bytes]]) -> Path:
    with path.open("wb") as stream:
        stream.truncate(size)
        for offset, data in parts:
            stream.seek(offset)
            stream.write(data[: max(0, size - offset)])
    return path


def by_the_docstring(data: bytes) -> str:
    """The definition once more, word by word, with no thought of speed."""
    text = b"goldsmith disk 1\n" + len(data).to_bytes(8, "little")
    for start in range(0, len(data), MIB):
        segment = data[start : start + MIB]
        blocks = [segment[at : at + 4096].ljust(4096, b"\0") for at in range(0, len(segment), 4096)]
        bits = [int(any(block)) for block in blocks]
        if any(bits):
            present = bytes(
                sum(bit << place for place, bit in enumerate(bits[at : at + 8])) for at in range(0, 256, 8)
            )
            kept = b"".join(block for block in blocks if any(block))
            text += (start // MIB).to_bytes(8, "little") + hashlib.sha256(present + kept).digest()
    return "sha256:" + hashlib.sha256(text).hexdigest()


@pytest.mark.parametrize(
    ("size", "parts"),
    [
        pytest.param(0, [], id="nothing"),
        pytest.param(5 * MIB, [], id="a hole"),
        pytest.param(5 * MIB, [(0, bytes(MIB))], id="written zeros"),
        pytest.param(5 * MIB, [(0, b"x"), (MIB - 1, b"y"), (MIB, b"z")], id="bytes at a segment's edges"),
        pytest.param(2 * MIB, [(0, NOISE.randbytes(2 * MIB))], id="noise"),
        pytest.param(MIB + 512, [(MIB, b"x" * 512)], id="an odd end"),
        pytest.param(
            3 * MIB, [(n * 70_000, b"q" * 100) for n in range(40)], id="several ranges in one segment"
        ),
    ],
)
def test_both_digests_are_what_their_definitions_say(
    tmp_path: Path, size: int, parts: list[tuple[int, bytes]]
) -> None:
    raw = raw_disk(tmp_path / "raw", size, parts)
    data = raw.read_bytes()
    assert disk_digest(raw) == by_the_docstring(data)
    assert sha256_sparse(raw) == hashlib.sha256(data).hexdigest()


@given(
    size=st.integers(0, 3 * MIB),
    parts=st.lists(st.tuples(st.integers(0, 3 * MIB), st.binary(min_size=1, max_size=6000)), max_size=5),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_holes_and_written_zeros_and_jobs_make_no_difference(
    tmp_path: Path, size: int, parts: list[tuple[int, bytes]]
) -> None:
    raw = raw_disk(tmp_path / "raw", size, parts)
    dense = tmp_path / "dense"
    dense.write_bytes(raw.read_bytes())
    assert disk_digest(raw, jobs=1) == disk_digest(dense, jobs=3)
    assert sha256_sparse(raw) == sha256_sparse(dense) == hashlib.sha256(dense.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda data: data[:5000] + bytes([data[5000] ^ 1]) + data[5001:], id="one byte"),
        pytest.param(lambda data: data + bytes(512), id="one more sector of zeros"),
        pytest.param(lambda data: data[4096:8192] + data[:4096] + data[8192:], id="two blocks in turn"),
        pytest.param(lambda data: bytes(4096) + data[:-4096], id="everything one block further"),
    ],
)
def test_a_change_changes_the_digest(tmp_path: Path, change: object) -> None:
    data = NOISE.randbytes(3 * 4096) + bytes(2 * MIB)
    (tmp_path / "before").write_bytes(data)
    assert callable(change)
    (tmp_path / "after").write_bytes(change(data))
    assert disk_digest(tmp_path / "before") != disk_digest(tmp_path / "after")


def test_the_identity_of_a_disk_never_changes_between_releases_of_goldsmith(tmp_path: Path) -> None:
    raw = raw_disk(tmp_path / "raw", 5 * MIB, [(0, b"golden"), (3 * MIB + 5, b"image")])
    assert disk_digest(raw) == "sha256:4ea1688e9d7ab6cd5162501db6ed86785177574cc71776f41a415b5d77033980"
