"""Run the steps of a plan: those whose layer is there are skipped, and steps that do not wait for each other overlap."""

import errno
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from goldsmith.builder import layers
from goldsmith.builder.layers import Layer, aside
from goldsmith.effects import clock
from goldsmith.effects.process import kill_children
from goldsmith.errors import NoSpace
from goldsmith.model.plan import Step
from goldsmith.store.home import Home

Action = Callable[[str, Sequence[Layer]], Layer]


class Listener(Protocol):
    """Is told how a build goes on; calls come from several threads."""

    def step_started(self, name: str) -> None:
        """A step runs."""

    def step_ended(self, name: str, *, seconds: float, cached: bool) -> None:
        """A step's result is there."""

    def downloading(self, done: int, total: int) -> None:
        """Bytes of packages that are here, of all that are wanted."""

    def warn(self, message: str) -> None:
        """Something the user should know; the build goes on."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What became of a step."""

    name: str
    key: str
    cached: bool
    seconds: float
    layer: Layer


@contextmanager
def told_of_space(home: Home, name: str) -> Iterator[None]:
    """Say where space ran out, and in which step: the system's own error may name neither.

    Raises:
        NoSpace: in place of the system's error.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        raise NoSpace(
            f"no space is left in {home.path}, and the step {name!r} was not done",
            hint="free some space there, or set GOLDSMITH_HOME to a larger file system",
        ) from error


def execute(
    steps: Sequence[Step],
    keys: Mapping[str, str],
    actions: Mapping[str, Action],
    *,
    home: Home,
    jobs: int,
    fresh: str = "",
    listener: Listener,
) -> list[Ran]:
    """Run all steps, in parallel where they do not stand on each other.

    Args:
        steps: in plan order.
        keys: by step name.
        actions: by step name; called with the key and the layers below, gives the layer.
        home: where layers are kept.
        jobs: how many steps may run at once.
        fresh: if not empty, every step runs even if its layer is there, and its result is kept aside under this name.
        listener: is told.

    Returns:
        What became of each, in plan order.

    Raises:
        GoldsmithError: of the first step that failed; steps that run then are waited for.
    """
    done: dict[str, Ran] = {}
    running: dict[Future[Ran], str] = {}
    waiting = list(steps)

    def run(step: Step) -> Ran:
        key = keys[step.name]
        start = clock.monotonic()
        found = None if fresh else layers.load(home, key)
        if found is None:
            listener.step_started(step.name)
            own = aside(key, fresh) if fresh else key
            with told_of_space(home, step.name):
                layer = actions[step.name](own, [done[name].layer for name in step.below])
        else:
            layer = found
        seconds = clock.monotonic() - start
        listener.step_ended(step.name, seconds=seconds, cached=found is not None)
        return Ran(step.name, key, found is not None, seconds, layer)

    with ThreadPoolExecutor(max_workers=max(1, jobs)) as pool:
        try:
            while waiting or running:
                for step in [step for step in waiting if all(name in done for name in step.below)]:
                    waiting.remove(step)
                    running[pool.submit(run, step)] = step.name
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    done[running.pop(future)] = future.result()
        except BaseException:
            for future in running:
                future.cancel()
            kill_children()  # their sandboxes end with them; else the pool would wait for an hour's step
            raise
    return [done[step.name] for step in steps]
