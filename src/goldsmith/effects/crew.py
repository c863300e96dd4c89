"""Work that waits for others (servers), several pieces at a time; Ctrl-C ends the waiting at once."""

import queue
import threading
from collections.abc import Callable, Sequence


def all_of(tasks: Sequence[Callable[[], None]], *, jobs: int, stop: threading.Event) -> None:
    """Do all tasks, ``jobs`` at a time; the first error sets ``stop``, which running tasks look at, and is raised.

    Threads are daemons, so that an interrupted process need not wait for a server that is silent.
    """
    todo: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
    for task in tasks:
        todo.put(task)
    done: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
    workers = [
        threading.Thread(target=_work, args=(todo, done, stop), daemon=True)
        for _ in range(min(jobs, len(tasks)))
    ]
    for worker in workers:
        worker.start()
    try:
        first = next((error for error in (done.get() for _ in tasks) if error is not None), None)
    except BaseException:
        stop.set()
        raise
    if first is not None:
        stop.set()
    for worker in workers:
        worker.join()
    if first is not None:
        raise first


def _work(
    todo: "queue.SimpleQueue[Callable[[], None]]",
    done: "queue.SimpleQueue[BaseException | None]",
    stop: threading.Event,
) -> None:
    while not stop.is_set():
        try:
            task = todo.get_nowait()
        except queue.Empty:
            return
        try:
            task()
        except BaseException as error:  # noqa: BLE001 - it is raised again in the caller's thread
            done.put(error)
            return
        done.put(None)
