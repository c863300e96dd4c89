"""What may be interrupted: every operation that changes a store, on a store so small that it can be tried thousands of times."""

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.store.trees import EPOCH, noise, opener, tree_of

from goldsmith.disk.digest import disk_digest
from goldsmith.model import oci
from goldsmith.model.tree import tree_digest
from goldsmith.store.check import HARMLESS, check
from goldsmith.store.gc import collect
from goldsmith.store.images import name_image
from goldsmith.store.layout import Layout
from goldsmith.store.record import ImageFacts, store_image
from goldsmith.store.remote import patch_sender

BLOCK = 4096
CORE = {"/usr/a": noise(1, 2 * BLOCK), "/usr/b": noise(2, 3000)}


def files(version: int) -> dict[str, bytes]:
    return {**CORE, "/etc/version": b"%d" % version}


@cache
def disk(version: int, room: Path) -> Path:
    """A disk that holds the files of a version; other processes may make or read it meanwhile."""
    path, own = room / f"disk{version}", room / f"disk{version}-{os.getpid()}"
    parts = [data.ljust(-(-len(data) // BLOCK) * BLOCK, b"\0") for data in files(version).values()]
    own.write_bytes(b"".join(parts) + noise(9, BLOCK))
    return own.replace(path)


def keep(layout: Layout, version: int, room: Path, release: int = 1) -> None:
    """Record an image; version 3 is another result of release 1."""
    entries, contents = tree_of(files(version))
    raw = disk(version, room)
    named, digest = tree_digest(entries.values()), disk_digest(raw)
    facts = ImageFacts(
        "web", f"{release}.0.0", "amd64", EPOCH, named, digest, digest=f"sha256:{version:064d}"
    )
    with layout.used():
        recorded = store_image(layout, facts, entries, opener(contents), raw, owners={}, jobs=1)
        name_image(layout, "web", f"{release}.0.0", recorded.index, {"key": str(version)})


def say(layout: Layout, text: str) -> None:
    """Store a statement about the newest image."""
    subject = layout.resolve("web:1.0.0")
    with layout.used():
        empty = layout.blobs.put(oci.EMPTY_JSON, oci.EMPTY)
        said = layout.blobs.put(text.encode(), "text/plain")
        manifest = oci.manifest(
            empty, [said], artifact_type="text/plain", annotations={"about": subject.digest}
        )
        layout.attach(layout.blobs.put(manifest, oci.MANIFEST), subject.digest)


def patch(layout: Layout) -> None:
    """Keep patches beside an image, as a push does before it sends."""
    with layout.used():
        assert patch_sender.keep(layout, layout.resolve("web:2.0.0"), layout.resolve("web:1.0.0"), "web")


def forget(layout: Layout, *names: str) -> None:
    """Take names away."""

    def change(refs: dict[str, oci.Descriptor]) -> None:
        for name in names:
            refs.pop(name, None)

    layout.change(change)


@dataclass(frozen=True)
class Operation:
    """Something that may be interrupted."""

    ground: Callable[[Layout, Path], None]
    """Makes the store that it begins with."""
    run: Callable[[Layout, Path], None]
    """What is interrupted."""


def nothing(_layout: Layout, _room: Path) -> None:
    """An empty store."""


def one(layout: Layout, room: Path) -> None:
    keep(layout, 1, room)


def two(layout: Layout, room: Path) -> None:
    one(layout, room)
    keep(layout, 2, room, 2)
    say(layout, "fine")


def one_left(layout: Layout, room: Path) -> None:
    two(layout, room)
    forget(layout, "web:2.0.0", "web:2.0.0-b1")


OPERATIONS: Mapping[str, Operation] = {
    "the first image": Operation(nothing, one),
    "another version": Operation(one, lambda layout, room: keep(layout, 2, room, 2)),
    "another result": Operation(one, lambda layout, room: keep(layout, 3, room)),
    "the same again": Operation(two, one),
    "a tag": Operation(two, lambda layout, _: layout.tag("web:golden", layout.resolve("web:1.0.0"))),
    "a name that goes": Operation(two, lambda layout, _: forget(layout, "web:2.0.0", "web:2.0.0-b1")),
    "a statement": Operation(two, lambda layout, _: say(layout, "approved")),
    "patches": Operation(two, lambda layout, _: patch(layout)),
    "gc": Operation(one_left, lambda layout, _: void(collect(layout))),
}


def void(_: object) -> None:
    """Drop a result."""


@dataclass(frozen=True)
class State:
    """What a store says, by names and digests."""

    refs: Mapping[str, str]
    entries: int


def state(layout: Layout) -> State:
    return State({name: item.digest for name, item in layout.refs().items()}, len(layout.entries()))


def copy(source: Path, target: Path) -> Layout:
    """The same store; objects are shared, since nothing ever writes into one."""
    shutil.copytree(source, target, copy_function=os.link)
    return Layout(target)


def hurt(layout: Layout) -> list[object]:
    """What is wrong with a store, but for what hurts nothing."""
    return [problem for problem in check(layout, read=True) if problem.kind not in HARMLESS]
