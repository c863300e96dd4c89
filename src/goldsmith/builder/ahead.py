"""Compress packages' files while dpkg configures them: it keeps one core busy, and the last step has work for many.

What is ready is known by what a frame of a layer is made of. So it does not matter which files the scripts then change:
their frames are compressed when they are stored, and what nobody asks for is thrown away.
"""

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from goldsmith.builder.execute import Action
from goldsmith.builder.keep import describe
from goldsmith.builder.layers import Layer
from goldsmith.effects.tmpfs import memory_room
from goldsmith.errors import GoldsmithError
from goldsmith.store.layers import content_of
from goldsmith.store.pack import Item, archive, compress, frame_key, pack, press_now
from goldsmith.store.partition import dpkg_owners, homes, partition

EXPECTED = 1 << 29
"""Bytes that the compressed files of a usual tree stay below."""
PACKAGES = "package"
"""How the names of packages' layers begin."""


class Ahead:
    """Frames that are compressed before they are asked for."""

    def __init__(self, room: Path, pool: ThreadPoolExecutor, *, epoch: int) -> None:
        """``room`` is a directory for them, ``pool`` where the work is done, ``epoch`` the build's time."""
        self._descriptor = os.open(room / "frames", os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._pool, self._epoch = pool, epoch
        self._enough = threading.Event()
        self._places: dict[bytes, tuple[int, int]] = {}
        self._end = 0
        self._work: Future[None] | None = None

    def watch(self, actions: Mapping[str, Action], names: Sequence[str]) -> dict[str, Action]:
        """The same actions; once those of ``names``, which put packages' files in place, are all done, work begins."""
        waiting = set(names)
        made: list[Layer] = []
        door = threading.Lock()

        def watched(name: str) -> Action:
            def action(key: str, below: Sequence[Layer]) -> Layer:
                layer = actions[name](key, below)
                with door:
                    waiting.discard(name)
                    made.append(layer)
                    if not waiting:
                        self._work = self._pool.submit(self._compress_all, tuple(made))
                return layer

            return action

        return {**actions, **{name: watched(name) for name in names}}

    def _compress_all(self, placed: Sequence[Layer]) -> None:
        tree = describe(placed)
        # What has changed meanwhile is not for this thread to tell.
        with suppress(GoldsmithError, OSError):
            home = homes(tree.entries, dpkg_owners(tree.entries, tree.open_file), epoch=self._epoch)
            for name, paths in partition(tree.entries, home).items():
                if not name.startswith(PACKAGES):
                    continue
                content = content_of([tree.entries[path] for path in paths], tree.entries, home)
                for items in archive(list(content.entries.values()), content.above, content.owners):
                    if self._enough.is_set():
                        return
                    self._add(frame_key(items), pack(items, tree.open_file, press_now).packed)

    def _add(self, key: bytes, packed: bytes) -> None:
        if os.pwrite(self._descriptor, packed, self._end) == len(packed):
            self._places[key] = (self._end, len(packed))
        self._end += len(packed)

    def press(self, items: Sequence[Item], raw: bytes) -> bytes:
        """A frame's bytes, as ``store.pack.Press``: those that are ready, or made now."""
        place = self._places.get(frame_key(items))
        if place is None:
            return compress(raw)
        start, size = place
        return os.pread(self._descriptor, size, start)

    def enough(self) -> None:
        """Begin nothing new: all cores are wanted."""
        self._enough.set()

    def close(self) -> None:
        """Wait for the end of what is being done; nothing is ready any more."""
        self.enough()
        try:
            if self._work is not None:
                self._work.result()
        finally:
            os.close(self._descriptor)


@contextmanager
def compressing_ahead(work: Path, *, epoch: int) -> Iterator[Ahead]:
    """Room for it, in memory if there is enough."""
    with memory_room(work / "ahead", EXPECTED) as room, ThreadPoolExecutor(max_workers=1) as pool:
        ahead = Ahead(room, pool, epoch=epoch)
        try:
            yield ahead
        finally:
            ahead.close()
