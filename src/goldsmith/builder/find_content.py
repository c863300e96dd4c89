"""Find a file's bytes by their digest, wherever goldsmith still has them."""

import hashlib
import io
import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from goldsmith.builder import layers
from goldsmith.disk.stored import is_sound, place
from goldsmith.errors import GoldsmithError, IntegrityError
from goldsmith.model.disk import BLOCK
from goldsmith.model.diskmap import Run, Source
from goldsmith.store.diskmap import read_map
from goldsmith.store.home import Home
from goldsmith.store.images import StoredImage, all_images, layout_of
from goldsmith.store.layout import DAMAGED, Layout
from goldsmith.store.record import parts_of
from goldsmith.store.remote.delta import Content
from goldsmith.store.tree import TreeIndex, open_path, read_index


@dataclass(slots=True)
class Finder:
    """Where contents lie: in layers of the store, whole ones and what is left of damaged ones; in steps' layers; on kept disks.

    Threads may ask at once; one is answered at a time.
    """

    home: Home
    """The data directory."""
    _trees: list[TreeIndex] | None = None
    _paths: dict[str, list[tuple[TreeIndex, str]]] = field(default_factory=dict)
    _sizes: dict[str, int] = field(default_factory=dict)
    _files: dict[str, list[Path]] | None = None
    _disks: list[tuple[Path, dict[str, list[tuple[int, Run]]]]] | None = None
    _door: threading.Lock = field(default_factory=threading.Lock)

    def open(self, sha256: str) -> BinaryIO:
        """The bytes with a digest, verified.

        Raises:
            IntegrityError: they are nowhere, or damaged wherever they are.
        """
        with self._door:
            for data in self._candidates(sha256):
                if hashlib.sha256(data).hexdigest() == sha256:
                    return io.BytesIO(data)
        raise IntegrityError(
            f"the content {sha256} is nowhere here", hint="build the image again, or pull it"
        )

    def _candidates(self, sha256: str) -> Iterator[bytes]:
        self._read_trees()
        layout = layout_of(self.home)
        for place_of_it in (layout, Layout(layout.directory / DAMAGED)):
            for index, path in self._paths.get(sha256, ()):
                with suppress(GoldsmithError, OSError):
                    yield open_path(place_of_it, index, path).read()
        for file in self._step_files().get(sha256, ()):
            with suppress(OSError):
                yield file.read_bytes()
        for disk, runs in self._kept_disks():
            if sha256 in runs:
                yield read_runs(disk, runs[sha256])[: self._sizes[sha256]]

    def _read_trees(self) -> None:
        if self._trees is not None:
            return
        self._trees = []
        layout = layout_of(self.home)
        for image in all_images(layout):
            with suppress(GoldsmithError):
                index = read_index(layout, parts_of(layout, image.index, image.own).tree_index.digest)
                self._trees.append(index)
                for path in index.places:
                    entry = index.entries[path]
                    self._paths.setdefault(entry.sha256, []).append((index, path))
                    self._sizes[entry.sha256] = entry.size

    def _step_files(self) -> dict[str, list[Path]]:
        if self._files is None:
            self._files = {}
            for facts in layers.room(self.home).glob("*/layer.json"):
                with suppress(OSError, ValueError, KeyError, TypeError, IndexError):
                    for path, kind, *_, sha256, _target, _xattrs, _link in json.loads(facts.read_bytes())[
                        "entries"
                    ]:
                        if kind == "file":
                            file = facts.parent / "tree" / path.lstrip("/")
                            self._files.setdefault(sha256, []).append(file)
        return self._files

    def _kept_disks(self) -> list[tuple[Path, dict[str, list[tuple[int, Run]]]]]:
        if self._disks is None:
            self._disks = []
            layout = layout_of(self.home)
            for image in all_images(layout):
                disk = kept_disk(self.home, image)
                with suppress(GoldsmithError):
                    if disk is not None:
                        parts = parts_of(layout, image.index, image.own)
                        index = read_index(layout, parts.tree_index.digest)
                        runs = read_map(layout, parts.disk_map.digest, index).runs
                        self._disks.append((disk, runs_of_files(runs)))
        return self._disks


@dataclass(frozen=True, slots=True)
class Wherever:
    """What a finder finds, as ``store.remote.recompress.Known``; for one thread."""

    finder: Finder

    def __contains__(self, sha256: str) -> bool:
        """It is only known when it is read."""
        return True

    def named(self, _digits: str) -> None:
        """Nothing is patched here."""

    def content(self, sha256: str, size: int, kept: dict[tuple[str, int], bytes]) -> Content:
        """All of a content."""
        return Content(lambda start, length: self.read(sha256, start, length, kept), size)

    def read(self, sha256: str, start: int, length: int, kept: dict[tuple[str, int], bytes]) -> bytes:
        """Some bytes of a content; the last one stays in memory.

        Raises:
            IntegrityError: it is nowhere.
        """
        if (sha256, 0) not in kept:
            kept.clear()
            kept[sha256, 0] = self.finder.open(sha256).read()
        return kept[sha256, 0][start : start + length]


def kept_disk(home: Home, image: StoredImage) -> Path | None:
    """An image's raw disk, if it is kept and sound."""
    digest = str(image.facts.get("disk_digest") or "")
    disk = place(home, digest)
    return disk if digest and is_sound(disk, digest) else None


def runs_of_files(runs: tuple[Run, ...]) -> dict[str, list[tuple[int, Run]]]:
    """By content: where on the disk its blocks lie, in the order of the file."""
    found: dict[str, list[tuple[int, Run]]] = {}
    position = 0
    for run in runs:
        if run.source is Source.FILE:
            found.setdefault(run.sha256, []).append((position * BLOCK, run))
        position += run.blocks
    return {sha256: sorted(parts, key=lambda part: part[1].first) for sha256, parts in found.items()}


def read_runs(disk: Path, runs: list[tuple[int, Run]]) -> bytes:
    """The bytes of runs, one behind the other, each block of the file once."""
    result = b""
    with disk.open("rb", buffering=0) as stream:
        for at, run in runs:
            skip = len(result) // BLOCK - run.first
            if 0 <= skip < run.blocks:
                stream.seek(at + skip * BLOCK)
                result += stream.read((run.blocks - skip) * BLOCK)
    return result
