"""Before a build: the recipe, its lock, and the plan that follows from them."""

import os
from collections.abc import Callable

from goldsmith.builder.inputs import read_inputs
from goldsmith.builder.planned import Planned, plan
from goldsmith.builder.request import Request
from goldsmith.errors import StaleLock
from goldsmith.lock.file import lock_path, read_lock
from goldsmith.lock.inputs import is_stale
from goldsmith.model.lock import Lock
from goldsmith.model.recipe import Recipe
from goldsmith.recipe.read import read_recipe
from goldsmith.store.home import Home


def decide(request: Request, *, home: Home, report: Callable[[str], None], may_lock: bool = True) -> Planned:
    """Read the recipe and its lock, made if there is none, and plan the build.

    Raises:
        InputError: the recipe, a component or the lock is wrong.
        StaleLock: the recipe asks for what the lock does not hold, and ``update_lock`` is not set.
    """
    lock = read_lock(lock_path(request.path))
    recipe = grounded(read_recipe(request.path, request.settings), lock, home=home, report=report)
    inputs = read_inputs(recipe)
    stale = lock is not None and is_stale(lock, recipe, inputs.downloads)
    if stale and not request.update_lock:
        raise StaleLock(
            f"{request.path} asks for something that {lock_path(request.path)} does not hold",
            hint=f"renew the lock: goldsmith lock {request.path}, or build with --update-lock",
        )
    if lock is None and not may_lock:
        raise StaleLock(
            f"there is no {lock_path(request.path)}", hint=f"make it: goldsmith lock {request.path}"
        )
    if lock is None or stale:
        lock = make_lock(request, recipe, home=home, report=report)
    return plan(inputs, lock)


def grounded(recipe: Recipe, lock: Lock | None, *, home: Home, report: Callable[[str], None]) -> Recipe:
    """The recipe with the image that it stands on found, where it stands on one."""
    if not recipe.base.image:
        return recipe
    from goldsmith.lock.image import ground  # noqa: PLC0415 - most recipes stand on a distribution

    return ground(recipe, home=home, locked=lock.base if lock else "", report=report)


def make_lock(request: Request, recipe: Recipe, *, home: Home, report: Callable[[str], None]) -> Lock:
    """Resolve the recipe, keeping what need not change."""
    # Here and not at the top: a build that has its lock does without what makes one.
    from goldsmith.lock.mirror import read_host_apt  # noqa: PLC0415
    from goldsmith.lock.renew import origins_of, renew, tools_mirror  # noqa: PLC0415

    host, environment = read_host_apt(), dict(os.environ)
    origins = origins_of(recipe, option=request.mirror, environment=environment, host=host)
    return renew(
        recipe,
        request.path,
        home=home,
        origins=origins,
        mirror=tools_mirror(recipe, origins, environment=environment, host=host),
        minimal=True,
        offline=request.offline,
        report=report,
    ).lock
