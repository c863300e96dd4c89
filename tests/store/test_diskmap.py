import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.store.trees import Tree, noise, nothing, opener, tree_of

from goldsmith.disk.digest import disk_digest
from goldsmith.errors import IntegrityError
from goldsmith.model.diskmap import DiskMap, Run, Source, decode, encode
from goldsmith.model.tree import tree_digest
from goldsmith.store.diskmap import StoredMap, areas, read_map, rebuild, store_map
from goldsmith.store.layout import Layout
from goldsmith.store.tree import read_index, store_tree

K = 4096
MIB = 1 << 20
A, B, C = noise(1, 10 * K), noise(2, 3 * K + 100), noise(3, 500)
HOLED = noise(4, 2 * K) + bytes(3 * K) + noise(5, 2 * K)
LATE = bytes(2 * K) + noise(6, 4 * K)
FILES = {"/a": A, "/b": B, "/c": C, "/holed": HOLED, "/late": LATE, "/empty": b""}


def disk_of(path: Path, size: int, parts: Mapping[int, bytes]) -> Path:
    """A sparse disk: bytes by the block that they begin at."""
    with path.open("wb") as stream:
        stream.truncate(size)
        for block, data in parts.items():
            stream.seek(block * K)
            stream.write(data)
    return path


def mapped(
    layout: Layout, tree: Tree, raw: Path, *, closed: bool = False, cuts: tuple[int, ...] = ()
) -> StoredMap:
    entries, contents = tree
    stored = store_tree(layout, entries, opener(contents), owners={})
    found = store_map(
        layout,
        raw,
        entries,
        stored.layers,
        nothing if closed else opener(contents),
        disk_digest=disk_digest(raw),
        tree_digest=tree_digest(entries.values()),
        cuts=cuts,
    )
    index = read_index(layout, stored.index.digest)
    assert read_map(layout, found.blob.digest, index) == found.map
    output = raw.with_name("rebuilt")
    rebuild(layout, found.map, [blob.digest for blob in found.literals], index, output, digest=disk_digest)
    assert output.read_bytes() == raw.read_bytes()
    return found


def blocks(found: DiskMap) -> dict[Source, int]:
    return {source: sum(run.blocks for run in found.runs if run.source is source) for source in Source}


@pytest.mark.parametrize(
    ("parts", "literal", "closed"),
    [
        pytest.param({}, 0, True, id="an empty disk"),
        pytest.param({0: A, 20: B, 40: C}, 0, True, id="whole files, which need not be opened"),
        pytest.param({0: A + B.ljust(4 * K, b"\0") + C}, 0, True, id="files side by side"),
        pytest.param({0: C, 9: C, 30: C}, 0, True, id="a file three times"),
        pytest.param({0: noise(9, K), 5: A, 100: noise(8, 2 * K)}, 3, True, id="literals around a file"),
        pytest.param({0: A[: 4 * K], 50: A[4 * K :]}, 0, False, id="a file in two pieces"),
        pytest.param({50: A[: 4 * K], 0: A[4 * K :]}, 0, False, id="the second piece first"),
        pytest.param(
            {60: A[:K], 30: A[K : 3 * K], 0: A[3 * K : 5 * K], 90: A[5 * K :]},
            0,
            False,
            id="four pieces in no order",
        ),
        pytest.param({0: HOLED[: 2 * K] + HOLED[5 * K :]}, 0, False, id="zeros inside a file left out"),
        pytest.param({0: HOLED}, 0, True, id="zeros inside a file written"),
        pytest.param({10: LATE}, 0, False, id="a file that begins with zeros"),
        pytest.param({10: LATE[2 * K :]}, 0, False, id="zeros at a file's beginning left out"),
        pytest.param({0: B + b"not zero"}, 1, False, id="something behind a file's end in its block"),
        pytest.param({0: A[: 2 * K] + noise(7, K) + A[3 * K :]}, 1, False, id="one block of a file replaced"),
        pytest.param({127: noise(7, 600)}, 1, True, id="literals in the disk's cut last block"),
        pytest.param({120: A}, 0, False, id="a file cut by the disk's end"),
    ],
)
def test_files_are_found_on_a_disk(
    layout: Layout, tmp_path: Path, parts: Mapping[int, bytes], literal: int, closed: bool
) -> None:
    raw = disk_of(tmp_path / "raw", 127 * K + 600, {})
    with raw.open("r+b") as stream:
        for block, data in parts.items():
            stream.seek(block * K)
            stream.write(data[: 127 * K + 600 - block * K])
    found = mapped(layout, tree_of(FILES), raw, closed=closed)
    # A file that the disk's end cuts inside a block leaves that block to the literals.
    assert blocks(found.map)[Source.LITERAL] <= max(literal, 1 if 120 in parts else 0)


