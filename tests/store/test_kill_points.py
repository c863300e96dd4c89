import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.store.doors import Failing, Killed, Recording, after_power_loss
from tests.store.trees import EPOCH, noise, opener, tree_of

from goldsmith.disk.digest import disk_digest
from goldsmith.errors import GoldsmithError, NoSpace
from goldsmith.model.tree import tree_digest
from goldsmith.store.check import Hurt, check
from goldsmith.store.gc import collect
from goldsmith.store.layout import Layout
from goldsmith.store.record import ImageFacts, Recorded, record, recorded_image

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


def hurt(layout: Layout) -> list[object]:
    return [problem for problem in check(layout, read=True) if problem.kind not in {Hurt.STRAY, Hurt.UNUSED}]


def points(start: int, step: int) -> Iterator[int]:
    return iter(range(start, 400, step))


@pytest.mark.parametrize("kill", [False, True], ids=["an effect fails", "the process is killed"])
def test_nothing_is_lost_wherever_recording_ends(tmp_path: Path, kill: bool) -> None:
    tried = 0
    for at in points(1, 1):
        room = tmp_path / f"{at}"
        first = keep(Layout(room), 1, tmp_path)
        door = Failing(at=at, kill=kill)
        try:
            keep(Layout(room, door), 2, tmp_path)
        except (OSError, GoldsmithError, Killed):
            tried += 1
        else:
            break
        layout = Layout(room)
        assert recorded_image(layout, "web:1.0.0") == first
        assert hurt(layout) == []
        if not kill:
            assert [problem for problem in check(layout) if problem.kind == Hurt.STRAY] == []
        second = keep(layout, 2, tmp_path)
        assert set(layout.refs()) == {"web:1.0.0", "web:2.0.0"}
        assert recorded_image(layout, "web:2.0.0") == second
        collect(layout)
        assert check(layout, read=True) == []
    assert tried > 40
    assert door.done < at


@pytest.mark.parametrize("kill", [False, True], ids=["an effect fails", "the process is killed"])
def test_nothing_is_lost_wherever_gc_ends(tmp_path: Path, kill: bool) -> None:
    tried = 0
    for at in points(1, 1):
        layout = Layout(tmp_path / f"{at}")
        first = keep(layout, 1, tmp_path)
        keep(layout, 2, tmp_path)
        layout.untag("web:2.0.0")
        try:
            collect(Layout(layout.directory, Failing(at=at, kill=kill)))
        except (OSError, Killed):
            tried += 1
        else:
            break
        assert recorded_image(layout, "web:1.0.0") == first
        assert hurt(layout) == []
        keep(layout, 2, tmp_path)
        assert hurt(layout) == []
        collect(layout)
        assert check(layout, read=True) == []
    assert tried > 5


@pytest.mark.parametrize(
    "number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EACCES, errno.EMFILE]
)
def test_every_kind_of_failure_leaves_the_store_whole(tmp_path: Path, number: int) -> None:
    for at in points(1, 6):
        layout = Layout(tmp_path / "store")
        with suppress(OSError, NoSpace):
            keep(Layout(layout.directory, Failing(at=at, number=number)), 1, tmp_path)
        assert check(layout, read=True) == [p for p in check(layout) if p.kind == Hurt.UNUSED]
    keep(layout, 1, tmp_path)
    assert hurt(layout) == []


def test_a_full_disk_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(NoSpace, match="no space left while writing in"):
        keep(Layout(tmp_path / "store", Failing(at=2, number=errno.ENOSPC)), 1, tmp_path)


@dataclass
class Keeping(Recording):
    """Keeps the bytes of every file that was made, so that each can be had after a power loss."""

    def sync(self, path: Path) -> None:
        self.version(path)
        super().sync(path)

    def rename(self, old: Path, new: Path) -> None:
        self.version(old)
        super().rename(old, new)

    def version(self, path: Path) -> None:
        if path.is_file():
            versions = self.root / "versions"
            versions.mkdir(exist_ok=True)
            with suppress(FileExistsError):
                os.link(path, versions / path.name)


def states(tmp_path: Path, *, forgets_sync: bool) -> Iterator[tuple[Layout, set[str]]]:
    """Record two images, drop one, collect; then every state that a power loss may leave."""
    root = tmp_path / "store"
    door = Keeping(root=root, forgets_sync=forgets_sync)
    layout = Layout(root, door)
    for version in (1, 2):
        keep(layout, version, tmp_path)
        door.acknowledge(f"web:{version}.0.0")
    for end in range(len(door.told) + 1):
        for eager in (False, True):
            room = tmp_path / f"loss-{end}-{eager}"
            room.mkdir()
            acknowledged = after_power_loss(door.told[:end], root, room, eager=eager)
            yield Layout(room), acknowledged


def sound(layout: Layout, acknowledged: set[str]) -> bool:
    try:
        return acknowledged <= set(layout.refs()) and hurt(layout) == []
    except GoldsmithError:
        return False


def test_a_power_loss_at_any_moment_loses_nothing_acknowledged(tmp_path: Path) -> None:
    found = [
        (layout.directory.name, acknowledged, sound(layout, acknowledged))
        for layout, acknowledged in states(tmp_path, forgets_sync=False)
    ]
    assert len(found) > 100
    assert {"web:1.0.0", "web:2.0.0"} in [acknowledged for _, acknowledged, _ in found]
    assert [name for name, _, well in found if not well] == []


def test_the_canary_without_fsync_is_caught(tmp_path: Path) -> None:
    assert not all(
        sound(layout, acknowledged) for layout, acknowledged in states(tmp_path, forgets_sync=True)
    )


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
