"""Build an image: the main flow."""

import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from goldsmith.builder.debs import Unpacked, damaged, forget, unpack_all
from goldsmith.builder.execute import Listener, Ran, execute
from goldsmith.builder.image import make_image
from goldsmith.builder.inputs import Inputs, read_secrets
from goldsmith.builder.plan import plan_build
from goldsmith.builder.refresh import adopt
from goldsmith.builder.work import Material, bind
from goldsmith.builder.workshop import Workshop, open_workshop
from goldsmith.disk.tools import Tools
from goldsmith.effects import clock, namespace
from goldsmith.effects.tmpfs import secret_files
from goldsmith.model.canonical import digest, plain
from goldsmith.model.lock import Lock
from goldsmith.model.plan import Plan, keys
from goldsmith.store.home import Home
from goldsmith.store.images import StoredImage, images_named, keep

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
    """What became of each step; empty if the image was there already."""
    warnings: tuple[str, ...]


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


def stored(home: Home, planned: Planned) -> StoredImage | None:
    """The image of this very build, if it is in the store."""
    for image in images_named(home, planned.inputs.recipe.name):
        if image.facts.get("key") == planned.key and image.disk.exists():
            return image
    return None


def run_build(
    planned: Planned,
    supplies: Supplies,
    *,
    home: Home,
    jobs: int,
    fresh: bool,
    listener: Listener,
    keep_on_failure: bool = False,
) -> Built:
    """Do a build that has been decided, and keep its image.

    ``namespace.enter()`` is called here; no thread may run before.

    Raises:
        GoldsmithError: of the step that failed. Nothing of the build is left but its log.
    """
    namespace.enter()
    shop = open_workshop(home, planned.inputs.recipe.name, epoch=planned.lock.epoch)
    failed = True
    try:
        with secret_files(read_secrets(planned.inputs.recipe), shop.work / "secrets") as secrets:
            unpacked = unpack(supplies.debs, home, jobs=jobs)
            material = Material(planned.inputs, planned.lock, unpacked, supplies.downloads, secrets)
            ran = run_steps(planned, shop, material, jobs=jobs, fresh=fresh, listener=listener)
        image = finish_image(planned, shop, ran, supplies.tools, listener)
        for name in adopt(home, ran):
            listener.warn(f"the step {name!r} gave another result than before, from the same inputs")
        failed = False
        return Built(image, tuple(ran), warnings_of(ran))
    finally:
        if not (failed and keep_on_failure):
            shutil.rmtree(shop.work, ignore_errors=True)
        if not failed:
            with suppress(FileNotFoundError):
                shop.log.touch()


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
) -> StoredImage:
    """Make the disk and keep the image."""
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
    image = keep(shop.home, recipe.name, recipe.version, record, made.raw, {"tree.json.zst": made.index})
    listener.step_ended("disk", seconds=clock.monotonic() - start, cached=False)
    return image


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
