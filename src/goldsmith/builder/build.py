"""Build an image: the main flow."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from goldsmith.builder.debs import Unpacked, damaged, forget, unpack_all
from goldsmith.builder.execute import Listener, Ran, execute
from goldsmith.builder.image import make_image
from goldsmith.builder.inputs import Inputs, read_secrets
from goldsmith.builder.plan import plan_build
from goldsmith.builder.refresh import adopt
from goldsmith.builder.work import Material, bind
from goldsmith.builder.workshop import Aftermath, Workshop, open_workshop
from goldsmith.disk.tools import Tools
from goldsmith.effects import clock, namespace
from goldsmith.effects.tmpfs import secret_files
from goldsmith.model.canonical import digest, plain
from goldsmith.model.lock import Lock
from goldsmith.model.plan import Plan, keys
from goldsmith.store.home import Home
from goldsmith.store.images import StoredImage, images_named, keep

NOTHING = Aftermath()
"""The tree of a failing step is thrown away."""
DISK_VERSION = 1
"""The version of the code that makes disks; raise it when the same tree gives another disk."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A build that has been decided, not done."""

    inputs: Inputs
    lock: Lock
    plan: Plan
    keys: Mapping[str, str]
    """The key of each step."""
    key: str
    """The key of the whole: finished tree, disk and tools."""


@dataclass(frozen=True, slots=True)
class Built:
    """A build that has been done."""

    image: StoredImage
    steps: tuple[Ran, ...]
    """What became of each step, the disk's last."""


@dataclass(frozen=True, slots=True)
class Supplies:
    """What was fetched for a build; all of it verified."""

    debs: Mapping[str, Path]
    """The .debs by SHA-256."""
    downloads: Mapping[str, Path]
    """Components' downloads by address."""
    tools: Tools


def plan(inputs: Inputs, lock: Lock) -> Planned:
    """Decide a build. Pure, but for the files that ``inputs`` has read already."""
    recipe = inputs.recipe
    steps = plan_build(recipe, lock, inputs.contents(lock.tools))
    step_keys = keys(steps.steps)
    facts = {
        "version": DISK_VERSION,
        "name": recipe.name,
        "image version": recipe.version,
        "description": recipe.description,
        "labels": plain(recipe.labels),
        "disk": plain(recipe.disk),
        "tools": lock.tools,
        "tree": [step_keys[name] for name in steps.tree],
    }
    return Planned(inputs, lock, steps, step_keys, digest(facts))


def known_build(home: Home, planned: Planned) -> StoredImage | None:
    """What the same inputs gave before."""
    found = [
        image
        for image in images_named(home, planned.inputs.recipe.name)
        if image.facts.get("key") == planned.key
    ]
    return found[-1] if found else None


def stored(home: Home, planned: Planned) -> StoredImage | None:
    """The image of this very build, if it is in the store."""
    image = known_build(home, planned)
    return image if image is not None and image.disk.exists() else None


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
    shop = open_workshop(home, planned.inputs.recipe.name, epoch=planned.lock.epoch, aftermath=aftermath)
    try:
        with secret_files(read_secrets(planned.inputs.recipe), shop.work / "secrets") as secrets:
            unpacked = unpack(supplies.debs, home, jobs=jobs)
            material = Material(planned.inputs, planned.lock, unpacked, supplies.downloads, secrets)
            ran = run_steps(planned, shop, material, jobs=jobs, fresh=fresh, listener=listener)
        image, seconds = finish_image(planned, shop, ran, supplies.tools, listener)
        adopt(home, ran)
        return Built(
            image, (*ran, Ran("disk", planned.key, cached=False, seconds=seconds, layer=ran[-1].layer))
        )
    finally:
        shutil.rmtree(shop.work, ignore_errors=True)


def unpack(debs: Mapping[str, Path], home: Home, *, jobs: int) -> dict[str, Unpacked]:
    """The packages, unpacked and compared by content with what their .debs held."""
    unpacked = unpack_all(debs, home, jobs=jobs)
    bad = damaged(unpacked.values(), jobs=jobs)
    for package in bad:
        forget(package)
    if bad:
        unpacked |= unpack_all({package.sha256: package.deb for package in bad}, home, jobs=jobs)
    return unpacked


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
    planned: Planned, shop: Workshop, ran: Sequence[Ran], tools: Tools, listener: Listener
) -> tuple[StoredImage, float]:
    """Make the disk and keep the image; also tells the seconds that took."""
    recipe = planned.inputs.recipe
    start = clock.monotonic()
    listener.step_started("disk")
    layers = {step.name: step.layer for step in ran}
    below = [layers[name] for name in planned.plan.tree]
    made = make_image(shop, below, recipe, tools, planned.lock.tools)
    facts = {
        "name": recipe.name,
        "version": recipe.version,
        "architecture": recipe.architecture,
        "description": recipe.description,
        "labels": plain(recipe.labels),
        "tree_digest": made.tree_digest,
        "disk_digest": made.disk_digest,
    }
    record = {
        **facts,
        "digest": digest(facts),
        "disk_sha256": made.disk_sha256,
        "recipe_digest": planned.inputs.digest,
        "lock_digest": digest(planned.lock),
        "reproducible": not any(step.layer.notes.get("network") for step in ran),
        "warnings": list(warnings_of(ran)),
        "key": planned.key,
    }
    before = known_build(shop.home, planned)
    if before is not None and before.facts["digest"] != record["digest"]:
        listener.warn(
            f"the same inputs gave another image before: {before.reference} has {before.facts['digest']}"
        )
    image = keep(shop.home, recipe.name, recipe.version, record, made.raw, {"tree.json.zst": made.index})
    seconds = clock.monotonic() - start
    listener.step_ended("disk", seconds=seconds, cached=False)
    return image, seconds


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
