"""Build an image: the main flow."""

from collections.abc import Sequence
from dataclasses import dataclass

from goldsmith.builder import layers
from goldsmith.builder.execute import Listener, Ran, execute
from goldsmith.builder.image import make_image
from goldsmith.builder.inputs import read_secrets
from goldsmith.builder.keep import keep_image
from goldsmith.builder.planned import Planned, known_build
from goldsmith.builder.refresh import adopt, discard
from goldsmith.builder.space import need_space_for
from goldsmith.builder.supplies import Supplies, all_packages
from goldsmith.builder.work import Material, bind
from goldsmith.builder.workshop import Aftermath, Workshop, workshop
from goldsmith.disk import stored
from goldsmith.effects import clock, namespace
from goldsmith.effects.tmpfs import secret_files
from goldsmith.effects.umask import ordinary_umask
from goldsmith.model.canonical import digest
from goldsmith.store.home import Home
from goldsmith.store.images import StoredImage

NOTHING = Aftermath()
"""The tree of a failing step is thrown away."""


@dataclass(frozen=True, slots=True)
class Built:
    """A build that has been done."""

    image: StoredImage
    steps: tuple[Ran, ...]
    """What became of each step, the disk's last."""


def run_build(
    planned: Planned,
    supplies: Supplies,
    *,
    home: Home,
    jobs: int,
    fresh: bool,
    listener: Listener,
    aftermath: Aftermath = NOTHING,
) -> Built:
    """Do a build that has been decided, and keep its image.

    ``namespace.enter()`` is called here; no thread may run before.

    Raises:
        GoldsmithError: of the step that failed. Nothing of the build is left but its log.
    """
    namespace.enter()
    with ordinary_umask():
        return _build(
            planned, supplies, home=home, jobs=jobs, fresh=fresh, listener=listener, aftermath=aftermath
        )


def _build(
    planned: Planned,
    supplies: Supplies,
    *,
    home: Home,
    jobs: int,
    fresh: bool,
    listener: Listener,
    aftermath: Aftermath,
) -> Built:
    need_space_for(all_packages(planned.lock), home)
    name, epoch = planned.inputs.recipe.name, planned.lock.epoch
    with workshop(home, name, epoch=epoch, aftermath=aftermath) as shop:
        try:
            with secret_files(read_secrets(planned.inputs.recipe), shop.work / "secrets") as secrets:
                material = Material(planned.inputs, planned.lock, supplies, secrets)
                ran = run_steps(planned, shop, material, jobs=jobs, fresh=fresh, listener=listener)
            image, seconds = finish_image(planned, shop, ran, supplies, jobs=jobs, listener=listener)
            adopt(home, ran)
            layers.expire(home, now=shop.started)
            stored.expire(home, now=shop.started)
            disk = Ran("disk", planned.key, cached=False, seconds=seconds, layer=ran[-1].layer)
            return Built(image, (*ran, disk))
        finally:
            if fresh:
                discard(home, shop.work.name)


def run_steps(
    planned: Planned, shop: Workshop, material: Material, *, jobs: int, fresh: bool, listener: Listener
) -> list[Ran]:
    """Run the plan's steps."""
    actions = bind(planned.plan, shop, material)
    aside = shop.work.name if fresh else ""
    return execute(
        planned.plan.steps, planned.keys, actions, home=shop.home, jobs=jobs, fresh=aside, listener=listener
    )


def finish_image(
    planned: Planned,
    shop: Workshop,
    ran: Sequence[Ran],
    supplies: Supplies,
    *,
    jobs: int,
    listener: Listener,
) -> tuple[StoredImage, float]:
    """Make the disk and keep the image; also tells the seconds that took."""
    recipe = planned.inputs.recipe
    start = clock.monotonic()
    listener.step_started("disk")
    by_name = {step.name: step.layer for step in ran}
    below = [by_name[name] for name in planned.plan.tree]
    made = make_image(shop, below, recipe, supplies.tools(), planned.lock.tools)
    before = known_build(shop.home, planned)
    image = keep_image(
        shop.home,
        recipe,
        made,
        below,
        epoch=planned.lock.epoch,
        jobs=jobs,
        tell=lambda content: how_built(planned, ran, content, before),
    )
    seconds = clock.monotonic() - start
    listener.step_ended("disk", seconds=seconds, cached=False)
    return image, seconds


def how_built(
    planned: Planned, ran: Sequence[Ran], content: str, before: StoredImage | None
) -> dict[str, object]:
    """What is kept of a build beside its image, whose identity is ``content``; ``before`` is what the same inputs gave."""
    reproducible = not any(step.layer.notes.get("network") for step in ran)
    warnings = [*warnings_of(ran)]
    if before is not None and before.digest != content:
        reproducible = False
        warnings.append(f"the same inputs gave another image before: {before.reference} has {before.digest}")
    return {
        "key": planned.key,
        "recipe_digest": planned.inputs.digest,
        "lock_digest": digest(planned.lock),
        "reproducible": reproducible,
        "warnings": warnings,
    }


def warnings_of(ran: Sequence[Ran]) -> tuple[str, ...]:
    """What the user should know, from the notes of all steps."""
    found: list[str] = []
    for step in ran:
        notes = step.layer.notes
        warnings = notes.get("warnings", [])
        assert isinstance(warnings, list)
        found += [str(warning) for warning in warnings]
        if notes.get("network"):
            found.append(f"{step.name} used the network: the image is marked not reproducible")
    return tuple(dict.fromkeys(found))
