"""Frames that are compressed while dpkg works: the same bytes, and only where nothing has changed."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from goldsmith.builder.ahead import Ahead
from goldsmith.builder.keep import describe
from goldsmith.builder.layers import Layer, scan
from goldsmith.model.tree import TreeEntry
from goldsmith.store.layers import content_of
from goldsmith.store.pack import Item, archive, compress, frame_key, pack, press_now
from goldsmith.store.partition import dpkg_owners, homes, partition

EPOCH = 2_000_000_000
ALONE = b"made now"
"""What no frame holds."""


@pytest.fixture
def layer(tmp_path: Path) -> Layer:
    tree = tmp_path / "tree"
    files = {
        "usr/bin/big": b"0123456789abcdef" * 20_000,
        "usr/bin/small": b"#!/bin/sh\n",
        "usr/share/doc/tool/copyright": b"free\n",
        "var/lib/dpkg/info/tool.list": b"/.\n/usr/bin/big\n/usr/bin/small\n/usr/share/doc/tool/copyright\n",
    }
    for path, data in files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_bytes(data)
    return Layer("key", tree, scan(tree, epoch=EPOCH, started=EPOCH), {})


def frames(entries: Mapping[str, TreeEntry], layer: Layer) -> list[tuple[Item, ...]]:
    open_file = describe([layer]).open_file
    home = homes(entries, dpkg_owners(entries, open_file), epoch=EPOCH)
    found: list[tuple[Item, ...]] = []
    for name, paths in partition(entries, home).items():
        if name.startswith("package"):
            content = content_of([entries[path] for path in paths], entries, home)
            found += archive(list(content.entries.values()), content.above, content.owners)
    return found


def made(layer: Layer, room: Path, *others: str) -> Ahead:
    """After the first group is in place; ``others`` are still to come."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        ahead = Ahead(room, pool, epoch=EPOCH)

        def place(_key: str, _below: Sequence[Layer]) -> Layer:
            return layer

        names = ["place 1", *others]
        ahead.watch(dict.fromkeys(names, place), names)["place 1"]("key", [])
    return ahead


def test_what_is_ready_is_what_would_be_made(layer: Layer, tmp_path: Path) -> None:
    ahead = made(layer, tmp_path)
    tree = describe([layer])
    wanted = frames(tree.entries, layer)
    assert len(wanted) == 2
    for items in wanted:
        assert ahead.press(items, ALONE) == pack(items, tree.open_file, press_now).packed
    ahead.close()


@pytest.mark.parametrize(
    "change",
    [
        {"mode": 0o4755},
        {"uid": 7},
        {"sha256": "0" * 64},
        {"xattrs": (("security.capability", "00"),)},
        {"mtime": 5},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_file_that_has_changed_is_compressed_anew(
    layer: Layer, tmp_path: Path, change: Mapping[str, object]
) -> None:
    ahead = made(layer, tmp_path)
    entries = dict(describe([layer]).entries)
    entries["/usr/bin/small"] = replace(entries["/usr/bin/small"], **change)  # type: ignore[arg-type] # the table has the right ones
    pressed = [ahead.press(items, ALONE) == compress(ALONE) for items in frames(entries, layer)]
    assert sorted(pressed) == [False, True], "the frame of the other file is ready"
    ahead.close()


def test_nothing_is_made_before_all_groups_are_there(layer: Layer, tmp_path: Path) -> None:
    ahead = made(layer, tmp_path, "place 2")
    wanted = frames(describe([layer]).entries, layer)
    assert [ahead.press(items, ALONE) for items in wanted] == [compress(ALONE)] * 2
    ahead.close()


def test_files_that_cannot_be_read_are_left_to_others(layer: Layer, tmp_path: Path) -> None:
    (layer.tree / "usr/bin/big").unlink()
    ahead = made(layer, tmp_path)
    found = frames(describe([layer]).entries, layer)
    assert [ahead.press(items, ALONE) for items in found if items[0].entry.path.endswith("big")] == [
        compress(ALONE)
    ]
    ahead.close()


def test_a_key_tells_what_a_frame_holds(layer: Layer) -> None:
    keys = {frame_key(items) for items in frames(describe([layer]).entries, layer)}
    assert len(keys) == 2