@given(
    st.lists(st.tuples(st.integers(0, 300), st.sampled_from([*FILES.values(), noise(7, 9000)])), max_size=8),
    st.lists(st.integers(0, 300), max_size=3),
    st.integers(0, 2 * K),
)
@settings(max_examples=50, deadline=None)
def test_any_disk_comes_back_from_its_map(parts: list[tuple[int, bytes]], cuts: list[int], odd: int) -> None:
    with tempfile.TemporaryDirectory() as room:
        raw = disk_of(Path(room) / "raw", 320 * K + odd, dict(parts))
        mapped(Layout(Path(room) / "store"), tree_of(FILES), raw, cuts=tuple(cut * K for cut in cuts))


def test_literals_of_an_unchanged_area_are_known_again(layout: Layout, tmp_path: Path) -> None:
    boot = noise(20, 5 * K)
    one = mapped(
        layout,
        tree_of(FILES),
        disk_of(tmp_path / "one", MIB, {0: boot, 64: A, 90: noise(21, K)}),
        cuts=(64 * K,),
    )
    two = mapped(
        layout,
        tree_of(FILES),
        disk_of(tmp_path / "two", MIB, {0: boot, 64: B, 90: noise(22, K)}),
        cuts=(64 * K,),
    )
    assert one.literals[0] == two.literals[0]
    assert one.literals[1] != two.literals[1]


def test_a_run_of_literals_is_cut_at_areas() -> None:
    found = DiskMap(10 * K, "", "", (Run(Source.LITERAL, 10),), (0, 4, 99))
    assert areas(found) == [[], [(0, 4 * K)], [(4 * K, 6 * K)], []]


def test_a_huge_empty_disk_costs_nothing(layout: Layout, tmp_path: Path) -> None:
    entries, contents = tree_of(FILES)
    stored = store_tree(layout, entries, opener(contents), owners={})
    raw = disk_of(tmp_path / "raw", 1 << 40, {1 << 27: A})
    found = store_map(layout, raw, entries, stored.layers, nothing, disk_digest="d", tree_digest="t")
    assert [run.source for run in found.map.runs] == [Source.ZERO, Source.FILE, Source.ZERO]


@pytest.mark.parametrize("harm", ["layer", "literals", "digest", "swap"])
def test_another_disk_is_never_rebuilt(layout: Layout, tmp_path: Path, harm: str) -> None:
    entries, contents = tree_of(FILES)
    stored = store_tree(layout, entries, opener(contents), owners={})
    raw = disk_of(tmp_path / "raw", MIB, {0: A, 30: B, 99: noise(9, 7 * K)})
    named = disk_digest(raw) if harm != "digest" else "sha256:" + "0" * 64
    found = store_map(layout, raw, entries, stored.layers, nothing, disk_digest=named, tree_digest="t").map
    index = read_index(layout, stored.index.digest)
    (literals,) = store_map(
        layout, raw, entries, stored.layers, nothing, disk_digest=named, tree_digest="t"
    ).literals
    if harm == "swap":
        found = DiskMap(found.size, named, "t", tuple(reversed(found.runs)))
    if harm in {"layer", "literals"}:
        path = layout.blobs.path(stored.layers[0].blob.digest if harm == "layer" else literals.digest)
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 16
        path.write_bytes(data)
    output = tmp_path / "out"
    with pytest.raises(
        IntegrityError, match=r"instead of|cannot be unpacked|fewer literals|unpacked it would"
    ):
        rebuild(layout, found, [literals.digest], index, output, digest=disk_digest)
    assert not output.exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(lambda text: text.replace("disk map 1", "disk map 9"), "it begins with 'disk map 9'", id="another version"),
        pytest.param(lambda text: text + "[1]\n", "its runs cover 257 blocks", id="more than the disk"),
        pytest.param(lambda text: text + "[0]\n", "is no run", id="a run of nothing"),
        pytest.param(lambda text: text + "[true]\n", "is no run", id="a truth as a number"),
        pytest.param(lambda text: text + "[1,99,0]\n", "a file that the tree does not have", id="no such file"),
        pytest.param(lambda text: text + "[11,0,0]\n", "reaches beyond its file's", id="beyond a file's end"),
        pytest.param(lambda text: text + "[1,2,3,4]\n", "ValueError|too many values", id="too many numbers"),
        pytest.param(lambda text: text.replace('"cuts":[]', '"cuts":[3,1]'), "its areas begin at", id="areas in disorder"),
    ],
)  # fmt: skip
def test_a_map_that_cannot_be_is_refused(
    layout: Layout, tmp_path: Path, change: Callable[[str], str], message: str
) -> None:
    entries, _ = tree_of(FILES)
    found = mapped(layout, tree_of(FILES), disk_of(tmp_path / "raw", MIB, {0: A})).map
    text = zstandard.ZstdDecompressor().decompress(encode(found, entries.values())).decode()
    with pytest.raises(ValueError, match=message):
        decode(zstandard.ZstdCompressor().compress(change(text).encode()), entries)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_map_or_refused(data: bytes) -> None:
    entries, _ = tree_of(FILES)
    for text in (data, zstandard.ZstdCompressor().compress(data)):
        with pytest.raises(ValueError):  # noqa: PT011 - many reasons are right
            decode(text, entries)
