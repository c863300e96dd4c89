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

    def work() -> None:
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

    workers = [threading.Thread(target=work, daemon=True) for _ in range(min(jobs, len(tasks)))]
    for worker in workers:
        worker.start()
    try:
        for _ in tasks:
            if (error := done.get()) is not None:
                raise error
    except Exception:
        stop.set()
        for worker in workers:
            worker.join()
        raise
    except BaseException:
        stop.set()
        raise
    for worker in workers:
        worker.join()
