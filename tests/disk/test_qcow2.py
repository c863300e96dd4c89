import hashlib
import random
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from goldsmith.disk.formats import qcow2 as qcow2_format
from goldsmith.disk.formats.qcow2 import CLUSTER, refcount_sizes
from goldsmith.disk.formats.source import Source
from goldsmith.effects.files import sha256_file
from goldsmith.effects.process import run
from goldsmith.errors import StepFailed

NOISE = random.Random(7)
GIB = 1 << 30


def raw_disk(path: Path, size: int, parts: Sequence[tuple[int, bytes]]) -> Path:
    with path.open("wb") as stream:
        stream.truncate(size)
        for offset, data in parts:
            stream.seek(offset)
            stream.write(data)
    return path


def write_qcow2(raw: Path, output: Path, *, jobs: int = 2, level: int = 3) -> str:
    with raw.open("rb") as source, output.open("wb") as target:
        disk = Source(source.fileno(), raw.stat().st_size)
        qcow2_format.write_qcow2(disk, target, jobs=jobs, level=level)
    return sha256_file(output)


def assert_same(qcow2: Path, raw: Path) -> None:
    checked = run(["qemu-img", "check", str(qcow2)])
    assert "No errors were found" in checked.text
    # qemu-img compare ignores nothing in strict mode: size and every byte.
    assert (
        "Images are identical"
        in run(["qemu-img", "compare", "-f", "qcow2", "-F", "raw", str(qcow2), str(raw)]).text
    )


@pytest.mark.parametrize(
    ("size", "parts"),
    [
        pytest.param(CLUSTER, [], id="one cluster of zeros"),
        pytest.param(GIB, [], id="nothing but a hole"),
        pytest.param(1 << 20, [(0, bytes(1 << 20))], id="zeros that were written"),
        pytest.param(1 << 20, [(0, NOISE.randbytes(1 << 20))], id="noise that zstd cannot shrink"),
        pytest.param(1 << 20, [(0, b"text " * 200_000)], id="text"),
        pytest.param(512, [(0, b"x" * 512)], id="one sector"),
        pytest.param(CLUSTER + 512, [(CLUSTER, b"x" * 512)], id="data in an odd last sector"),
        pytest.param(
            3 * CLUSTER - 512, [(0, NOISE.randbytes(3 * CLUSTER - 512))], id="noise up to an odd end"
        ),
        pytest.param(GIB, [(GIB - 1, b"x")], id="the last byte only"),
        pytest.param(20 * GIB, [(0, b"a"), (11 * GIB, b"b" * 9000)], id="more than one table, sparse"),
        pytest.param(
            4 << 20,
            [(n * CLUSTER, NOISE.randbytes(CLUSTER) if n % 2 else b"t" * CLUSTER) for n in range(64)],
            id="compressed and plain clusters in turn",
        ),
        pytest.param(
            4 << 20, [(n * CLUSTER + 5, b"y") for n in range(0, 64, 3)], id="many tiny pieces share clusters"
        ),
    ],
)
def test_qemu_reads_back_every_byte(tmp_path: Path, size: int, parts: list[tuple[int, bytes]]) -> None:
    raw = raw_disk(tmp_path / "raw", size, parts)
    output = tmp_path / "qcow2"
    digest = write_qcow2(raw, output)
    assert_same(output, raw)
    assert digest == hashlib.sha256(output.read_bytes()).hexdigest()


@given(
    sectors=st.integers(1, 4096),
    parts=st.lists(
        st.tuples(st.integers(0, 2 << 20), st.sampled_from([1, 511, 5000, 70_000]), st.booleans()), max_size=6
    ),
)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_qemu_reads_back_any_disk(tmp_path: Path, sectors: int, parts: list[tuple[int, int, bool]]) -> None:
    size = sectors * 512
    kept = [
        (offset, (NOISE.randbytes(length) if noisy else b"z" * length)[: size - offset])
        for offset, length, noisy in parts
        if offset < size
    ]
    raw = raw_disk(tmp_path / "raw", size, kept)
    write_qcow2(raw, tmp_path / "qcow2")
    assert_same(tmp_path / "qcow2", raw)


def test_a_flipped_byte_on_the_disk_is_noticed_by_the_comparison(tmp_path: Path) -> None:
    raw = raw_disk(tmp_path / "raw", 1 << 20, [(0, b"text " * 200_000)])
    write_qcow2(raw, tmp_path / "qcow2")
    with raw.open("r+b") as stream:
        stream.seek(700_000)
        stream.write(b"!")
    with pytest.raises(StepFailed, match="Content mismatch at offset 6"):
        assert_same(tmp_path / "qcow2", raw)


def test_the_file_is_the_same_for_any_number_of_jobs_and_however_sparse_the_disk_is(tmp_path: Path) -> None:
    parts = [(n * 300_000, NOISE.randbytes(5000) + b"t" * 90_000) for n in range(100)]
    raw = raw_disk(tmp_path / "raw", 40 << 20, parts)
    dense = tmp_path / "dense"
    dense.write_bytes(raw.read_bytes())
    assert dense.stat().st_blocks > raw.stat().st_blocks
    digests = {
        write_qcow2(disk, tmp_path / "qcow2", jobs=jobs) for disk in (raw, dense) for jobs in (1, 2, 5)
    }
    assert len(digests) == 1


def test_the_level_changes_the_file_but_not_the_disk(tmp_path: Path) -> None:
    raw = raw_disk(tmp_path / "raw", 1 << 20, [(0, bytes(NOISE.choices(range(9), k=1 << 20)))])
    assert write_qcow2(raw, tmp_path / "a", level=1) != write_qcow2(raw, tmp_path / "b", level=9)
    assert_same(tmp_path / "a", raw)
    assert_same(tmp_path / "b", raw)


def test_qemu_says_that_clusters_are_zstd(tmp_path: Path) -> None:
    raw = raw_disk(tmp_path / "raw", 1 << 20, [(0, b"text " * 1000)])
    write_qcow2(raw, tmp_path / "qcow2")
    info = run(["qemu-img", "info", str(tmp_path / "qcow2")]).text
    assert "compression type: zstd" in info
    assert "compat: 1.1" in info


@given(before=st.integers(1, 1 << 34))
def test_reference_counts_count_themselves_and_waste_nothing(before: int) -> None:
    blocks, table = refcount_sizes(before)
    total = before + blocks + table
    per_block = CLUSTER // 2
    assert (blocks - 1) * per_block < total <= blocks * per_block
    assert (table - 1) * CLUSTER < blocks * 8 <= table * CLUSTER


def test_a_full_file_system_is_an_error_that_says_where(room: Path) -> None:
    raw = raw_disk(room / "raw", 4 << 20, [(0, NOISE.randbytes(4 << 20))])
    script = (
        "import sys; from pathlib import Path\n"
        "from goldsmith.effects.namespace import enter, mount\n"
        "from goldsmith.disk.formats.table import find_format\n"
        "from goldsmith.disk.formats.write import write_file\n"
        "enter(); mount('tmpfs', sys.argv[1], 'tmpfs', 0, 'size=1m')\n"
        "write_file(Path(sys.argv[2]), Path(sys.argv[1], 'web.qcow2'), find_format('qcow2'), jobs=2)\n"
    )
    (room / "small").mkdir()
    done = run([sys.executable, "-c", script, str(room / "small"), str(raw)], check=False)
    assert f"NoSpace: no space left while writing {room}/small/web.qcow2" in done.stderr.decode()
