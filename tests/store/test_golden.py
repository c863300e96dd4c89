"""Stores of earlier versions stay readable: ``tests/golden/store-N`` was written once by the version with that format.

A new format gets a directory of its own: ``python -m tests.store.test_golden tests/golden/store-N``. None is ever written again.
"""

import hashlib
import json
import shutil
import sys
from pathlib import Path

import pytest
from tests.store.ground import LISTS, first_tree, goldsmith, keep, second_tree
from tests.store.trees import Tree, noise, tree_of
from zstandard import FRAME_HEADER

from goldsmith.builder.mend import mend
from goldsmith.disk.digest import disk_digest
from goldsmith.disk.stored import raw_disk
from goldsmith.model.tree import rows, tree_digest
from goldsmith.store.check import check
from goldsmith.store.contents import contents_of
from goldsmith.store.home import Home
from goldsmith.store.images import all_images, find, layout_of

GOLDEN = Path(__file__).parent.parent / "golden"
STORES = sorted(path.name for path in GOLDEN.glob("store-*"))


def told(home: Home) -> dict[str, object]:
    """All that can be read from a store, but for bytes of files: images, trees, disks."""
    return {image.own: facts(home, image.own) for image in all_images(layout_of(home))}


def facts(home: Home, reference: str) -> dict[str, object]:
    image = find(home, reference)
    entries = contents_of(home, image).index.entries
    return {
        "facts": dict(image.facts),
        "tree": tree_digest(entries.values()),
        "rows": hashlib.sha256(json.dumps(rows(entries.values())).encode()).hexdigest(),
        "disk": disk_digest(raw_disk(home, image)),
    }


def with_programs(tree: Tree, count: int) -> Tree:
    """A tree with programs of a package besides."""
    programs = {f"/usr/lib/base/{number}": noise(number, 2000) for number in range(count)}
    listed = {f"{LISTS}/base.list": b"".join(f"/usr/lib/base/{number}\n".encode() for number in range(12))}
    entries, contents = tree_of({**programs, **listed})
    return dict(sorted({**entries, **tree[0]}.items())), {**contents, **tree[1]}


def write(target: Path) -> None:
    """Make a golden store with two images, of which the second keeps a layer of the first, and what it says beside it."""
    home = Home(target / "home")
    keep(home, with_programs(first_tree(), 12))
    keep(home, with_programs(second_tree(), 10), version="1.1.0")
    shutil.rmtree(layout_of(home).known)
    (target / "told.json").write_text(json.dumps(told(home), indent=1, sort_keys=True) + "\n")
    shutil.rmtree(home / "cache")
    for path in home.path.rglob(".*"):
        path.unlink()


@pytest.fixture(params=STORES)
def golden(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    shutil.copytree(GOLDEN / request.param, tmp_path / "golden")
    return tmp_path / "golden"


def test_there_is_a_golden_store_of_every_format() -> None:
    assert STORES == ["store-1", "store-2"]


def test_the_second_one_has_layers_that_were_kept() -> None:
    home = Home(GOLDEN / "store-2/home")
    one, two = (contents_of(home, find(home, f"web:1.{minor}.0")).index for minor in (0, 1))
    assert two.layers[-1].gone == ("/usr/lib/base/10", "/usr/lib/base/11")
    assert {layer.blob for layer in one.layers} & {layer.blob for layer in two.layers}


def test_a_golden_store_says_what_it_said(golden: Path) -> None:
    home = Home(golden / "home")
    assert check(layout_of(home), read=True) == []
    assert told(home) == json.loads((golden / "told.json").read_text())


def test_every_verb_reads_it(golden: Path) -> None:
    home = Home(golden / "home")
    assert goldsmith(home, "cat", "web:1.0.0", "/etc/alias").out == "listen 80\n"
    assert goldsmith(home, "diff", "web:1.0.0", "web:1.1.0").code == 0
    assert goldsmith(home, "export", "web", "--format", "tar", "--output", golden / "tar").code == 0
    assert len(goldsmith(home, "list").out.splitlines()) == 3
    assert goldsmith(home, "show", "web").code == 0
    assert goldsmith(home, "store", "gc").out == "0 objects, 0 B, removed\n"


def test_what_an_earlier_version_packed_is_made_again(golden: Path) -> None:
    """Object by object; the disks are kept."""
    home = Home(golden / "home")
    layout = layout_of(home)
    for image in all_images(layout):
        raw_disk(home, image)
    for path in sorted(layout.blobs.all()):
        data = path.read_bytes()
        if not data.startswith(FRAME_HEADER):
            continue  # the index of the first one says more than its index.json repeats
        path.unlink()
        assert mend(home, check(layout, read=True)).done == {f"sha256:{path.name}"}
        assert path.read_bytes() == data
    assert check(layout, read=True) == []


if __name__ == "__main__":
    write(Path(sys.argv[1]))
