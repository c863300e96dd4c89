import errno
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from tests.store.doors import Failing
from tests.store.recording import record
from tests.store.trees import EPOCH, noise, opener, tree_of

from goldsmith.disk.digest import disk_digest
from goldsmith.effects.drafts import Kernel
from goldsmith.errors import GoldsmithError, NoSpace
from goldsmith.model.tree import tree_digest
from goldsmith.store.check import check
from goldsmith.store.gc import collect, sweep
from goldsmith.store.layout import Layout
from goldsmith.store.record import ImageFacts, Recorded

K = 4096
CORE = {"/usr/a": noise(1, 3 * K), "/usr/b": noise(2, 150_000)}


def image(version: int) -> dict[str, bytes]:
    return {**CORE, "/etc/version": b"%d" % version, f"/usr/v{version}": noise(version, 2 * K)}


def keep(layout: Layout, version: int, room: Path) -> Recorded:
    """Record one small image with its disk."""
    entries, contents = tree_of(image(version))
    raw = room / f"raw{version}"
    if not raw.exists():
        raw.write_bytes(
            b"".join(data.ljust(-(-len(data) // K) * K, b"\0") for data in contents.values()) + noise(9, K)
        )
    facts = ImageFacts(
        "web", f"{version}.0.0", "amd64", EPOCH, tree_digest(entries.values()), disk_digest(raw)
    )
    return record(layout, facts, entries, opener(contents), raw, owners={})


def test_a_full_disk_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(NoSpace, match="no space left while writing in"):
        keep(Layout(tmp_path / "store", Failing(at=2, number=errno.ENOSPC)), 1, tmp_path)


def test_gc_waits_for_those_who_record(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "store")
    keep(layout, 1, tmp_path)
    with layout.used():
        mine = layout.blobs.put(b"about to be referenced", "x")
        code = "import sys, pathlib; from goldsmith.store import gc, layout; gc.collect(layout.Layout(pathlib.Path(sys.argv[1])))"
        child = subprocess.Popen([sys.executable, "-c", code, str(layout.directory)])
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(1.5)
        assert layout.blobs.has(mine.digest)
    assert child.wait(20) == 0
    assert not layout.blobs.has(mine.digest)


@dataclass
class Beside(Kernel):
    """The real door; before ``index.json`` gets its name, something else is begun, which gets half a second."""

    begin: Callable[[], object]
    begun: list[threading.Thread] = field(default_factory=list)

    def rename(self, old: Path, new: Path) -> None:
        if new.name == "index.json":
            self.begun.append(threading.Thread(target=self.begin))
            self.begun[-1].start()
            self.begun[-1].join(0.5)
        super().rename(old, new)


@pytest.mark.parametrize("what", [collect, sweep])
def test_a_name_that_is_given_meanwhile_is_not_taken_for_unfinished(
    tmp_path: Path, what: Callable[[Layout], object]
) -> None:
    """Tags are given without holding the store."""
    layout = Layout(tmp_path / "store")
    item = keep(layout, 1, tmp_path).index
    door = Beside(lambda: what(layout))
    replace(layout, door=door).tag("web:golden", item)
    for thread in door.begun:
        thread.join()
    assert layout.resolve("web:golden").digest == item.digest
    assert (len(door.begun), check(layout, read=True)) == (1, [])


def test_what_killed_writers_left_is_swept_unless_somebody_writes(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "store")
    sweep(layout)
    keep(layout, 1, tmp_path)
    before = check(layout, read=True)
    left = [room / ".draft-1-abc" for room in (layout.directory, layout.blobs.directory, layout.known)]
    resumed = layout.blobs.directory / f".draft-{'a' * 64}"
    for path in (*left, resumed):
        path.write_bytes(b"half")
    with layout.used():
        sweep(layout)
        assert all(path.exists() for path in left)
    sweep(layout)
    assert [path.exists() for path in (*left, resumed)] == [False, False, False, True]
    resumed.unlink()
    assert check(layout, read=True) == before


def test_gc_tells_what_it_would_remove_and_keeps_what_it_cannot_judge(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "store")
    kept = keep(layout, 1, tmp_path)
    mine = layout.blobs.put(b"nobody's", "x")
    draft = layout.blobs.directory / ".draft-1-abc"
    draft.write_bytes(b"1234")
    told = collect(layout, pretend=True)
    assert (told.objects, told.drafts, told.size) == ((mine.digest,), (draft,), 12)
    assert layout.blobs.has(mine.digest)
    path = layout.blobs.path(kept.container.digest)
    text = path.read_bytes()
    path.write_bytes(text[:-1])
    with pytest.raises(GoldsmithError, match="is not known"):
        collect(layout)
    path.write_bytes(text)
    assert collect(layout) == replace(told)
    assert check(layout, read=True) == []
