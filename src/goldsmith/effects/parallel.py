"""Work on all cores, results in order, memory bounded."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 4
"""How many items a worker may have waiting; enough to never idle, little enough to hold few in memory."""


def in_order(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    jobs: int,
    unwanted: threading.Event | None = None,
) -> Iterator[Result]:
    """Results of ``work`` in the order of ``items``, made by ``jobs`` threads (one: by the caller's); worth it where work lets the GIL go.

    The first error of any item is raised in its turn. Work that has begun is waited for, whatever happens; ``unwanted`` is set
    when nobody will have its results, so work that takes long can look at it.
    """
    if jobs == 1:
        yield from map(work, items)
        return
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        waiting: deque[Future[Result]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > jobs * AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            if unwanted is not None:
                unwanted.set()
            for future in waiting:
                future.cancel()
