"""Where a tree lies on ext4, for any tree and any free blocks."""

import os
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldsmith.disk.ext4.directory import ROOM, directory_blocks, length_of, split
from goldsmith.disk.ext4.extents import IN_INODE, Extent, extent_tree, tree_blocks
from goldsmith.disk.ext4.plan import Placed, place_tree, whole
from goldsmith.disk.need import measure
from goldsmith.errors import StepFailed
from goldsmith.model.disk import BLOCK
from goldsmith.model.tree import TreeEntry

ROOT_BLOCK, FIRST_INODE = 7, 13
NAMES = st.text(st.sampled_from("ab.é"), min_size=1, max_size=9).filter(lambda name: name not in {".", ".."})


@st.composite
def trees(draw: st.DrawFn) -> dict[str, TreeEntry]:
    """A tree of directories, files with and without links, and symbolic links."""
    entries = {"/": TreeEntry("/", "dir", 0o755, 0, 0, 0)}
    for _ in range(draw(st.integers(0, 12))):
        parent = draw(st.sampled_from(sorted(path for path, e in entries.items() if e.kind == "dir")))
        path = f"{parent.rstrip('/')}/{draw(NAMES)}"
        kind = draw(st.sampled_from(["dir", "file", "linked", "symlink"]))
        if path in entries:
            continue
        if kind == "linked":
            entries[path] = TreeEntry(path, "file", 0o644, 0, 0, 0, size=9000, sha256="a", link="same")
        elif kind == "file":
            size = draw(st.integers(0, 40)) * 1000
            entries[path] = TreeEntry(path, "file", 0o644, 0, 0, 0, size=size, sha256="b")
        else:
            target = "t" * draw(st.integers(1, 90)) if kind == "symlink" else ""
            entries[path] = TreeEntry(path, kind, 0o755, 0, 0, 0, target=target)
    return entries


def runs_of_free(lengths: list[int]) -> list[tuple[int, int]]:
    """Free blocks in runs of these lengths, each with a taken block behind it."""
    runs, at = [], 100
    for length in lengths:
        runs.append((at, length))
        at += length + 1
    return runs


def placed_in(entries: Mapping[str, TreeEntry], lengths: list[int]) -> Placed:
    return place_tree(entries, runs_of_free(lengths), FIRST_INODE, ROOT_BLOCK, whole_or_none)


def whole_or_none(entry: TreeEntry) -> list[tuple[int, int]]:
    return list(whole(entry))


def blocks_of(placed: Placed) -> list[int]:
    """Every block that anything lies in."""
    found = []
    for node in placed.nodes:
        found += [extent.physical + at for extent in node.extents for at in range(extent.length)]
        found += [*node.tree, *([node.attribute_block] if node.attribute_block else [])]
    return found


@given(trees(), st.lists(st.integers(1, 9), min_size=80, max_size=80))
def test_nothing_lies_on_anything_else(entries: dict[str, TreeEntry], lengths: list[int]) -> None:
    placed = placed_in(entries, lengths)
    taken = blocks_of(placed)
    free = {start + at for start, length in runs_of_free(lengths) for at in range(length)}
    left = {start + at for start, length in placed.free for at in range(length)}
    assert len(taken) == len(set(taken))
    assert set(taken) - {ROOT_BLOCK} == free - left
    numbers = [node.number for node in placed.nodes if node.number != 2]
    assert numbers == list(range(FIRST_INODE, FIRST_INODE + len(numbers)))
    assert placed.used == max([FIRST_INODE - 1, *numbers])


@given(trees(), st.lists(st.integers(1, 9), min_size=80, max_size=80))
def test_every_file_has_all_its_blocks_in_order(entries: dict[str, TreeEntry], lengths: list[int]) -> None:
    placed = placed_in(entries, lengths)
    by_number = {node.number: node for node in placed.nodes}
    for path, entry in entries.items():
        node = by_number[placed.inodes[path]]
        logical = [extent.logical + at for extent in node.extents for at in range(extent.length)]
        assert logical == list(range(len(logical)))
        if entry.kind == "file":
            assert len(logical) == -(-entry.size // BLOCK)
        names = sum(placed.inodes[other] == node.number for other in entries)
        if entry.kind != "dir":
            assert node.links == names
        else:
            below = [p for p, e in entries.items() if e.kind == "dir" and p != "/" and parent_of(p) == path]
            assert node.links == 2 + len(below) + (path == "/")
    assert tree_blocks(0) == 0


def parent_of(path: str) -> str:
    return path.rpartition("/")[0] or "/"


@given(trees())
def test_the_need_is_never_less_than_what_is_taken(entries: dict[str, TreeEntry]) -> None:
    need = measure(entries, lambda _: open(os.devnull, "rb"))  # noqa: SIM115 - no file here is large
    placed = place_tree(entries, [(100, 1000)], FIRST_INODE, ROOT_BLOCK, whole_or_none)
    assert need.inodes == len(placed.nodes)
    assert need.blocks >= len(blocks_of(placed))


def test_too_few_blocks_are_told() -> None:
    entries = {
        "/": TreeEntry("/", "dir", 0o755, 0, 0, 0),
        "/a": TreeEntry("/a", "file", 0, 0, 0, 0, 9000, "x"),
    }
    with pytest.raises(StepFailed, match="too small for the tree"):
        placed_in(entries, [2])


@given(st.lists(st.binary(min_size=1, max_size=255), max_size=300))
def test_no_name_crosses_a_block(names: list[bytes]) -> None:
    every = [b".", b"..", *names]
    counts = split(every)
    assert sum(counts) == len(every)
    assert all(counts)
    blocks = directory_blocks([(name, 12, 1) for name in every], 0)
    assert [len(block) for block in blocks] == [BLOCK] * len(counts)
    at = 0
    for count, block in zip(counts, blocks, strict=True):
        assert sum(length_of(name) for name in every[at : at + count]) <= ROOM
        read, place = [], 0
        while place < ROOM:
            length = int.from_bytes(block[place + 4 : place + 6], "little")
            read.append(block[place + 8 : place + 8 + block[place + 6]])
            place += length
        assert place == ROOM
        assert read == every[at : at + count]
        at += count


@pytest.mark.parametrize(
    ("count", "blocks"), [(0, 0), (4, 0), (5, 1), (340, 1), (341, 2), (1360, 4), (1361, 6), (462_400, 1364)]
)
def test_extents_outside_the_inode_take_blocks(count: int, blocks: int) -> None:
    assert tree_blocks(count) == blocks


@pytest.mark.parametrize("count", [1, 4, 5, 1361])
def test_the_blocks_that_were_counted_are_used(count: int) -> None:
    extents = [Extent(2 * number, 5000 + 2 * number, 1) for number in range(count)]
    places = iter(range(tree_blocks(count)))
    root, blocks = extent_tree(extents, lambda: next(places), 0)
    assert len(root) == 60
    assert sorted(blocks) == list(range(tree_blocks(count)))
    assert int.from_bytes(root[2:4], "little") <= IN_INODE
