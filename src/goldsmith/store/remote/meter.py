"""Counting bytes from several threads."""

from threading import Lock

from goldsmith.effects.access import Progress


class Meter:
    """How far a transfer is, and what of it had to be moved."""

    def __init__(self, total: int, progress: Progress) -> None:
        self.moved = 0
        """Bytes that came or went."""
        self.reused = 0
        """Bytes that were there already."""
        self._total, self._progress, self._lock = total, progress, Lock()
        progress(0, total)

    def move(self, size: int) -> None:
        """So many more came or went."""
        with self._lock:
            self.moved += size
            self._tell()

    def reuse(self, size: int) -> None:
        """So many more need not come or go."""
        with self._lock:
            self.reused += size
            self._tell()

    def _tell(self) -> None:
        # What is tried again counts again, but nothing is more than whole.
        self._progress(min(self._total, self.moved + self.reused), self._total)
