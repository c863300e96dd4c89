"""Build an image: the main flow."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from goldsmith.builder.ahead import Ahead, compressing_ahead
from goldsmith.builder.execute import Listener, Ran, execute
from goldsmith.builder.expire import expire
from goldsmith.builder.image import made_disk, mounted
from goldsmith.builder.inputs import read_secrets
from goldsmith.builder.keep import describe, digests_of, facts_of, keep_disk, keep_image, pack
from goldsmith.builder.outputs import Artifact, Wanted, drafted_outputs, place_outputs
from goldsmith.builder.planned import Planned, known_build
from goldsmith.builder.refresh import adopt, discard
from goldsmith.builder.seal.kept import OWN, SEAL, certificate_of, named
from goldsmith.builder.space import need_space_for
from goldsmith.builder.supplies import Supplies, all_packages
from goldsmith.builder.work import Material, bind
from goldsmith.builder.workshop import Aftermath, Workshop, workshop
from goldsmith.disk.source import Source
from goldsmith.effects import clock, namespace
from goldsmith.effects.allocator import hoard_little
from goldsmith.effects.tmpfs import secret_files
from goldsmith.effects.umask import ordinary_umask
from goldsmith.model.canonical import digest
from goldsmith.store.evidence import keep_evidence
from goldsmith.store.home import Home
from goldsmith.store.images import StoredImage, images_named, layout_of
from goldsmith.store.pack import Press

NOTHING = Aftermath()
"""The tree of a failing step is thrown away."""
NO_FILES = Wanted()


THREADS = 4
"""What is done at once when the disk is there: record, two digests, the files that are wanted."""


@dataclass(frozen=True, slots=True)
class Built:
    """A build that has been done."""

    image: StoredImage
    artifacts: tuple[Artifact, ...]
    """The files that were wanted."""
    steps: tuple[Ran, ...]
    """What became of each step, the disk's last."""


@dataclass(frozen=True, slots=True)
class Finish:
    """What became of a finished tree."""

    image: StoredImage
    artifacts: tuple[Artifact, ...]
    """The files that were wanted."""
    seconds: float
    """How long it took."""


def run_build(
    planned: Planned,
    supplies: Supplies,
    *,
    home: Home,
    jobs: int,
    fresh: bool,
    listener: Listener,
    wanted: Wanted = NO_FILES,
    aftermath: Aftermath = NOTHING,
) -> Built:
    """Do a build that has been decided, and keep its image.

    ``namespace.enter()`` is called here; no thread may run before.

    Raises:
        GoldsmithError: of the step that failed. Nothing of the build is left but its log.
    """
    hoard_little()
    namespace.enter()
    with ordinary_umask():
        return _build(
            planned,
            supplies,
            home=home,
            jobs=jobs,
            fresh=fresh,
            listener=listener,
            wanted=wanted,
            aftermath=aftermath,
        )


def _build(
    planned: Planned,
    supplies: Supplies,
    *,
    home: Home,
    jobs: int,
    fresh: bool,
    listener: Listener,
    wanted: Wanted,
    aftermath: Aftermath,
) -> Built:
    need_space_for(all_packages(planned.lock), home)
    name, epoch = planned.inputs.recipe.name, planned.lock.epoch
    with workshop(home, name, epoch=epoch, aftermath=aftermath) as shop:
        try:
            with (
                secret_files(read_secrets(planned.inputs.recipe), shop.work / "secrets") as secrets,
                compressing_ahead(shop.work, epoch=epoch) as ahead,
            ):
                material = Material(planned.inputs, planned.lock, supplies, secrets)
                ran = run_steps(planned, shop, material, ahead, jobs=jobs, fresh=fresh, listener=listener)
                ahead.enough()
                done = finish_image(
                    planned,
                    shop,
                    ran,
                    supplies,
                    wanted=wanted,
                    jobs=jobs,
                    press=ahead.press,
                    listener=listener,
                )
            adopt(home, ran)
            expire(home, now=shop.work.stat().st_mtime)
            disk = Ran("disk", planned.key, cached=False, seconds=done.seconds, layer=ran[-1].layer)
            return Built(done.image, done.artifacts, (*ran, disk))
        finally:
            if fresh:
                discard(home, shop.work.name)


def run_steps(
    planned: Planned,
    shop: Workshop,
    material: Material,
    ahead: Ahead,
    *,
    jobs: int,
    fresh: bool,
    listener: Listener,
) -> list[Ran]:
    """Run the plan's steps; where a core is to spare, packages' files are compressed meanwhile."""
    actions = bind(planned.plan, shop, material)
    if jobs > 1 and not images_named(shop.home, planned.inputs.recipe.name):
        places = [
            step.name
            for step in planned.plan.steps
            if step.kind == "place" and step.name in planned.plan.tree
        ]
        actions = ahead.watch(actions, places)
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
    wanted: Wanted,
    jobs: int,
    press: Press,
    listener: Listener,
) -> Finish:
    """Make the disk, keep the image and write the files that are wanted of it, all at once where it can be."""
    start = clock.monotonic()
    listener.step_started("disk")
    by_name = {step.name: step.layer for step in ran}
    below = [by_name[name] for name in planned.plan.tree]
    recipe, epoch, layout = planned.inputs.recipe, planned.lock.epoch, layout_of(shop.home)
    tree = describe(below)
    before = known_build(shop.home, planned)
    with layout.used(), ThreadPoolExecutor(max_workers=THREADS) as pool:
        packed = pool.submit(pack, layout, tree, recipe, epoch=epoch, jobs=jobs, press=press)
        source = Source(tree.entries, tree.open_file, lambda: mounted(shop, below))
        with made_disk(shop, source, recipe, supplies.tools(), planned.lock.tools) as made:
            digests = digests_of(made, pool)
            with drafted_outputs(wanted, made.raw, digests, pool, jobs=jobs) as drafts:
                facts = facts_of(recipe, tree, digests, epoch=epoch)
                certificate = certificate_of(facts, ran[-1].layer.notes["seal"])
                built = {**how_built(planned, ran, facts.digest, before), OWN: named(certificate)}
                image = keep_image(layout, facts, tree, packed, made, digests.plain, built)
                keep_evidence(layout, image.index, SEAL, certificate)
                artifacts = place_outputs(shop.home, image, drafts.result())
            keep_disk(shop.home, made, facts.disk_digest)
    seconds = clock.monotonic() - start
    listener.step_ended("disk", seconds=seconds, cached=False)
    return Finish(image, artifacts, seconds)


def how_built(
    planned: Planned, ran: Sequence[Ran], content: str, before: StoredImage | None
) -> dict[str, object]:
    """What is kept of a build beside its image, whose identity is ``content``; ``before`` is what the same inputs gave."""
    reproducible = not any(step.layer.notes.get(note) for step in ran for note in ("network", "chance"))
    warnings = [*warnings_of(ran)]
    if before is not None and before.digest != content:
        reproducible = False
        warnings.append(f"the same inputs gave another image before: {before.reference} has {before.digest}")
    base = planned.inputs.recipe.base
    standing = {"base": {"name": base.reference, "digest": base.digest}} if base.image else {}
    return {
        **standing,
        "key": planned.key,
        "recipe": os.path.abspath(planned.inputs.recipe.where.file) if planned.inputs.recipe.where else "",
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
